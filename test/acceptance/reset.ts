/**
 * `npm run soak -- reset|spies [runs] [first seed]`: so many random programs in random guests, each run in a slot and in an
 * instance of its own, by turns with `copy` and `cow`; the spies' guests look for what others left. Each failure is told with its seed, and what shows it again.
 */
import { inspect } from "node:util";
import { addTotals, checkResets, NO_TOTALS, type ResetTotals, STRATEGIES } from "../reset/reset-check.ts";
import { checkSpies } from "../reset/spy-check.ts";

const CHECKS: Readonly<Record<"reset" | "spies", typeof checkSpies>> = { reset: checkResets, spies: checkSpies };

/** Programs for each guest: a guest takes longer to make than a program to run. */
const PROGRAMS = 12;
/** Milliseconds between two lines that say how far it is. */
const REPORT_INTERVAL = 15_000;
/** Failures of which all is told. */
const SHOWN = 5;

export async function soakReset(name: keyof typeof CHECKS, runs: number, firstSeed: number): Promise<boolean> {
	const strategies = STRATEGIES.filter(({ warm, skip }) => warm > 0 && skip === false);
	const totals = new Map(strategies.map(({ name }) => [name, { ...NO_TOTALS }]));
	const failed: string[] = [];
	const started = performance.now();
	let reported = started;
	let seed = firstSeed;
	for (let done = 0; done < runs; done += PROGRAMS, seed++) {
		const strategy = strategies[seed % strategies.length];
		if (strategy === undefined) throw new Error("there is no strategy to put instances back by");
		try {
			addTotals(totals.get(strategy.name) as ResetTotals, await CHECKS[name](seed, PROGRAMS, strategy));
		} catch (error) {
			failed.push(`seed ${seed}, ${strategy.name}: npm run soak -- ${name} ${PROGRAMS} ${seed}`);
			if (failed.length <= SHOWN) console.log(inspect(error, { depth: 8 }));
		}
		const now = performance.now();
		if (now - reported > REPORT_INTERVAL) {
			reported = now;
			const rate = (done + PROGRAMS) / ((now - started) / 1000);
			console.log(`  ${done + PROGRAMS} runs, ${rate.toFixed(0)} in a second, ${failed.length} guests failed`);
		}
	}
	for (const [how, { programs, guests, reset, discarded, switched, fresh }] of totals) {
		console.log(
			`${how}: ${programs} runs in ${guests} guests: instances put back ${reset} times, discarded ${discarded} times, given to another app ${switched} times; ${fresh} guests had to be fresh`,
		);
	}
	for (const line of failed) console.log(`FAILED ${line}`);
	const seconds = (performance.now() - started) / 1000;
	const seeds = `seeds ${firstSeed} to ${seed - 1}`;
	console.log(`${seeds}: ${failed.length} guests failed, ${seconds.toFixed(0)} s`);
	return failed.length === 0;
}
