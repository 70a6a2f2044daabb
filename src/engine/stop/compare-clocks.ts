/** Milliseconds between two readings of a clock that are close enough for what is read in between. */
const CLOSE = 0.01;
/** Where they never are, the closest of so many count. */
const READINGS = 1_000;

/**
 * How far one clock is ahead of another, in milliseconds. A thread that loses the processor between two readings sees all of that time
 * in the second one: such pairs do not count.
 */
export function compareClocks(ahead: () => number, behind: () => number): number {
	let difference = Number.NaN;
	let closest = Infinity;
	for (let i = 0; i < READINGS && closest > CLOSE; i++) {
		const before = ahead();
		const between = behind();
		const apart = ahead() - before;
		if (apart >= closest) continue;
		closest = apart;
		difference = before + apart / 2 - between;
	}
	return difference;
}
