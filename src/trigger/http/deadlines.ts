/** Something that must be over a certain time after it began. */
export interface Expiring {
	/** When it began, as `performance.now()` has it. */
	readonly started: number;
	/** For the deadlines that it is watched by: those that began next before and next after it. */
	before: Expiring | undefined;
	after: Expiring | undefined;
	/** It took too long. It is no longer watched. */
	expire(): void;
}

/**
 * One limit on the time of many things. As all may take equally long, the first that began is the first that is due: one timer
 * serves all, and what ends in time costs neither a timer nor its cancellation.
 */
export class Deadlines {
	readonly #limit: number;
	/** In the order in which they began, linked with each other: a set would be made anew every few requests. */
	#first: Expiring | undefined;
	#last: Expiring | undefined;
	#armed = false;

	/** @param limit milliseconds */
	constructor(limit: number) {
		this.#limit = limit;
	}

	/** Each of what is added must have begun after what was added before. */
	add(running: Expiring): void {
		const last = this.#last;
		this.#last = running;
		running.before = last;
		if (last === undefined) this.#first = running;
		else last.after = running;
		if (!this.#armed) this.#arm(this.#limit);
	}

	/** It is over. Idempotent. */
	delete(running: Expiring): void {
		const { before, after } = running;
		if (before === undefined && this.#first !== running) return;
		if (before === undefined) this.#first = after;
		else before.after = after;
		if (after === undefined) this.#last = before;
		else after.before = before;
		running.before = undefined;
		running.after = undefined;
	}

	#arm(milliseconds: number): void {
		this.#armed = true;
		// Who waits for a deadline is kept alive by what it is about, not by this.
		setTimeout(() => this.#check(), milliseconds).unref();
	}

	#check(): void {
		const now = performance.now();
		for (let running = this.#first; running !== undefined; running = this.#first) {
			const left = running.started + this.#limit - now;
			if (left > 0) {
				this.#arm(Math.ceil(left));
				return;
			}
			this.delete(running);
			running.expire();
		}
		this.#armed = false;
	}
}
