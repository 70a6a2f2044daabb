/** As `reset-property`, of asynchronous components: `npm run soak -- tasks` runs very many. */
import assert from "node:assert/strict";
import { before, suite, test } from "node:test";
import { AsyncResets } from "./async-check.ts";
import { STRATEGIES } from "./reset-check.ts";

const RUNS = Number(process.env["SKERRY_FUZZ_RUNS"] ?? 240);
const FIRST_SEED = Number(process.env["SKERRY_FUZZ_SEED"] ?? 1);
const PROGRAMS = 12;

suite("live tasks, streams and handles leave nothing behind", () => {
	let resets: AsyncResets;
	before(async () => {
		resets = await AsyncResets.create();
	});

	for (const strategy of STRATEGIES) {
		test(`${strategy.name}: ${RUNS} random programs`, { skip: strategy.skip, timeout: 3_600_000 }, async (t) => {
			const totals = { values: 0, held: 0, paused: 0, lateReads: 0, reset: 0, discarded: 0 };
			for (let seed = FIRST_SEED; seed < FIRST_SEED + Math.ceil(RUNS / PROGRAMS); seed++) {
				const found = await resets.check(seed, PROGRAMS, strategy);
				for (const key of Object.keys(totals) as (keyof typeof totals)[]) totals[key] += found[key];
			}
			t.diagnostic(JSON.stringify(totals));
			assert.equal(resets.host.open, 0);
			// It says nothing where all that is tried fails, nothing is held, or nothing is put back.
			assert.ok(
				totals.values > RUNS / 4 && totals.held > RUNS / 2 && totals.lateReads > RUNS / 20,
				JSON.stringify(totals),
			);
			if (strategy.warm > 0) assert.ok(totals.reset > totals.discarded, JSON.stringify(totals));
		});
	}
});
