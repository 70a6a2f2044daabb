/** Something whole that only has to be given to the kernel. */
export interface Parcel {
	/** Once. */
	deliver(): void;
}

/** Milliseconds that an answer may wait for others in any case. */
const HOLD = 1;
/** The same where its request has waited as long: more answers than fit into this are as good as sent together. */
const MOST_HOLD = 4;
/** What one request has taken counts a little less with each that follows. */
const FORGET = 63 / 64;

/**
 * Answers that are sent one right after the other, when all requests of a turn are answered. A client on another core that sleeps is woken
 * up once rather than for each, which takes longer than a small guest. An answer waits for those behind it for `HOLD` at most, or, up to
 * `MOST_HOLD`, for as long as its request had waited for those before it, which at most doubles what it takes, as far as can be foreseen: where
 * guests have taken longer of late, with their answer or after it, none waits.
 */
export class Outbox {
	#parcels: Parcel[] = [];
	/** When those who are being answered had asked, and when the last of them that was answered was done. */
	#asked = 0;
	#now = 0;
	/** When the request was begun whose answer is the first, and for how long that may wait. */
	#since = 0;
	#patience = HOLD;
	/** The longest time that a request has taken of late. */
	#longest = 0;

	/** What is answered from now on was asked by now, as `performance.now()` has it. */
	begin(now: number): void {
		this.#asked = this.#now = now;
	}

	add(parcel: Parcel): void {
		if (this.#parcels.push(parcel) === 1) {
			this.#since = this.#now;
			this.#patience = Math.min(Math.max(HOLD, this.#now - this.#asked), MOST_HOLD);
		}
		if (this.#longest > this.#patience) this.flush();
	}

	/** A request has held the thread until then, since it was begun or the one before was done; its answer may have been added meanwhile. */
	served(to: number): void {
		this.#longest = Math.max(to - this.#now, this.#longest * FORGET);
		this.#now = to;
		if (this.#parcels.length > 0 && to + this.#longest - this.#since > this.#patience) this.flush();
	}

	/** Sends everything at once. */
	flush(): void {
		const parcels = this.#parcels;
		if (parcels.length === 0) return;
		this.#parcels = [];
		for (const parcel of parcels) parcel.deliver();
	}
}
