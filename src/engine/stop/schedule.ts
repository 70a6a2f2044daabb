import { type Account, LONGEST } from "./account.ts";
import {
	ATTENTIVE_WORD,
	BUDGET_WORD,
	CALL_WORD,
	ENTRY_WORD,
	type InterruptFlag,
	interruptFlag,
	NUMBER_MASK,
	NUMBER_SHIFT,
	SEEN_WORD,
} from "./flag.ts";
import { PausedGuests } from "./paused-guests.ts";
import { WallTimer } from "./wall-timer.ts";

// V8 takes a constant of the module itself for one, and looks one of another module up each time.
const ENTRY = ENTRY_WORD;
const CALL = CALL_WORD;
const BUDGET = BUDGET_WORD;
const SEEN = SEEN_WORD;
const ATTENTIVE = ATTENTIVE_WORD;
const MASK = NUMBER_MASK;
const SHIFT = NUMBER_SHIFT;

/**
 * Milliseconds that a guest may hold the thread at a stretch when it can give it to others: some of these make a delay that one notices,
 * and where other processes want the processor each lasts twice as long. Giving it up costs a hundredth of that.
 */
const SLICE = 3;

/** So many calls could have done without a clock before the watchdog is asked to look more often. */
const REQUESTS = 16;

/** Arguments for `Reflect.apply`, whose callee V8 does not put into the caller: what is seldom called would be in the way there. */
const NOTHING: readonly never[] = [];

/** Milliseconds that the shortest call counts for: what it takes to call WebAssembly. */
const LEAST = 0.00001;

/** What `poll` answers, and `pause` but for the last. */
const GO_ON = 0;
const TRAP = 1;
const PAUSE = 2;

/** In place of a ticket: the guest is to end. */
export const ENDED = -1;

const clock: () => number = performance.now.bind(performance);

/** The flag counts no further than a day. */
const within = (end: number, now: number): number => (end - now > LONGEST ? Infinity : end);

function timeClock(): number {
	let least = Infinity;
	for (let i = 0; i < 100; i++) least = Math.min(least, -clock() + clock());
	return Math.max(least, 0);
}

/**
 * Who holds this thread, for how long, and who is next. Told by the gates whenever guest code begins or ends to hold the thread;
 * asked by guests that found the flag raised or their fuel used up.
 */
export class Schedule {
	readonly #flag: InterruptFlag = interruptFlag();
	readonly #words: Int32Array = interruptFlag().words;
	#current: Account | undefined;
	/** Whether the stack of the guest that runs can be suspended: the host called it as `promising`, and nothing of the host is above that. */
	#suspendable = false;
	/** Who is to hold the thread, clocked: what `holdClocked` is told. */
	#entering: Account | undefined;
	/** When the call by the host that is clocked began. */
	#heldSince = 0;
	/** Whose calls by the host go by untold, and the number that was before the first of them. */
	#leased: Account | undefined;
	#leasedAfter = 0;
	/** Milliseconds between two readings of the clock, one right after the other. */
	readonly #clockTakes: number = timeClock();
	/** Calls of trusted guests that were clocked because the watchdog does not look often enough. */
	#unattended = 0;
	/** When the guest that runs has had its slice. */
	#sliceEnd = 0;
	readonly #paused = new PausedGuests();
	readonly #wallTimer = new WallTimer();

