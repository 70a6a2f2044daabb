/** Something whole that only has to be given to the kernel. */
export interface Parcel {
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
 * be foreseen: where guests have taken longer of late, with their answer or after it, none waits.
 */
export class Outbox {
	#parcels: Parcel[] = [];
	/** When the request was begun whose answer is the first. */
	#since: number | undefined;
	/** The longest time that a request has taken of late. */
	#longest = 0;

	add(parcel: Parcel): void {
		this.#parcels.push(parcel);
		if (this.#longest > HOLD) this.flush();
	}

	/** A request held the thread from then to then, as `performance.now()` has it; its answer may have been added meanwhile. */
	served(from: number, to: number): void {
		this.#longest = Math.max(to - from, this.#longest * FORGET);
		if (this.#parcels.length === 0) return;
		this.#since ??= from;
		if (to + this.#longest - this.#since > HOLD) this.flush();
	}

	/** Sends everything at once. */
	flush(): void {
		const parcels = this.#parcels;
		if (parcels.length === 0) return;
		this.#parcels = [];
		this.#since = undefined;
		for (const parcel of parcels) parcel.deliver();
	}
}
