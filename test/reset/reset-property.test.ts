/**
 * What a slot is for: a program that runs in an instance that was put back behaves exactly as in a new one, whatever ran there
 * before. Random guests, random programs, random ways to end. `SKERRY_FUZZ_RUNS` sets how many programs run (by each strategy),
 * `SKERRY_FUZZ_SEED` where to begin.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CompileCache, createLinuxPageMapper, type PageMapper } from "../../src/engine/mod.ts";
import { type Linked, linkComponent, loadComponent } from "../../src/link/mod.ts";
import { SandboxPool } from "../../src/pool/mod.ts";
import { Dice } from "./dice.ts";
import { createProgram, type Program, ProgramHost, type ProgramOutcome, runProgram } from "./program.ts";
import { createRandomGuest } from "./random-guest.ts";

const RUNS = Number(process.env["SKERRY_FUZZ_RUNS"] ?? 300);
const FIRST_SEED = Number(process.env["SKERRY_FUZZ_SEED"] ?? 1);
/** Programs for each guest: a guest takes longer to make than a program to run. */
const PROGRAMS = 6;

const mapper = createLinuxPageMapper();
const STRATEGIES: readonly { name: string; warm: number; mapper: PageMapper | undefined; skip: string | false }[] = [
	{ name: "copy", warm: 2, mapper: undefined, skip: false },
	{
		name: "cow",
		warm: 2,
		mapper: typeof mapper === "string" ? undefined : mapper,
		skip: typeof mapper === "string" ? `no copy-on-write memory here: ${mapper}` : false,
	},
	{ name: "fresh", warm: 0, mapper: undefined, skip: false },
];

async function link(seed: number, host: ProgramHost): Promise<{ linked: Linked; functions: readonly string[] }> {
	const { wat, functions } = createRandomGuest(seed);
	const loaded = loadComponent(new Uint8Array(await parse(wat)));
	return { linked: await linkComponent(loaded, host.imports, new CompileCache()), functions };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The program, twice in one slot with another in between, has to come out as in an instance of its own. */
async function check(
	pool: SandboxPool,
	fresh: SandboxPool,
	host: ProgramHost,
	programs: readonly Program[],
): Promise<void> {
	for (const [i, program] of programs.entries()) {
		const dirtying = programs[(i + 1) % programs.length] as Program;
		const due = await runProgram(fresh, host, program);
		const first = await runProgram(pool, host, program);
		assert.deepEqual(first, due);
		await runProgram(pool, host, dirtying);
		// What the dirtying program left waiting settles while the next one runs.
		host.settleLate();
		const second: ProgramOutcome = await runProgram(pool, host, program);
		assert.deepEqual(second, due);
		assert.deepEqual(pool.usage(), { sandboxes: 0, handles: 0 });
	}
}

for (const { name, skip, warm, ...strategy } of STRATEGIES) {
	suite(`a reset instance is as good as new: ${name}`, { skip }, () => {
		test(`${RUNS} random programs from seed ${FIRST_SEED}`, { timeout: 3_600_000 }, async (t) => {
			const totals = { reset: 0, discarded: 0, fresh: 0, guests: 0 };
			for (let seed = FIRST_SEED; seed < FIRST_SEED + Math.ceil(RUNS / PROGRAMS); seed++) {
				const host = new ProgramHost();
				const { linked, functions } = await link(seed, host);
				const dice = new Dice(~seed);
				const programs = dice.times(PROGRAMS, () => createProgram(dice, functions));
				const pool = new SandboxPool(linked, { wasi: () => ({}), warm, mapper: strategy.mapper });
				const fresh = new SandboxPool(linked, { wasi: () => ({}), warm: 0 });
				try {
					await check(pool, fresh, host, programs);
				} catch (error) {
					throw new Error(`seed ${seed} (SKERRY_FUZZ_SEED=${seed} SKERRY_FUZZ_RUNS=${PROGRAMS})`, { cause: error });
				}
				await turn();
				totals.guests++;
				totals.reset += pool.counts.reset;
				totals.discarded += pool.counts.discarded;
				if (pool.freshBecause !== undefined) totals.fresh++;
				pool.close(new Error("the test is over"));
				fresh.close(new Error("the test is over"));
			}
			t.diagnostic(JSON.stringify(totals));
			// The property says nothing where nothing is reset.
			if (warm > 0) assert.ok(totals.reset > totals.discarded, JSON.stringify(totals));
			else assert.equal(totals.reset, 0);
		});
	});
}
