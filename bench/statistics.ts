/** The middle value; the mean of the middle two when their number is even. NaN when there is none. */
export function median(values: readonly number[]): number {
	const sorted = values.toSorted((a, b) => a - b);
	const middle = sorted.length / 2;
	const upper = sorted[Math.floor(middle)] ?? Number.NaN;
	return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper;
}

/** A figure that was measured in several rounds. */
export interface Spread {
	readonly median: number;
	readonly min: number;
	readonly max: number;
	/** In the order of measurement. */
	readonly rounds: readonly number[];
}

export function toSpread(rounds: readonly number[]): Spread {
	return { median: median(rounds), min: Math.min(...rounds), max: Math.max(...rounds), rounds };
}

/** A figure that was measured very often. */
export interface Quantiles {
	readonly median: number;
	/** 99 of 100 are not above. */
	readonly p99: number;
}

export function toQuantiles(values: Iterable<number>): Quantiles {
	const sorted = Float64Array.from(values).sort();
	return { median: median([...sorted]), p99: sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN };
}
