/** Takes turns with things that are to be compared, so that none is better placed than another. */

export interface TurnsOptions {
	/** Milliseconds on the clock that are not counted, and those after them that are, for each that is compared. */
	readonly warmUp: number;
	readonly milliseconds: number;
	/** How many turns there are at least of these. */
	readonly leastWarmUp: number;
	readonly least: number;
	/** Milliseconds from some moment on. */
	readonly now: () => number;
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
 * of the order as often, and none follows itself from one turn to the next.
 * @returns `rounds` is the number of turns that were counted
 */
export function takeTurns(
	runs: readonly (() => number)[],
	{ warmUp, milliseconds, leastWarmUp, least, now }: TurnsOptions,
): { readonly shortest: readonly number[]; readonly rounds: number } {
	const shortest = runs.map(() => Infinity);
	let turn = 0;
	const take = (until: number, turns: number): number => {
		const started = now();
		let done = 0;
		for (; done < turns || now() - started < until; done++, turn++) {
			for (let place = 0; place < runs.length; place++) {
				const at = (turn + place) % runs.length;
				const run = runs[at] as () => number;
				const first = run();
				const took = first < SHORT ? Math.min(...Array.from({ length: BURST }, run)) : first;
				shortest[at] = Math.min(shortest[at] as number, took);
			}
		}
		return done;
	};
	take(runs.length * warmUp, leastWarmUp);
	shortest.fill(Infinity);
	return { shortest, rounds: take(runs.length * milliseconds, least) };
}
