import { LimitExceeded, LIMITS, type LimitName, type Limits } from "../../fault/mod.ts";

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
	/** A call that has begun anew, and went by untold, does so no more. */
	told(): void;
}

/**
 * How much fuel a guest gets at a time, in instructions; when it is used up, the time is looked at. The largest portion lasts some 0.1 ms
 * where instructions are cheap, so that a guest which goes over to dear ones (10 ns each, say) still is not long out of sight.
 */
const FIRST_PORTION = 1_000;
const SMALLEST_PORTION = 100;
const LARGEST_PORTION = 200_000;
/**
 * No portion goes beyond a multiple of this. So the first check behind it asks for more, on every machine and in slices of any size: what is
 * used there is taken down, and is what counts if the guest then traps before its cell is written again.
 */
const MILESTONE: number = LARGEST_PORTION;
/** Milliseconds that a portion is to last, at least and at most. */
const SHORTEST_PORTION = 0.25;
const LONGEST_PORTION = 0.5;

/**
 * Milliseconds that a call takes at most to go by unclocked: reading the clock twice is a part of it that nobody needs. A guest whose
 * calls were so short is trusted for some calls more, which are charged like the last that was measured, and then measured again; one
 * that the watchdog finds in a call when it looks is longer, and its calls are clocked until they are short.
 */
const BRIEF = 0.005;
/** So many clocked calls in a row have to be that short. */
const PROOFS = 16;
/** Calls that go by unclocked between two that are measured: as many as fit into so many milliseconds, within bounds. */
const TRUSTED_TIME = 0.1;
const FEWEST_TRUSTED = 255;
const MOST_TRUSTED = 4095;
/** Milliseconds before its limit from which on they are clocked all the same. */
const NEAR = 2;
/** Budgets are counted in tenths of a millisecond, as in the cells of the flag. */
const TENTHS = 10;
/** A day, in milliseconds: the flag counts no further. */
export const LONGEST = 86_400_000;

/** No idle value of the word `call` comes after it. */
const NEVER = 0x3fff_ffff;

/**
 * What a call looks at that is to go by without telling anybody: the word `call`, as idle as it is between calls, has to lie in the
 * `LEASED_CALLS` values above `last`, and the word `attentive` has to be `attended`. `Schedule.lease` says when that is so.
 */
export class Lease {
	/** What the word is after the last of the calls. */
	last: number = NEVER;
	attended = 0;

	/** From now on, each call is told of. */
	end(): void {
		this.last = NEVER;
	}
}

/** Calls in a lease at most. */
export const LEASED_CALLS: number = MOST_TRUSTED;

/** As `Account.budget` has it, from milliseconds. */
function encodeBudget(cpu: number, wall: number): number {
	const budget = Math.min(cpu, wall);
	const doublings = wall < 2 * budget ? 0 : wall < 4 * budget ? 1 : wall < 8 * budget ? 2 : 3;
	// All 32 bits are used
	return budget > LONGEST ? 0 : (Math.ceil(budget * TENTHS) * 4 + doublings) | 0;
}

