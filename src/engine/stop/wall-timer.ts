import { type Account, LONGEST } from "./account.ts";

/** Node's timers keep the process alive, or not; a browser's are numbers. */
interface Timer {
	ref?(): unknown;
	unref?(): unknown;
}

const clock: () => number = performance.now.bind(performance);

/** Ends guests that wait for the host at their wall limit: they do not hold the thread, so that nobody else looks at it. */
export class WallTimer {
	readonly #waiting = new Set<Account>();
	#timer: Timer | undefined;
	/** When it rings. */
	#end = Infinity;

	/** One of the account's guests waits; it has a wall limit. */
	add(account: Account): void {
		this.#waiting.add(account);
		if (account.wallEnd < this.#end) this.#arm(account.wallEnd);
		else if (this.#waiting.size === 1) this.#timer?.ref?.();
	}

	/** None of the account's guests waits any more. */
	remove(account: Account): void {
		// A timer that nobody needs does no harm, and may be needed again soon; only the process must not stay for it.
		if (this.#waiting.delete(account) && this.#waiting.size === 0) this.#timer?.unref?.();
	}

	#arm(end: number): void {
		clearTimeout(this.#timer as NodeJS.Timeout | undefined);
		this.#end = end;
		this.#timer = setTimeout(this.#ring, Math.min(end - clock() + 1, LONGEST));
	}

	readonly #ring = (): void => {
		this.#end = Infinity;
		const now = clock();
		let next = Infinity;
		for (const account of this.#waiting) {
			const overdue = account.overdue(now);
			if (overdue === undefined) next = Math.min(next, account.wallEnd);
			else {
				this.#waiting.delete(account);
				account.guest.fail(overdue);
			}
		}
		if (next < this.#end) this.#arm(next);
	};
}
