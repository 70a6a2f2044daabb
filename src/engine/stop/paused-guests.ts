import type { Account } from "./account.ts";
import { Turns } from "./turns.ts";

const TICKET_MASK = 0x3fff_ffff;

/** Of the event loop's next turn; where there is no `setImmediate`, some turn. */
const later: (run: () => void) => void =
	typeof setImmediate === "function" ? (run) => void setImmediate(run) : (run) => void setTimeout(run, 0);

/**
 * Guests that have had their slice of the thread. Each runs again in a turn of the event loop of its own, so that whatever else waits for
 * the thread comes in between: apps take turns, and an app's guests among themselves.
 */
export class PausedGuests {
	/** They say whether they are still there to run. */
	readonly #turns = new Turns<() => boolean>();
	/** Guests that are about to run again. */
	readonly #tickets = new Map<number, Account>();
	#nextTicket = 0;

	/**
	 * @param settle what it waits for; told a ticket
	 * @param isThere whether it is still to be resumed
	 */
	add(account: Account, isThere: () => boolean, settle: (ticket: number) => void): void {
		const resume = (): boolean => {
			if (!isThere()) return false;
			const ticket = this.#nextTicket;
			this.#nextTicket = (ticket + 1) & TICKET_MASK;
			this.#tickets.set(ticket, account);
			settle(ticket);
			return true;
		};
		if (!this.#turns.any) later(this.#next);
		this.#turns.add(account.app, resume);
	}

	/** Whose guest runs again that was told this ticket; once. */
	take(ticket: number): Account | undefined {
		const account = this.#tickets.get(ticket);
		this.#tickets.delete(ticket);
		return account;
	}

	readonly #next = (): void => {
		while (this.#turns.take()?.() === false);
		if (this.#turns.any) later(this.#next);
	};
}