/** What the call of one sandbox has used, and what it may. Times are in milliseconds of `performance.now()`. */
export class Account {
	readonly guest: Accounted;
	readonly metering: Metering;
	readonly lease: Lease = new Lease();
	/** Whether each call of the host begins anew, as if `begin` had been called. */
	begins = false;
	/** Held the thread for so long, without what has passed since `since`. */
	cpu = 0;
	/** When the present stretch on the thread began. */
	since = 0;
	/** When the call has to be over; NaN until it has begun. */
	wallEnd: number = Number.NaN;
	/** A check of a guest has trapped: metering `trap`. */
	hit = false;
	/** The page that its guest's checks read from was protected while it held the thread: likewise. */
	struck = false;
	/** Portions of fuel it was given. */
	fuelGiven = 0;
	/** What is left of them while the guest does not hold the thread. */
	fuelLeft = 0;
	/** Unclocked calls that it may still make, which count downwards; with a wall limit not more than one from each `begin` on. */
	trusted = 0;
	/** What the word `attentive` of the flag was when it got to be trusted. */
	attended = 0;
	/**
	 * What an unclocked call may take, in tenths of a millisecond; 0: without end. In the two lowest bits, how often that can be doubled
	 * without going beyond the wall limit: so long it may last if the thread is kept from the processor.
	 */
	budget = 0;
	/** What `trusted` was when the unclocked calls before were charged. */
	#charged = 0;
	/** Unclocked calls that are handed out one by one. */
	#reserve = 0;
	/** Milliseconds that each of them took, by the last call that was measured. */
	#typical = 0;
	/** Clocked calls in a row that were short. */
	#proofs = 0;
	#portion: number = FIRST_PORTION;
	/** When it had been on the thread for so long, it got the last one; NaN before the first. */
	#refueled: number = Number.NaN;
	#cpuLimit = Infinity;
	#wallLimit = Infinity;
	#fuelLimit = Infinity;
	/** The next of the `MILESTONE`s, and what was used at the first check behind the one before. */
	#milestone = 0;
	#fuelNoted = 0;
	#app: string | undefined;
	/** `budget` of a call that has used nothing. */
	#wholeBudget = 0;

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
		this.#wholeBudget = encodeBudget(this.#cpuLimit, this.#wallLimit);
		this.#app = app;
	}

	/** A new call: nothing is used. */
	begin(): void {
		this.cpu = 0;
		this.wallEnd = Number.NaN;
		this.hit = this.struck = false;
		this.fuelGiven = 0;
		this.fuelLeft = 0;
		this.#milestone = 0;
		this.#fuelNoted = 0;
		this.#refueled = Number.NaN;
		if (this.#reserve > 0) {
			this.#reserve--;
			this.trusted = 1;
		}
		this.#charged = this.trusted;
		this.budget = this.#wholeBudget;
	}

	/** Calls that can be leased. Without `begins`, a wall limit has to be told when each of them is. */
	get leasable(): number {
		if (this.begins) return this.trusted + this.#reserve;
		return this.#wallLimit === Infinity ? this.trusted : 0;
	}

	/** What each of them may take, as `budget`. */
	get leaseBudget(): number {
		return this.begins ? this.#wholeBudget : this.budget;
	}

	/** So many leased calls were made. */
	leased(calls: number): void {
		if (calls === 0) return;
		if (!this.begins) {
			this.trusted -= calls;
			return;
		}
		const left = this.trusted + this.#reserve - calls;
		this.begin();
		const atOnce = this.#wallLimit === Infinity;
		this.#reserve = atOnce ? 0 : left;
		this.trusted = atOnce ? left : 0;
		// The last of them began anew, and counts.
		this.#charged = this.trusted + 1;
	}

	/** The guest gets the thread. */
	enter(now: number): void {
		this.since = now;
		if (Number.isNaN(this.wallEnd)) this.wallEnd = now + this.#wallLimit;
		if (this.#charged !== this.trusted) this.charge();
	}

	/** The unclocked calls since the last time count. */
	charge(): void {
		const left = Math.max(this.trusted, 0);
		this.cpu += (this.#charged - left) * this.#typical;
		this.trusted = this.#charged = left;
	}

	/**
	 * Of an unclocked call that needs a clock after all: when it began, as far as can be told.
	 * @param seen when the watchdog first saw it, if it did
	 */
	begunBriefly(now: number, seen: number | undefined): number {
		this.charge();
		if (seen === undefined) return now - this.#typical;
		this.#trust(0);
		this.#proofs = 0;
		return seen;
	}

	/**
	 * A call of the guest by the host took so long.
	 * @param attentive whether the watchdog looks often enough for calls that are not clocked: the word's value
	 * @returns true where that is what it takes
	 */
	measured(duration: number, attentive: number): boolean {
		this.charge();
		this.#typical = duration;
		if (duration > BRIEF || this.metering === "fuel") this.#proofs = 0;
		else if (this.#proofs < PROOFS) this.#proofs++;
		// Near its limit each of its calls is clocked.
		const trusts = this.#proofs === PROOFS && Math.min(this.#cpuLimit - this.cpu, this.#wallLimit) > NEAR;
		const fit = Math.min(Math.max(Math.floor(TRUSTED_TIME / duration), FEWEST_TRUSTED), MOST_TRUSTED);
		this.#trust(trusts && attentive > 0 ? fit : 0);
		this.attended = attentive;
		return trusts && attentive === 0;
	}

	#trust(calls: number): void {
		const atOnce = this.#wallLimit === Infinity;
		this.trusted = this.#charged = atOnce ? calls : 0;
		this.#reserve = atOnce ? 0 : calls;
		this.#setBudget();
	}

	#setBudget(): void {
		this.budget = encodeBudget(this.#cpuLimit - this.cpu, this.#wallLimit);
	}

	/**
	 * The guest has held the thread until now.
	 * @param stolen milliseconds of that in which the thread was kept from the processor
	 */
	settle(now: number, stolen: number): void {
		this.cpu += now - this.since - stolen;
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

	/** Of a guest that does not hold the thread: whether it has held it for as long as it may. */
	get spent(): LimitExceeded | undefined {
		return this.cpu >= this.#cpuLimit ? this.exceeded("cpu", this.#cpuLimit) : undefined;
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
		const used = this.fuelGiven - left;
		if (used > this.#milestone) {
			this.#fuelNoted = used;
			this.#milestone = (Math.floor(used / MILESTONE) + 1) * MILESTONE;
		}
		const given = Math.min(Math.max(this.fuelGiven + this.#portion, used), this.#milestone, this.#fuelLimit);
		const portion = given - this.fuelGiven;
		this.fuelGiven = given;
		return left + portion;
	}

	/**
	 * Instructions that it has used.
	 * @param left what is in its cell, which traps leave as it was last written
	 */
	fuelUsed(left: number): number {
		return Math.max(this.fuelGiven - left, this.#fuelNoted);
	}

	/** Whose guest it is. */
	get app(): string | undefined {
		return this.#app;
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
