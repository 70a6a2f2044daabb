import { type Cursor, refuse } from "./cursor.ts";
import type { Instructions } from "./instructions.ts";
import { type Beside, divisorOf, type Pieces } from "./metered-body.ts";
import type { Threading } from "./threading.ts";

/** What the rewriter says that functions leave to their callers. It is believed of none before it has been found true of all. */
export interface Ledger {
	/** What callers have paid of each body. */
	readonly prepaid: Uint32Array;
	/** 1 for each body that neither looks at the fuel nor calls what does. */
	readonly pure: Uint8Array;
	/** 1 for each body that takes the fuel as a parameter and gives it back as a result. */
	readonly threaded: Uint8Array;
}

/** Where control goes on with fuel: what is paid ahead there, and whether the local and the cell say what is left. */
export interface Fuel {
	/** Where ways with different amounts have met it is the least of them, and `isExact` is false: such a way must end in a trap. */
	readonly ahead: number;
	readonly isExact: boolean;
	readonly local: boolean;
	readonly cell: boolean;
}

/** What handlers and callers find. */
export const SETTLED: Fuel = { ahead: 0, isExact: true, local: false, cell: true };

export interface FuelSurroundings {
	readonly pieces: Pieces;
	/** Whether there is any fuel. */
	readonly fuel: boolean;
	readonly imported: number;
	readonly ledger: Ledger;
	readonly threading: Threading;
	/** A function in which more is paid than has run where it calls. */
	paidAheadOverCall: number | undefined;
	/** A function that has the fuel in its local while it calls. */
	keptOverCall: number | undefined;
}

const DIRECT_CALL = 0x10;
const DIRECT_TAIL_CALL = 0x12;
/** The three tail calls. */
const TAIL_CALLS = new Set([0x12, 0x13, 0x15]);
/** unreachable, nop, block, loop, else, try, catch, end, return, delegate, catch_all, drop, try_table */
const FREE = new Set([0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x0b, 0x0f, 0x18, 0x19, 0x1a, 0x1f]);

/** By opcode, 1 for each that is paid for. */
export const PAID: Uint8Array = Uint8Array.from({ length: 256 }, (_, op) => (FREE.has(op) ? 0 : 1));

export function isTailCall(op: number): boolean {
	return TAIL_CALLS.has(op);
}

/** What a function has paid and has run, on the way to its current instruction. Without fuel: whether a way leads there at all. */
export class FuelBook {
	readonly #from: Cursor;
	readonly #beside: Beside;
	readonly #index: number;
	readonly #module: FuelSurroundings;
	/** The local with the fuel, -1 where nothing is paid; and one for lengths. */
	local = -1;
	length = -1;
	/** Whether the function is given the fuel, and gives it back. */
	readonly isThreaded: boolean;
	/** `undefined` where nothing runs. */
	now: Fuel | undefined;
	/** Whether the function does anything with the fuel, or calls what does. */
	#touches = false;

	constructor(from: Cursor, beside: Beside, index: number, module: FuelSurroundings) {
		this.#from = from;
		this.#beside = beside;
		this.#index = index;
		this.#module = module;
		this.isThreaded = module.threading.has(index);
		const place = this.isThreaded ? { local: true, cell: false } : {};
		this.now = module.fuel ? { ...SETTLED, ...place, ahead: this.#prepaid(index) } : SETTLED;
	}

	#refuse(what: string): Error {
		return refuse(`function ${this.#index} ${what}`);
	}

