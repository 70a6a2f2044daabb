/**
 * What a slot is for: a program that runs in an instance that was put back behaves exactly as in a new one, whatever ran there
 * before. Random guests, random programs, random ways to end. `SKERRY_FUZZ_RUNS` sets how many programs run (by each strategy),
 * `SKERRY_FUZZ_SEED` where to begin; `npm run soak -- reset` runs very many.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { addTotals, checkResets, NO_TOTALS, STRATEGIES } from "./reset-check.ts";

const RUNS = Number(process.env["SKERRY_FUZZ_RUNS"] ?? 300);
const FIRST_SEED = Number(process.env["SKERRY_FUZZ_SEED"] ?? 1);
/** Programs for each guest: a guest takes longer to make than a program to run. */
const PROGRAMS = 6;

for (const strategy of STRATEGIES) {
	suite(`a reset instance is as good as new: ${strategy.name}`, { skip: strategy.skip }, () => {
		test(`${RUNS} random programs from seed ${FIRST_SEED}`, { timeout: 3_600_000 }, async (t) => {
			const totals = { ...NO_TOTALS };
			for (let seed = FIRST_SEED; seed < FIRST_SEED + Math.ceil(RUNS / PROGRAMS); seed++) {
				addTotals(totals, await checkResets(seed, PROGRAMS, strategy));
			}
			t.diagnostic(JSON.stringify(totals));
			// The property says nothing where nothing is reset.
			if (strategy.warm > 0) assert.ok(totals.reset > totals.discarded, JSON.stringify(totals));
			else assert.equal(totals.reset, 0);
		});
	});
}