	/** Whose guest holds the thread: to be handed to `leave` by who enters another. */
	get current(): Account | undefined {
		if (this.#leased !== undefined) this.#endLease();
		return this.#current;
	}

	get suspendable(): boolean {
		return this.#suspendable;
	}

	/** A guest is about to run. Costs nothing where one of the same account runs already. */
	enter(account: Account, suspendable: boolean): void {
		if (this.#leased !== undefined) this.#endLease();
		this.#suspendable = suspendable;
		if (this.#current !== account) this.#switch(account);
	}

	/** The guest has returned, or was suspended; who had called it is as it was. */
	leave(outer: Account | undefined, suspendable: boolean): void {
		this.#suspendable = suspendable;
		if (this.#current !== outer) this.#switch(outer);
	}

	/**
	 * The host calls a guest, which holds the thread until `release` whatever else is called in between. False where a guest holds it
	 * already, and no `release` is to follow. Guests whose calls are shorter than it takes to read a clock are not clocked.
	 */
	hold(account: Account): boolean {
		// Small enough for V8 to put it into its callers, and all that such a call costs.
		if (this.#leased !== undefined) this.#endLease();
		if (this.#current !== undefined) return false;
		const words = this.#words;
		if (account.trusted > 0 && account.attended === words[ATTENTIVE]) {
			account.trusted--;
			this.#current = account;
			const flag = this.#flag;
			const number = (flag.number & MASK) + 1;
			flag.number = number;
			words[BUDGET] = account.budget;
			words[ENTRY] = number << SHIFT;
			words[CALL] = number;
		} else {
			this.#entering = account;
			Reflect.apply(this.#holdClocked, undefined, NOTHING);
		}
		return true;
	}

	readonly #holdClocked = (): void => {
		this.#suspendable = false;
		this.#switch(this.#entering);
		this.#entering = undefined;
		// What comes before the guest is not what a call takes that is not clocked.
		this.#heldSince = clock();
	};

	release(): void {
		const words = this.#words;
		const { number } = this.#flag;
		if (words[CALL] === number && words[SEEN] !== number) {
			words[CALL] = -number;
			this.#current = undefined;
		} else Reflect.apply(this.#releaseClocked, undefined, NOTHING);
	}

	/**
	 * The host has called the account's guest, and is done with it. If it is trusted, its next calls go by untold: each makes the word
	 * `call` from what it was, -n, to n + 1 while it lasts and to -(n + 1) after it, and writes that number into `entry`. Where it finds
	 * another `call` then, or its own number in `seen`, it is to be released like any other. Whoever else asks the schedule for anything
	 * ends that.
	 */
	lease(account: Account): void {
		const words = this.#words;
		const calls = account.leasable;
		if (calls <= 0 || this.#current !== undefined || this.#leased !== undefined) return;
		if (account.attended !== words[ATTENTIVE]) return;
		const { number } = this.#flag;
		const after = number > MASK - calls ? 1 : number;
		words[BUDGET] = account.leaseBudget;
		words[CALL] = -after;
		account.lease.attended = account.attended;
		account.lease.last = -after - calls;
		this.#leasedAfter = after;
		this.#leased = account;
	}

	/** The account's calls are told of again. */
	endLease(account: Account): void {
		if (this.#leased === account) this.#endLease();
	}

	#endLease(): void {
		const account = this.#leased;
		if (account === undefined) return;
		this.#leased = undefined;
		account.lease.end();
		const call = this.#words[CALL] as number;
		const number = Math.abs(call);
		account.leased(number - this.#leasedAfter);
		this.#flag.number = number;
		if (call <= 0) return;
		// One is under way: from now on, it is clocked, and has its own cells.
		this.#note(account);
		this.#current = account;
		this.#suspendable = false;
		this.#clock(account, clock());
		if (account.begins) account.guest.told();
	}

	readonly #releaseClocked = (): void => {
		if (this.#leased !== undefined) this.#endLease();
		const account = this.#current;
		if (account === undefined) return;
		this.#suspendable = false;
		this.#switch(undefined);
		const took = Math.max(account.since - this.#heldSince - this.#clockTakes, LEAST);
		const asks = account.measured(took, this.#words[ATTENTIVE] as number);
		if (!asks || ++this.#unattended < REQUESTS) return;
		this.#unattended = 0;
		this.#flag.attend();
	};

	/** If nobody clocks the call that has the thread, it is clocked from now on. */
	#clock(account: Account, now: number): void {
		const words = this.#words;
		const { number } = this.#flag;
		if (words[CALL] !== number) return;
		words[CALL] = -number;
		const seen = words[SEEN] === number ? this.#flag.seenAt(now) : undefined;
		account.enter(account.begunBriefly(now, seen));
		this.#heldSince = account.since;
		this.#grant(account, now);
	}

	/** A guest that was resumed has come to its end. Others may have run since. */
	finish(account: Account): void {
		if (this.#current === account) this.leave(undefined, false);
	}

	#switch(to: Account | undefined): void {
		const now = clock();
		const from = this.#current;
		if (from !== undefined) {
			this.#note(from);
			this.#settle(from, now);
			this.#flag.change();
			if (from.metering === "fuel") from.fuelLeft = this.#flag.fuel;
		}
		this.#current = to;
		if (to === undefined) {
			this.#flag.leave();
			return;
		}
		to.enter(now);
		if (to.metering === "fuel") this.#flag.fuel = to.fuelLeft;
		this.#grant(to, now);
	}

	/** The guest may run for a slice, or to its deadline. Lowers the flag. */
	#grant(account: Account, now: number): void {
		this.#sliceEnd = now + SLICE;
		const { deadline, metering } = account;
		if (metering === "yield" || metering === "fuel") {
			const until = Math.min(deadline, this.#sliceEnd);
			this.#flag.enter(until, until, false);
		} else this.#flag.enter(within(deadline, now), within(account.wallEnd, now), metering === "trap");
	}

	/** Nothing is to be looked at when a guest calls the host: `overdue` would say nothing, and change nothing. */
	get calm(): boolean {
		return this.#leased === undefined && !this.#flag.raised;
	}

	/** Asked when a guest calls the host. Why it is to be stopped here; `undefined` when it is not. */
	overdue(account: Account): unknown {
		if (this.#leased !== undefined) this.#endLease();
		if (!this.#flag.raised) return undefined;
		const now = clock();
		if (this.#current === account) this.#settle(account, now);
		return account.overdue(now);
	}

	/** Asked when a guest has trapped in `unreachable`: why, if that was a check of its own. */
	takeHit(account: Account): unknown {
		if (this.#leased !== undefined) this.#endLease();
		const now = clock();
		if (this.#current === account) {
			// What is clocked from now on has its own cells.
			this.#note(account);
			this.#settle(account, now);
		}
		if (!account.hit) return undefined;
		account.hit = false;
		return account.overdue(now) ?? account.nearest(now);
	}

	/**
	 * Asked when a guest has trapped because it read from where it must not: why, if that was the page of checks.
	 * @param isOwn whether an instruction of the guest's own has done it; where that is not known, it is the page's doing while that is
	 *   protected, as the guest's time is over then
	 */
	takeStrike(account: Account, isOwn: boolean | undefined): unknown {
		if (isOwn === true) return undefined;
		if (this.#leased !== undefined) this.#endLease();
		const now = clock();
		if (this.#current === account) {
			this.#note(account);
			this.#settle(account, now);
		}
		const struck = account.struck || isOwn === false;
		account.struck = false;
		return struck ? (account.overdue(now) ?? account.nearest(now)) : undefined;
	}

	/** What has come of the cells while the account's guest held the thread, which others are to find as they were. */
	#note(account: Account): void {
		if (this.#flag.takeHit()) account.hit = true;
		if (this.#flag.isProtected) account.struck = true;
	}

	/**
	 * Whether the guest that runs has so many milliseconds left. If not, it is to end now: it is about to do what cannot be interrupted, and
	 * would only end later.
	 */
	affords(time: number): boolean {
		const account = this.current;
		if (account === undefined || this.left() >= time) return true;
		account.guest.fail(account.nearest(clock()));
		this.#flag.raise();
		return false;
	}

	/**
	 * What has passed since `affords` or `left` was asked was done for the guest that runs, by other threads, too (V8's, which collect
	 * garbage): it has not been kept from the processor, and is charged for all of it.
	 * @returns whether it has any time left. If not, it is to end now
	 */
	charge(): boolean {
		const account = this.current;
		if (account === undefined || account.metering === "off") return true;
		this.#flag.sample(clock());
		if (!this.affords(0)) return false;
		// Where the watchdog takes that for time that others were given, too, it is to count from here.
		if (account.metering === "trap") this.#grant(account, clock());
		return true;
	}

	/** Milliseconds until the guest that runs is to be ended; Infinity for one that is not. */
	left(): number {
		const account = this.current;
		if (account === undefined || account.metering === "off") return Infinity;
		const now = clock();
		this.#settle(account, now);
		return account.deadline - now;
	}

	/** Instructions that the account's guest has used. */
	fuelUsed(account: Account): number {
		const left = this.#current === account && account.metering === "fuel" ? this.#flag.fuel : account.fuelLeft;
		return account.fuelUsed(left);
	}

	/** Milliseconds that the account's guest has held the thread. */
	cpuUsed(account: Account): number {
		if (this.#leased !== undefined) this.#endLease();
		if (this.#current === account) this.#settle(account, clock());
		else account.charge();
		return account.cpu;
	}

	#settle(account: Account, now: number): void {
		// Of the stretch as it is before it is clocked
		const stolen = this.#flag.stolen(account.since, now);
		this.#clock(account, now);
		account.settle(now, stolen);
	}

	/** A guest found the flag raised, or its fuel used up. */
	poll(): number {
		const account = this.current;
		// Nobody answers for it.
		if (account === undefined) return TRAP;
		const now = clock();
		const { guest, metering } = account;
		this.#settle(account, now);
		const overdue = account.overdue(now);
		if (overdue !== undefined) guest.fail(overdue);
		else if (metering === "fuel") {
			const { fuel } = this.#flag;
			const left = fuel < 0 ? account.refuel(fuel) : fuel;
			this.#flag.fuel = left;
			if (left < 0) guest.fail(account.outOfFuel);
		}
		// The watchdog's clock may be a few microseconds ahead.
		const sliceOver = this.#flag.raised || now >= this.#sliceEnd;
		if (sliceOver) {
			if (!this.#flag.sampled) this.#flag.sample(now);
			this.#grant(account, now);
		}
		if (guest.failed) return TRAP;
		return sliceOver && this.#suspendable ? PAUSE : GO_ON;
	}

	/** Suspends the guest that runs, which `poll` found can be. The promise is of a ticket for `resumed`. */
	pause(): Promise<number> {
		const account = this.#current;
		if (account === undefined) return Promise.resolve(ENDED);
		this.leave(undefined, false);
		return account.guest.pause();
	}

	/**
	 * Has a guest that was suspended run again when it is its turn: see `PausedGuests`.
	 * @param settle what it waits for; told a ticket
	 * @param isThere whether it is still to be resumed
	 */
	queue(account: Account, isThere: () => boolean, settle: (ticket: number) => void): void {
		this.#paused.add(account, isThere, settle);
	}

	/** The first that a guest does when it runs again. */
	resumed(ticket: number): number {
		const account = this.#paused.take(ticket);
		if (account === undefined) return TRAP;
		this.enter(account, true);
		// It had its slice, and is likely to use this one up.
		this.#flag.sample(account.since);
		return account.guest.failed ? TRAP : GO_ON;
	}

	/** The account's guest waits for the host: from now on, somebody else has to look at its wall limit. */
	wait(account: Account): void {
		if (this.#leased !== undefined) this.#endLease();
		// Its call may have gone by unclocked.
		if (Number.isNaN(account.wallEnd)) account.enter(clock());
		if (account.wallEnd !== Infinity) this.#wallTimer.add(account);
	}

	/** None of the account's guests waits any more. */
	resume(account: Account): void {
		this.#wallTimer.remove(account);
	}
}

let schedule: Schedule | undefined;

/** The schedule of this thread. */
export function threadSchedule(): Schedule {
	return (schedule ??= new Schedule());
}