	#prepaid(index: number): number {
		const { ledger, imported } = this.#module;
		return ledger.prepaid[index - imported] ?? 0;
	}

	#isPure(index: number): boolean {
		const { ledger, imported } = this.#module;
		return ledger.pure[index - imported] === 1;
	}

	/** Before an instruction that others may look behind: the fuel may go from the local to the cell, or be read from it. */
	settle(start: number): void {
		const { now, local } = this;
		if (local < 0 || now === undefined) return;
		const { pieces } = this.#module;
		const beside = this.#beside;
		beside.equalUpTo(start);
		if (beside.has(pieces.flush(local))) {
			if (!now.local) throw this.#refuse("writes fuel from a local that may be wrong");
			this.#touches = true;
			this.now = { ...now, cell: true };
		}
		this.reload();
	}

	reload(): void {
		const { now, local } = this;
		if (local < 0 || now === undefined) return;
		if (!this.#beside.has(this.#module.pieces.reload(local))) return;
		if (!now.cell) throw this.#refuse("reads fuel that may be wrong");
		this.#touches = true;
		this.now = { ...now, local: true };
	}

	/** The current instruction has been paid for, and what it calls as far as that is left to it. */
	runOne({ op, first }: Instructions): void {
		if (FREE.has(op)) return;
		this.run(op === DIRECT_CALL || op === DIRECT_TAIL_CALL ? 1 + this.#prepaid(first) : 1);
	}

	/** So many have been paid for. */
	run(cost: number): void {
		const { now } = this;
		if (now === undefined || cost === 0) return;
		if (now.ahead < cost) throw this.#refuse("runs what is not paid");
		this.now = { ...now, ahead: now.ahead - cost };
	}

	/**
	 * An instruction by length, from `start` to where the original is, is paid for when it is done, out of the local, by what it was given last.
	 * @returns whether it is one
	 */
	runBulk(start: number, instructions: Instructions): boolean {
		if (this.now === undefined) return false;
		const divisor = divisorOf(instructions);
		if (divisor === undefined) return false;
		const beside = this.#beside;
		const { pieces } = this.#module;
		const { length } = this;
		this.settle(start);
		if (this.local < 0 || !this.now.local) throw this.#refuse("has an instruction by length without fuel");
		if (beside.has([0xad])) beside.expect([...pieces.tee(length), 0xa7], "the length of an instruction");
		else beside.expect(pieces.tee(length), "the length of an instruction");
		beside.equalUpTo(this.#from.at);
		const pay = [...pieces.get(this.local), ...pieces.get(length), ...divisor, 0x7d, ...pieces.set(this.local)];
		beside.expect(pay, "the payment of an instruction by its length");
		this.#touches = true;
		this.now = { ...this.now, local: true, cell: false };
		return true;
	}

	/** A payment, where there is one; it may be of less than nothing, and give back what was paid ahead. */
	pay(): boolean {
		const { now } = this;
		if (now === undefined || this.local < 0) return false;
		const paid = this.#beside.payment(this.#module.pieces, this.local);
		if (paid === undefined) return false;
		const ahead = now.ahead + paid.amount;
		if (ahead < 0) throw this.#refuse("gives back what was not paid");
		if (!Number.isSafeInteger(ahead)) throw this.#refuse("pays more than can be counted");
		if (!(paid.fromLocal ? now.local : now.cell)) throw this.#refuse("pays from what may be wrong");
		this.#touches = true;
		this.now = { ...now, ahead, local: true, cell: false };
		return true;
	}

	/** A check looks at the fuel, and may give it to the slow path: what that takes from the local and the cell it gives back to both. */
	check(): void {
		this.#touches = true;
		if (this.#module.fuel && this.now?.local !== true) throw this.#refuse("checks a local that may be wrong");
	}

	/** A loop begins: turns come back with the fuel where its head takes it from. */
	enterLoop(): void {
		const { now } = this;
		if (!this.#module.fuel || now === undefined) return;
		const cell = now.cell && (!now.local || this.#beside.comes(this.#module.pieces.reload(this.local)));
		this.now = { ...now, cell, local: now.local && !cell };
	}

	/** A turn comes back to the head of a loop, which began as `start`. */
	comeBack(start: Fuel | undefined, now: Fuel): void {
		const same =
			start?.ahead === now.ahead &&
			start.isExact === now.isExact &&
			(!start.local || now.local) &&
			(!start.cell || now.cell);
		if (this.#module.fuel && !same) throw this.#refuse("comes back to a loop with something else paid");
	}

	/** What is known where two ways meet. */
	join(one: Fuel | undefined, other: Fuel): Fuel {
		if (!this.#module.fuel) return other;
		const isExact = other.isExact && (one === undefined || (one.isExact && one.ahead === other.ahead));
		const local = other.local && (one?.local ?? true);
		const cell = other.cell && (one?.cell ?? true);
		if (!local && !cell) throw this.#refuse("does not know where its fuel is");
		return { ahead: Math.min(other.ahead, one?.ahead ?? other.ahead), isExact, local, cell };
	}

	call({ op, first }: Instructions): void {
		const { now } = this;
		if (now === undefined) return;
		if (op === DIRECT_CALL && this.#isPure(first)) {
			this.#module.keptOverCall = this.#index;
			return;
		}
		this.#touches = true;
		if (!this.#module.fuel) {
			if (TAIL_CALLS.has(op)) this.now = undefined;
			return;
		}
		this.#mustBeInCell("calls");
		if (TAIL_CALLS.has(op)) {
			const isOther = this.isThreaded || (op === DIRECT_TAIL_CALL && this.#module.threading.has(first));
			if (isOther) throw this.#refuse("ends in a call that does not give back the fuel as it does");
			this.leave();
			return;
		}
		if (now.ahead > 0) this.#module.paidAheadOverCall = this.#index;
		this.now = { ...now, local: false, cell: true };
	}

	/** A direct call of a function that is given the fuel, and gives it back: what does that stands there even where it is never reached. */
	callThreaded(start: number): void {
		const { now, local } = this;
		if (local < 0) throw this.#refuse("calls without the fuel");
		this.push(start);
		if (now?.local === false) throw this.#refuse("calls with fuel that may be wrong");
		const beside = this.#beside;
		beside.equalUpTo(this.#from.at);
		beside.expect(this.#module.pieces.set(local), "the fuel that a call gives back");
		this.#touches = true;
		if (now !== undefined) this.now = { ...now, local: true, cell: false };
	}

	/** The fuel is put onto the stack, before the current instruction or behind all of them. */
	push(position: number): void {
		this.#beside.equalUpTo(position);
		this.#beside.expect(this.#module.pieces.get(this.local), "the fuel that it gives");
	}

	/** The end of a function that was given the fuel. */
	giveBack(): void {
		this.push(this.#from.at);
		this.#beside.expect([0x0b], "an end");
	}

	/** Where others look at the cell. */
	#mustBeInCell(what: string): void {
		if (this.#module.fuel && this.now?.cell === false)
			throw this.#refuse(`${what} with fuel that is not where others look for it`);
	}

	/** The function ends here. */
	leave(): void {
		if (this.#module.fuel && this.now !== undefined) {
			const { ahead, isExact } = this.now;
			if (!isExact) throw this.#refuse("has paid different amounts on its ways to an end");
			if (ahead !== 0) throw this.#refuse(`has paid ${ahead} too much where it ends`);
		}
		if (!this.isThreaded) this.#mustBeInCell("ends");
		else if (this.now?.local === false) throw this.#refuse("gives back fuel that may be wrong");
		this.now = undefined;
	}

	/** All of the function was looked at. */
	finish(): void {
		if (this.#isPure(this.#index) && this.#touches)
			throw this.#refuse("does something with the fuel that its callers do not know of");
	}
}
