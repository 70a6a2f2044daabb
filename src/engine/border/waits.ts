import { type CoreValue, Parked, type ParkedListener } from "../../abi/mod.ts";
import type { Account } from "../stop/account.ts";
import { ENDED, type Schedule } from "../stop/schedule.ts";
import { hostFault } from "../v8/traps.ts";

interface Waiter {
	settle: (ticket: number) => void;
	/** Where it is among all; negative when it has been told. */
	at: number;
}

const TICKET_MASK = 0x3fff_ffff;
const NOWHERE = -1;

/**
 * The waits of one sandbox's guests. Each is a promise of a ticket on which V8 has suspended a guest's stack. It never rejects, for the
 * guest could catch that: a wait that is over for good gives `ENDED`, on which the trampoline traps.
 */
export class Waits {
	readonly #schedule: Schedule;
	readonly #account: Account;
	/** An array, as a set has V8 give each a hash. */
	readonly #waiters: Waiter[] = [];
	/** What the host has brought, by ticket, until the guest runs again. */
	readonly #results = new Map<number, CoreValue | undefined>();
	/** One that has been told, for the next wait. */
	#spare: ResultWaiter | null = null;
	/** The one that came first, which mostly is the only one. */
	#ticket = ENDED;
	#result: CoreValue | undefined;
	#nextTicket = 0;
	/** The end that the schedule looks at; NaN while it need not look. */
	#wallEnd: number = Number.NaN;

	constructor(schedule: Schedule, account: Account) {
		this.#schedule = schedule;
		this.#account = account;
	}

	/** The guest leaves the thread until the host has brought `result`, and then `take`s it. Should it fail, the guest does. */
	suspend(result: PromiseLike<CoreValue | undefined> | undefined): Promise<number> {
		this.#schedule.leave(undefined, false);
		return new Promise((resolve) => {
			if (result === undefined) {
				resolve(ENDED);
				return;
			}
			const parked = result instanceof Parked;
			const waiter = (parked ? this.#spare : null) ?? new ResultWaiter(this, parked);
			if (parked) this.#spare = null;
			waiter.settle = resolve;
			this.#add(waiter);
			this.#wait();
			if (parked) result.listen(waiter);
			else {
				result.then(
					(value) => waiter.resolve(value),
					(error: unknown) => waiter.reject(error),
				);
			}
		});
	}

	/** The host has brought what a guest waits for: the ticket for it. */
	bring(waiter: ResultWaiter, value: CoreValue | undefined): void {
		if (!this.#remove(waiter)) return;
		if (waiter.toldOnce) this.#spare = waiter;
		const ticket = this.#nextTicket;
		this.#nextTicket = (ticket + 1) & TICKET_MASK;
		if (value !== undefined) this.#keep(ticket, value);
		waiter.settle(ticket);
	}

	/** What a guest waits for has failed. */
	fail(waiter: Waiter, error: unknown): void {
		if (!this.#leave(waiter)) return;
		this.#account.guest.fail(hostFault(error));
		waiter.settle(ENDED);
	}

	/** Somebody waits for the host: the account's wall limit is to be looked at. */
	#wait(): void {
		const account = this.#account;
		if (this.#wallEnd !== account.wallEnd) {
			this.#schedule.wait(account);
			this.#wallEnd = account.wallEnd;
		}
		// One that gives the thread away after each few instructions never comes to a check that says so.
		const { spent } = account;
		if (spent !== undefined) account.guest.fail(spent);
	}

	/** Whoever waited may have been the last. */
	#resume(): void {
		if (this.#waiters.length > 0 || Number.isNaN(this.#wallEnd)) return;
		this.#wallEnd = Number.NaN;
		this.#schedule.resume(this.#account);
	}

	#keep(ticket: number, result: CoreValue): void {
		if (this.#ticket !== ENDED) return void this.#results.set(ticket, result);
		this.#ticket = ticket;
		this.#result = result;
	}

	/** The guest runs again: what it waited for. */
	take(ticket: number): CoreValue | undefined {
		this.#resume();
		this.#schedule.enter(this.#account, true);
		if (ticket === this.#ticket) {
			this.#ticket = ENDED;
			return this.#result;
		}
		if (this.#results.size === 0) return undefined;
		const result = this.#results.get(ticket);
		this.#results.delete(ticket);
		return result;
	}

	/** The guest has left the thread, until it is its turn again. The ticket is one of the schedule's. */
	queue(): Promise<number> {
		return new Promise((resolve) => {
			const waiter: Waiter = { settle: resolve, at: NOWHERE };
			this.#add(waiter);
			this.#schedule.queue(this.#account, () => this.#leave(waiter), resolve);
		});
	}

	/** A wait without a stack, which begins with `wait`: `end` is told where it ends otherwise than by `leave`. */
	watch(end: () => void): { wait(): void; leave(): void } {
		const waiter: Waiter = { settle: end, at: NOWHERE };
		return {
			wait: () => {
				if (waiter.at < 0) this.#add(waiter);
				this.#wait();
			},
			leave: () => void this.#leave(waiter),
		};
	}

	/** False when it has been told already. */
	#leave(waiter: Waiter): boolean {
		if (!this.#remove(waiter)) return false;
		this.#resume();
		return true;
	}

	/** The same, of one that `take`s what it is told: until then another may wait. */
	#remove(waiter: Waiter): boolean {
		const { at } = waiter;
		if (at < 0) return false;
		waiter.at = NOWHERE;
		const last = this.#waiters.pop();
		if (last !== undefined && last !== waiter) {
			last.at = at;
			this.#waiters[at] = last;
		}
		return true;
	}

	#add(waiter: Waiter): void {
		waiter.at = this.#waiters.length;
		this.#waiters.push(waiter);
	}

	/** Whoever waits now is told that it is over; what the host brings him later is dropped. */
	end(): void {
		if (this.#waiters.length === 0) return;
		const waiters = this.#empty();
		this.#resume();
		for (const waiter of waiters) waiter.settle(ENDED);
	}

	#empty(): Waiter[] {
		const waiters = this.#waiters.splice(0);
		for (const waiter of waiters) waiter.at = NOWHERE;
		return waiters;
	}

	/** As new, where no guest is on any stack. */
	clear(): void {
		if (this.#waiters.length > 0) this.#empty();
		this.#resume();
		// Clearing an empty collection still makes a new one inside.
		if (this.#results.size > 0) this.#results.clear();
		this.#ticket = ENDED;
	}
}

/** A guest that waits for what the host brings. */
class ResultWaiter implements Waiter, ParkedListener<CoreValue | undefined> {
	settle: (ticket: number) => void = () => {};
	at: number = NOWHERE;
	/** Whoever tells it does so once, which is not known of every promise: then it can serve another wait. */
	readonly toldOnce: boolean;
	readonly #waits: Waits;

	constructor(waits: Waits, toldOnce: boolean) {
		this.#waits = waits;
		this.toldOnce = toldOnce;
	}

	resolve(value: CoreValue | undefined): void {
		this.#waits.bring(this, value);
	}

	reject(error: unknown): void {
		this.#waits.fail(this, error);
	}
}
