/** The property of resets, for one random guest: what runs in an instance that was put back behaves exactly as in a new one. */
import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CompileCache, createLinuxPageMapper, type PageMapper } from "../../src/engine/mod.ts";
import type { Limits } from "../../src/fault/mod.ts";
import { linkComponent, loadComponent } from "../../src/link/mod.ts";
import { SandboxPool } from "../../src/pool/mod.ts";
import { createCut } from "./cut.ts";
import { Dice } from "./dice.ts";
import { createProgram, type Program, ProgramHost, runProgram } from "./program.ts";
import { createRandomGuest, type RandomGuest } from "./random-guest.ts";

const mapper = createLinuxPageMapper();

/** How instances are put back; `skip` says why that is not possible here. */
export interface ResetStrategy {
	readonly name: "copy" | "cow" | "fresh";
	readonly warm: number;
	readonly mapper: PageMapper | undefined;
	readonly skip: string | false;
}

export const STRATEGIES: readonly ResetStrategy[] = [
	{ name: "copy", warm: 2, mapper: undefined, skip: false },
	{
		name: "cow",
		warm: 2,
		mapper: typeof mapper === "string" ? undefined : mapper,
		skip: typeof mapper === "string" ? `no copy-on-write memory here: ${mapper}` : false,
	},
	{ name: "fresh", warm: 0, mapper: undefined, skip: false },
];

/** What was done for one guest. */
export interface ResetTotals {
	/** Random programs, each run twice in a slot and once in an instance of its own. */
	programs: number;
	reset: number;
	discarded: number;
	/** Slots that went from one app to another, where apps share them. */
	switched: number;
	/** Guests that had to have a new instance for every call. */
	fresh: number;
	guests: number;
}

const OVER = new Error("the test is over");
const PAGE = 65_536;
const METERINGS = ["off", "trap", "yield", "fuel", "fuel"] as const;

/** Limits that some programs run into, each at the same place every time. */
function createLimits(dice: Dice, { pages, tableElements }: RandomGuest): Limits {
	return {
		...(dice.oneIn(4) ? { memory: (pages + dice.below(3)) * PAGE } : {}),
		...(dice.oneIn(4) ? { tables: tableElements + dice.below(5) } : {}),
		...(dice.oneIn(4) ? { hostCalls: 2 + dice.below(10) } : {}),
		...(dice.oneIn(4) ? { fuel: 500 + dice.below(3000) } : {}),
		...(dice.oneIn(4) ? { handles: 1 + dice.below(4) } : {}),
	};
}

/** Runs random programs in a random guest: each twice in one slot, with another in between, has to come out as in an instance of its own. */
export async function checkResets(seed: number, programs: number, strategy: ResetStrategy): Promise<ResetTotals> {
	const host = new ProgramHost();
	const guest = createRandomGuest(seed);
	const dice = new Dice(~seed);
	const metering = dice.pick(METERINGS);
	const pauses = metering === "yield" || metering === "fuel";
	const limits = createLimits(dice, guest);
	const made = dice.times(programs, () => createProgram(dice, guest.functions, pauses));
	const loaded = loadComponent(new Uint8Array(await parse(guest.wat)));
	const linked = await linkComponent(loaded, host.imports, new CompileCache(), { metering });
	const options = { wasi: () => ({}), limits };
	const pool = new SandboxPool(linked, { ...options, warm: strategy.warm, mapper: strategy.mapper });
	const fresh = new SandboxPool(linked, { ...options, warm: 0 });
	try {
		await comparePools(pool, fresh, host, made, dice);
		await turn();
		const { reset, discarded } = pool.counts;
		return { programs, reset, discarded, switched: 0, fresh: pool.freshBecause === undefined ? 0 : 1, guests: 1 };
	} catch (error) {
		throw new Error(`${strategy.name}, seed ${seed}, metering ${metering}`, { cause: error });
	} finally {
		pool.close(OVER);
		fresh.close(OVER);
	}
}

async function comparePools(
	pool: SandboxPool,
	fresh: SandboxPool,
	host: ProgramHost,
	programs: readonly Program[],
	dice: Dice,
): Promise<void> {
	for (const [i, program] of programs.entries()) {
		const other = programs[(i + 1) % programs.length] as Program;
		const dirtying = dice.oneIn(3) ? other : { ...other, cut: createCut(dice) };
		const due = await runProgram(fresh, host, program);
		assert.deepEqual(await runProgram(pool, host, program), due);
		// Now and then in the slot's neighbour.
		const held = i % 3 === 1 && due.state.length > 0 ? await pool.acquire() : undefined;
		await runProgram(pool, host, dirtying);
		held?.end(OVER);
		// What the dirtying program left waiting settles while the next one runs.
		host.settleLate();
		assert.deepEqual(await runProgram(pool, host, program), due);
		assert.deepEqual(pool.usage(), { sandboxes: 0, handles: 0 });
	}
}

export function addTotals(to: ResetTotals, more: ResetTotals): void {
	for (const key of Object.keys(to) as (keyof ResetTotals)[]) to[key] += more[key];
}

export const NO_TOTALS: Readonly<ResetTotals> = {
	programs: 0,
	reset: 0,
	discarded: 0,
	switched: 0,
	fresh: 0,
	guests: 0,
};
