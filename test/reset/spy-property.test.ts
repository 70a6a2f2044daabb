/** As `reset-property`, of guests that look for what others left: `npm run soak -- spies` runs very many. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { addTotals, NO_TOTALS, STRATEGIES } from "./reset-check.ts";
import { checkSpies } from "./spy-check.ts";

const RUNS = Number(process.env["SKERRY_FUZZ_RUNS"] ?? 128);
const FIRST_SEED = Number(process.env["SKERRY_FUZZ_SEED"] ?? 1);
const PROGRAMS = 16;

for (const strategy of STRATEGIES.filter(({ warm }) => warm > 0)) {
	suite(`nothing that can be read tells of who was there before: ${strategy.name}`, { skip: strategy.skip }, () => {
		test(`${RUNS} random programs from seed ${FIRST_SEED}`, { timeout: 3_600_000 }, async (t) => {
			const totals = { ...NO_TOTALS };
			for (let seed = FIRST_SEED; totals.programs < RUNS; seed++)
				addTotals(totals, await checkSpies(seed, PROGRAMS, strategy));
			t.diagnostic(JSON.stringify(totals));
			// It says nothing where nothing is put back, or no slot goes to another app.
			assert.ok(totals.reset > totals.programs / 2 && totals.switched > totals.programs / 20, JSON.stringify(totals));
		});
	});
}
