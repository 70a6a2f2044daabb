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
	resolution(): bigint;
	/** Calls `wake` once, never before `when` nor before this returns. Returns the cancellation, which is idempotent. */
	at(when: bigint, wake: () => void): () => void;
}

/** The longest delay that timers take; longer waits are made of several. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;
const NS_PER_MS = 1_000_000n;

/** Counts from its creation, so that a guest does not learn how long the host has been up. */
export function createMonotonicClock(): MonotonicClock {
	const origin = process.hrtime.bigint();
	const now = (): bigint => process.hrtime.bigint() - origin;
	return {
		now,
		resolution: () => 1n,
		at(when, wake) {
			let timer: NodeJS.Timeout | undefined;
			const arm = (): void => {
				const left = when - now();
				// Timers may fire a little early, and cannot wait for longer than LONGEST_DELAY_MS: look again each time.
				if (left <= 0n && timer !== undefined) return wake();
				const ms = left <= 0n ? 0n : (left + NS_PER_MS - 1n) / NS_PER_MS;
				timer = setTimeout(arm, ms > BigInt(LONGEST_DELAY_MS) ? LONGEST_DELAY_MS : Number(ms));
			};
			arm();
			return () => clearTimeout(timer);
		},
	};
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
