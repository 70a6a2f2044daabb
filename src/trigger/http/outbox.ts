/** Something whole that only has to be given to the kernel. */
export interface Parcel {
	/** When what it answers arrived, as `performance.now()` has it. */
	readonly arrived: number;
	/** Once. */
	deliver(): void;
}

/** Milliseconds that an answer may wait for others. */
const HOLD = 1;
/** What one request has taken counts a little less with each that follows. */
const FORGET = 63 / 64;

/**
 * Answers that are sent one right after the other, when all requests of a turn are answered. A client on another core that sleeps is woken
 * up once rather than for each, which takes longer than a small guest. An answer waits for those behind it for `HOLD` at most, as far as can
 * be foreseen: where guests have taken longer of late, none waits.
 */
export class Outbox {
	#parcels: Parcel[] = [];
	/** When the first of them was added. */
	#since = 0;
	/** The longest time that a request has taken of late. */
	#longest = 0;

	add(parcel: Parcel): void {
		const now = performance.now();
		this.#longest = Math.max(now - parcel.arrived, this.#longest * FORGET);
		if (this.#parcels.push(parcel) === 1) this.#since = now;
		if (now + this.#longest - this.#since > HOLD) this.flush();
	}

	/** Sends everything at once. */
	flush(): void {
		const parcels = this.#parcels;
		if (parcels.length === 0) return;
		this.#parcels = [];
		for (const parcel of parcels) parcel.deliver();
	}
}
