import { LimitExceeded, LIMITS, type LimitName, type Limits } from "../fault/mod.ts";

/** How guests are interrupted: see `RewriteOptions`. */
export type Metering = "off" | "trap" | "yield" | "fuel";

export interface AccountOptions {
	/** Of these `cpu`, `wall`, `fuel` and `hostCalls`. What is left out is not limited here. */
	readonly limits?: Limits;
	/** Whose limits they are, for errors. */
	readonly app?: string;
	/** As the guest's modules were rewritten; `trap` by default. */
	readonly metering?: Metering;
}

/** What an account's guest is asked and told. */
export interface Accounted {
	/** Whether it is to trap, whatever its account says. */
	readonly failed: boolean;
	fail(reason: unknown): void;
	/** Suspends the guest that is on the stack until it is its turn again. */
	pause(): Promise<number>;
}

/**
 * How much fuel a guest gets at a time, in instructions; when it is used up, the time is looked at. The largest portion lasts some 0.1 ms
 * where instructions are cheap, so that a guest which goes over to dear ones (10 ns each, say) still is not long out of sight.
 */
const FIRST_PORTION = 1_000;
const SMALLEST_PORTION = 100;
const LARGEST_PORTION = 200_000;
/** Milliseconds that a portion is to last, at least and at most. */
const SHORTEST_PORTION = 0.25;
const LONGEST_PORTION = 0.5;

/** What the call of one sandbox has used, and what it may. Times are in milliseconds of `performance.now()`. */
export class Account {
	readonly guest: Accounted;
	readonly metering: Metering;
	/** Held the thread for so long, without what has passed since `since`. */
	cpu = 0;
	/** When the present stretch on the thread began. */
	since = 0;
	/** When the call has to be over; NaN until it has begun. */
	wallEnd: number = Number.NaN;
	/** A check of a guest has trapped: metering `trap`. */
	hit = false;
	/** Portions of fuel it was given. */
	fuelGiven = 0;
	/** What is left of them while the guest does not hold the thread. */
	fuelLeft = 0;
	#portion: number = FIRST_PORTION;
	/** When it had been on the thread for so long, it got the last one; NaN before the first. */
	#refueled: number = Number.NaN;
	#cpuLimit = Infinity;
	#wallLimit = Infinity;
	#fuelLimit = Infinity;
	#app: string | undefined;

	constructor(guest: Accounted, { metering = "trap", ...options }: AccountOptions) {
		this.guest = guest;
		this.metering = metering;
		this.adopt(options);
	}

	/** From the next `begin` on, the calls are of another app. */
	adopt({ limits = {}, app }: Omit<AccountOptions, "metering">): void {
		this.#cpuLimit = limits.cpu ?? Infinity;
		this.#wallLimit = limits.wall ?? Infinity;
		this.#fuelLimit = limits.fuel ?? Infinity;
		this.#app = app;
	}

	/** A new call: nothing is used. */
	begin(): void {
		this.cpu = 0;
		this.wallEnd = Number.NaN;
		this.hit = false;
		this.fuelGiven = 0;
		this.fuelLeft = 0;
		this.#refueled = Number.NaN;
	}

	/** The guest gets the thread. */
	enter(now: number): void {
		this.since = now;
		if (Number.isNaN(this.wallEnd)) this.wallEnd = now + this.#wallLimit;
	}

	/** The guest has held the thread until now. */
	settle(now: number): void {
		this.cpu += now - this.since;
		this.since = now;
	}

	/** When the guest is to be ended if it holds the thread until then. */
	get deadline(): number {
		return Math.min(this.since + this.#cpuLimit - this.cpu, this.wallEnd);
	}

	/** The limit of time that was reached by then; `undefined` when none was. After `settle`. */
	overdue(now: number): LimitExceeded | undefined {
		if (this.cpu >= this.#cpuLimit) return this.exceeded("cpu", this.#cpuLimit);
		return now >= this.wallEnd ? this.exceeded("wall", this.#wallLimit) : undefined;
	}

	/** For a guest that was stopped by the watchdog, whose clock may be a few microseconds ahead: the limit of time that it is nearest to. */
	nearest(now: number): LimitExceeded {
		return this.#cpuLimit - this.cpu <= this.wallEnd - now
			? this.exceeded("cpu", this.#cpuLimit)
			: this.exceeded("wall", this.#wallLimit);
	}

	/**
	 * More fuel for a guest that has less than none left. After `settle`.
	 * @returns what it has then; negative: it has used more than its limit
	 */
	refuel(left: number): number {
		const lasted = this.cpu - this.#refueled;
		this.#refueled = this.cpu;
		if (lasted > LONGEST_PORTION) this.#portion = Math.max(this.#portion / 2, SMALLEST_PORTION) | 0;
		else if (lasted < SHORTEST_PORTION) this.#portion = Math.min(this.#portion * 2, LARGEST_PORTION);
		const portion = Math.min(Math.max(this.#portion, -left), this.#fuelLimit - this.fuelGiven);
		this.fuelGiven += portion;
		return left + portion;
	}

	get outOfFuel(): LimitExceeded {
		return this.exceeded("fuel", this.#fuelLimit);
	}

	exceeded(limit: LimitName, allowed: number): LimitExceeded {
		return new LimitExceeded(limit, allowed, this.#app);
	}
}

/** As many calls of the host as the limit allows, as a number that V8 counts down quickly. */
export function countedCalls(limits: Limits = {}): number {
	return Math.min(limits.hostCalls ?? LIMITS.hostCalls.default, MOST_CALLS);
}

/** 2^31 - 1: above that, numbers are objects of V8's. */
const MOST_CALLS = 0x7fff_ffff;
