/** The property of resets for guests that look for what others left, of several apps of one code that take turns in the same slots. */
import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CompileCache } from "../../src/engine/mod.ts";
import type { Limits } from "../../src/fault/mod.ts";
import { linkComponent, loadComponent } from "../../src/link/mod.ts";
import { SandboxPool, SharedSlots } from "../../src/pool/mod.ts";
import { createCut } from "./cut.ts";
import { Dice } from "./dice.ts";
import { createProgram, ProgramHost, runProgram } from "./program.ts";
import { NO_TOTALS, type ResetStrategy, type ResetTotals } from "./reset-check.ts";
import { createSpyGuest } from "./spy-guest.ts";

const OVER = new Error("the test is over");
const PAGE = 65_536;
const METERINGS = ["off", "trap", "yield", "fuel", "fuel"] as const;

/** Runs random programs of two apps in the slots of one code, each after another that was ended anyhow; each is to come out as in an instance of its own. */
export async function checkSpies(seed: number, programs: number, strategy: ResetStrategy): Promise<ResetTotals> {
	const host = new ProgramHost();
	const dice = new Dice(~seed);
	const metering = dice.pick(METERINGS);
	const pauses = metering === "yield" || metering === "fuel";
	const cache = new CompileCache();
	const slots = new SharedSlots();
	const apps: { readonly pool: SandboxPool; readonly fresh: SandboxPool }[] = [];
	try {
		let endless = "";
		let functions: readonly string[] = [];
		for (const variant of [0, 1]) {
			const guest = createSpyGuest(seed, variant);
			({ endless, functions } = guest);
			const loaded = loadComponent(new Uint8Array(await parse(guest.wat)));
			const linked = await linkComponent(loaded, host.imports, cache, { metering });
			const limits: Limits = {
				...(dice.oneIn(3) ? { memory: (guest.pages + 2 + dice.below(5)) * PAGE } : {}),
				...(dice.oneIn(4) ? { tables: guest.tableElements + dice.below(5) } : {}),
				...(dice.oneIn(4) ? { hostCalls: 2 + dice.below(10) } : {}),
				...(dice.oneIn(4) ? { gcHeap: 1000 + dice.below(10_000) } : {}),
				...(dice.oneIn(4) ? { handles: 1 + dice.below(4) } : {}),
				// An endless one comes to it some ms later.
				...(metering === "fuel" ? { fuel: 2_000_000 + dice.below(1_000_000) } : {}),
			};
			const options = { wasi: () => ({}), limits, app: `app ${variant}` };
			apps.push({
				pool: new SandboxPool(linked, { ...options, warm: strategy.warm, mapper: strategy.mapper, slots }),
				fresh: new SandboxPool(linked, { ...options, warm: 0 }),
			});
		}
		for (let i = 0; i < programs; i++) {
			const { pool, fresh } = dice.pick(apps);
			const program = createProgram(dice, functions, pauses);
			const due = await runProgram(fresh, host, program);
			const dirtying = createProgram(dice, functions, pauses);
			const calls =
				pauses && dice.oneIn(2) ? [...dirtying.calls, { name: endless, args: [dice.bits(), 0] }] : dirtying.calls;
			const cut = calls !== dirtying.calls || !dice.oneIn(3) ? { cut: createCut(dice) } : {};
			await runProgram(dice.pick(apps).pool, host, { ...dirtying, calls, ...cut });
			// What the dirtying program left waiting settles while the next one runs.
			host.settleLate();
			assert.deepEqual(await runProgram(pool, host, program), due);
		}
		await turn();
		await turn();
		const totals: ResetTotals = { ...NO_TOTALS, programs, guests: 1 };
		for (const { pool } of apps) {
			assert.deepEqual(pool.usage(), { sandboxes: 0, handles: 0 });
			const { reset, discarded, switched } = pool.counts;
			totals.reset += reset;
			totals.discarded += discarded;
			totals.switched += switched;
			if (pool.freshBecause !== undefined) totals.fresh = 1;
		}
		return totals;
	} catch (error) {
		throw new Error(`${strategy.name}, seed ${seed}, metering ${metering}`, { cause: error });
	} finally {
		for (const { pool, fresh } of apps) {
			pool.close(OVER);
			fresh.close(OVER);
		}
	}
}
