/** Seconds and nanoseconds since 1970-01-01T00:00:00Z. */
export interface WallTime {
	readonly seconds: bigint;
	readonly nanoseconds: number;
}

export interface WallClock {
	now(): WallTime;
	resolution(): WallTime;
}

/** Nanoseconds from an origin of its own; never goes back. */
export interface MonotonicClock {
	now(): bigint;
	/** What `now` gives, not rounded, as a number: quicker to have. Only where a double holds it. */
	reading?(): number;
	resolution(): bigint;
	/** Calls `wake` once, never before `when` nor before this returns. Returns the cancellation, which is idempotent. */
	at(when: bigint, wake: () => void): () => void;
}

/** The longest delay that timers take; longer waits are made of several. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;
const NS_PER_MS = 1_000_000;

/** Milliseconds; bound, for V8 then calls what reads the clock without looking for it. */
const milliseconds: () => number = performance.now.bind(performance);

/** Counts from its creation, so that a guest does not learn how long the host has been up. */
export function createMonotonicClock(): MonotonicClock {
	return new SystemMonotonicClock();
}

class SystemMonotonicClock implements MonotonicClock {
	readonly #origin = milliseconds();

	now(): bigint {
		return BigInt(Math.floor(this.reading()));
	}

	/** Nanoseconds are exact for the first hundred days of a process, and ten times as coarse in the next years. */
	reading(): number {
		return (milliseconds() - this.#origin) * NS_PER_MS;
	}

	resolution(): bigint {
		return 1n;
	}

	at(when: bigint, wake: () => void): () => void {
		let timer: NodeJS.Timeout | undefined;
		const arm = (): void => {
			const left = when - this.now();
			// Timers may fire a little early, and cannot wait for longer than LONGEST_DELAY_MS: look again each time.
			if (left <= 0n && timer !== undefined) return wake();
			const ms = left <= 0n ? 0n : (left + BigInt(NS_PER_MS) - 1n) / BigInt(NS_PER_MS);
			timer = setTimeout(arm, ms > BigInt(LONGEST_DELAY_MS) ? LONGEST_DELAY_MS : Number(ms));
		};
		arm();
		return () => clearTimeout(timer);
	}
}

export function createWallClock(): WallClock {
	return {
		// Not `performance.now()`, finer though it is: it does not follow adjustments of the system's clock.
		now() {
			const ms = Date.now();
			return { seconds: BigInt(Math.floor(ms / 1000)), nanoseconds: (ms % 1000) * 1_000_000 };
		},
		resolution: () => ({ seconds: 0n, nanoseconds: 1_000_000 }),
	};
}
