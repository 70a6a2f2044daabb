/**
 * `npm run soak -- tasks [runs] [first seed]`: so many random programs of tasks, streams and handles, each run twice in one slot and once in
 * an instance of its own, by turns with `copy` and `cow`; and what the process's memory does meanwhile.
 */
import { setFlagsFromString } from "node:v8";
import { inspect } from "node:util";
import { runInNewContext } from "node:vm";
import { AsyncResets } from "../reset/async-check.ts";
import { STRATEGIES } from "../reset/reset-check.ts";

const PROGRAMS = 12;
/** Of the runs, so often memory is looked at. */
const LOOKS = 10;
/** Before these many looks memory grows for good reasons: code, caches, the heap that V8 keeps. */
const WARMUP = 4;
const SHOWN = 5;
/** What garbage is left over makes of it by itself. */
const SPREAD_PERCENT = 5;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function residentMiB(): number {
	collect();
	return process.memoryUsage.rss() / 2 ** 20;
}

export async function soakTasks(runs: number, firstSeed: number): Promise<boolean> {
	const strategies = STRATEGIES.filter(({ warm, skip }) => warm > 0 && skip === false);
	const resets = await AsyncResets.create();
	const totals = { programs: 0, values: 0, held: 0, paused: 0, lateReads: 0, reset: 0, discarded: 0 };
	const failed: number[] = [];
	const sizes: number[] = [];
	const started = performance.now();
	const guests = Math.ceil(runs / PROGRAMS);
	for (let i = 0; i < guests; i++) {
		const strategy = strategies[i % strategies.length];
		if (strategy === undefined) throw new Error("there is no strategy to put instances back by");
		try {
			const found = await resets.check(firstSeed + i, PROGRAMS, strategy);
			for (const key of Object.keys(totals) as (keyof typeof totals)[]) totals[key] += found[key];
		} catch (error) {
			failed.push(firstSeed + i);
			if (failed.length <= SHOWN) console.log(inspect(error, { depth: 8 }));
		}
		if (Math.floor(((i + 1) * LOOKS) / guests) > sizes.length) {
			sizes.push(residentMiB());
			console.log(`  ${(i + 1) * PROGRAMS} runs, ${failed.length} failed, ${sizes.at(-1)?.toFixed(1)} MiB`);
		}
	}
	const late = sizes.slice(WARMUP);
	const spread = late.length === 0 ? 0 : (Math.max(...late) / (late[0] as number) - 1) * 100;
	const { programs, values, held, paused, reset, discarded } = totals;
	const seconds = ((performance.now() - started) / 1000).toFixed(0);
	console.log(
		`${programs} programs, four runs each, in ${seconds} s: ${values} calls returned, ${held} handles were held at ends`,
	);
	console.log(
		`instances put back ${reset} times, discarded ${discarded} times; ${resets.host.open} of the host's things left`,
	);
	console.log(`${paused} runs gave way to others, which time decides, and were made again`);
	console.log(`resident memory grew by ${spread.toFixed(2)} % after ${WARMUP} of ${LOOKS} parts`);
	for (const seed of failed) console.log(`FAILED npm run soak -- tasks ${PROGRAMS} ${seed}`);
	return failed.length === 0 && resets.host.open === 0 && spread <= SPREAD_PERCENT;
}
