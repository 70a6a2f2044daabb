/** Takes turns with things that are to be compared, so that none is better placed than another. */

export interface TurnsOptions {
	/** Milliseconds on the clock that are not counted, and those after them that are, for each that is compared. */
	readonly warmUp: number;
	readonly milliseconds: number;
	/** How many turns there are at least of these, and of the latter how many undisturbed runs of each. */
	readonly leastWarmUp: number;
	readonly least: number;
	/** Milliseconds that each of both may take longer in all: the one until nothing is left to be compiled, the other until there are as many. */
	readonly patience: number;
	/** Milliseconds from some moment on. */
	readonly now: () => number;
	/** Whether the core is this process's alone at this moment. */
	readonly alone: () => boolean;
	/** Lets a little time pass. */
	readonly pause: () => void;
	/** Waits for what is compiled beside the runs. @returns whether there was nothing to wait for */
	readonly settled: () => boolean;
}

export interface Turns {
	/** Of each, the shortest run that was undisturbed; where `undisturbed` says that there was none, of all its runs. */
	readonly shortest: readonly number[];
	/** How many of the runs of each that count had the core for themselves. */
	readonly undisturbed: readonly number[];
	/** Turns that were counted. */
	readonly rounds: number;
}

/**
 * A run of fewer milliseconds is another one when the same has just run: caches hold its data, and branches are foretold by what the whole
 * run before was like. (A sort of the same 60,000 numbers takes 3.9 ms then, and 5.9 ms behind anything else.)
 */
const SHORT = 60;
/** So many of these are counted, behind one that is not. */
const BURST = 3;

/**
 * The shortest of many runs of each, by what they say that they took. Each turn begins with another one: all stand at each place
 * of the order as often, and none follows itself from one turn to the next. A run waits until the core is its own, and counts when it
 * still is afterwards.
 */
export function takeTurns(runs: readonly (() => number)[], options: TurnsOptions): Turns {
	const { warmUp, milliseconds, leastWarmUp, least, patience, now, alone, pause, settled } = options;
	const disturbed = runs.map(() => Infinity);
	const shortest = runs.map(() => Infinity);
	const undisturbed = runs.map(() => 0);
	let turn = 0;
	const runAll = (latest: number): void => {
		for (let place = 0; place < runs.length; place++) {
			const at = (turn + place) % runs.length;
			const run = runs[at] as () => number;
			let before = alone();
			for (; !before && now() < latest; before = alone()) pause();
			const count = (took: number): void => {
				const after = alone();
				if (before && after) {
					shortest[at] = Math.min(shortest[at] as number, took);
					undisturbed[at] = (undisturbed[at] as number) + 1;
				} else disturbed[at] = Math.min(disturbed[at] as number, took);
				before = after;
			};
			const first = run();
			if (first >= SHORT) count(first);
			else {
				before = alone();
				for (let i = 0; i < BURST; i++) count(run());
			}
		}
		turn++;
	};
	const warm = now() + runs.length * warmUp;
	let done = 0;
	do {
		runAll(-Infinity);
		done++;
	} while (done < leastWarmUp || now() < warm || (now() < warm + patience && !settled()));
	for (const counted of [disturbed, shortest]) counted.fill(Infinity);
	undisturbed.fill(0);
	const until = now() + runs.length * milliseconds;
	let rounds = 0;
	do {
		runAll(until + patience);
		rounds++;
	} while (rounds < least || now() < until || (Math.min(...undisturbed) < least && now() < until + patience));
	return {
		shortest: shortest.map((time, i) => (time === Infinity ? disturbed[i] : time) as number),
		undisturbed,
		rounds,
	};
}
