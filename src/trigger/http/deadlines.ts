/** Something that must be over a certain time after it began. */
export interface Expiring {
	/** When it began, as `performance.now()` has it. */
	readonly started: number;
	/** It took too long. It is no longer watched. */
	expire(): void;
}

/**
 * One limit on the time of many things. As all may take equally long, the first that began is the first that is due: one timer
 * serves all, and what ends in time costs neither a timer nor its cancellation.
 */
export class Deadlines {
	readonly #limit: number;
	/** In the order in which they began. */
	readonly #running = new Set<Expiring>();
	#armed = false;

	/** @param limit milliseconds */
	constructor(limit: number) {
		this.#limit = limit;
	}

	/** Each of what is added must have begun after what was added before. */
	add(running: Expiring): void {
		this.#running.add(running);
		if (!this.#armed) this.#arm(this.#limit);
	}

	/** It is over. */
	delete(running: Expiring): void {
		this.#running.delete(running);
	}

	#arm(milliseconds: number): void {
		this.#armed = true;
		// Who waits for a deadline is kept alive by what it is about, not by this.
		setTimeout(() => this.#check(), milliseconds).unref();
	}

	#check(): void {
		const now = performance.now();
		for (const running of this.#running) {
			const left = running.started + this.#limit - now;
			if (left > 0) {
				this.#arm(Math.ceil(left));
				return;
			}
			this.#running.delete(running);
			running.expire();
		}
		this.#armed = false;
	}
}
