/** Seconds that must bring nothing more until a server counts as warm: of a compiler's tiers, the last takes some until it begins. */
const SETTLED = 3;
/** What a second must bring to count as quicker, over the best before it. */
export const RISE = 1.05;

/** How a server became warm. */
export interface WarmUp {
	/** Requests in each second from the first on, and no more than were needed. */
	readonly rates: readonly number[];
	/** It had stopped to become quicker when the rounds began. */
	readonly settled: boolean;
}

/** Whether requests per second, one figure for each second from the first on, rise no longer. */
export function isWarm(rates: readonly number[]): boolean {
	const before = rates.slice(0, -SETTLED);
	return before.length > 0 && Math.max(...rates.slice(-SETTLED)) <= RISE * Math.max(...before);
}

/**
 * Loads a server second by second until it is warm, or for `maximum` seconds.
 * @param second puts it under load for one, and gives the requests per second
 */
export async function warmUp(maximum: number, second: () => Promise<number>): Promise<WarmUp> {
	const rates: number[] = [];
	while (rates.length < maximum && !isWarm(rates)) rates.push(await second());
	return { rates, settled: isWarm(rates) };
}
