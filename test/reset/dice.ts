/** Small, fast, reproducible: the same seed gives the same program on every machine. (mulberry32) */
export class Dice {
	#state: number;

	constructor(seed: number) {
		this.#state = seed >>> 0;
	}

	/** 32 random bits. */
	bits(): number {
		this.#state = (this.#state + 0x6d2b79f5) >>> 0;
		let t = this.#state;
		t = Math.imul(t ^ (t >>> 15), t | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return (t ^ (t >>> 14)) >>> 0;
	}

	/** 0 to `end` − 1. */
	below(end: number): number {
		return this.bits() % end;
	}

	/** True once in `n` times. */
	oneIn(n: number): boolean {
		return this.below(n) === 0;
	}

	pick<T>(of: readonly T[]): T {
		return of[this.below(of.length)] as T;
	}

	/** `count` values. */
	times<T>(count: number, make: (i: number) => T): T[] {
		return Array.from({ length: count }, (_, i) => make(i));
	}
}
