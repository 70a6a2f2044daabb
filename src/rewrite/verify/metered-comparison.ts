import type { Calls } from "./calls.ts";
import { type Cursor, refuse } from "./cursor.ts";
import {
	CALL,
	CALL_INDIRECT,
	CONTROL,
	END,
	FUNCTION_REFERENCE,
	Instructions,
	LOOP,
	PLAIN,
	TABLE_CHANGE,
} from "./instructions.ts";
import { Beside, divisorOf, type Pieces } from "./metered-body.ts";
import type { Outline } from "./outline.ts";
import { BARE_LOOP, costOf, IF_BLOCK, LOOP_BLOCK, type PathCosts, PLAIN_BLOCK, TRY_BLOCK } from "./path-costs.ts";

/** What the rewriter says that functions leave to their callers. It is believed of none before it has been found true of all. */
export interface Ledger {
	/** What callers have paid of each body. */
	readonly prepaid: Uint32Array;
	/** 1 for each body that neither looks at the fuel nor calls what does. */
	readonly pure: Uint8Array;
}

/** What is known of the module, and what is found out about it from one body to the next. */
export interface Surroundings {
	readonly pieces: Pieces;
	readonly outline: Outline;
	readonly calls: Calls;
	readonly paths: PathCosts;
	readonly memories: number;
	readonly fuel: boolean;
	/** A function in which more is paid than has run where it calls. */
	paidAheadOverCall: number | undefined;
	readonly imported: number;
	readonly ledger: Ledger;
	/** A function that has the fuel in its local while it calls. */
	keptOverCall: number | undefined;
}

/** Where control goes on with fuel: what is paid ahead there, and whether the local and the cell say what is left. */
interface State {
	readonly ahead: number;
	readonly local: boolean;
	readonly cell: boolean;
}

/** What handlers and callers find. */
const SETTLED: State = { ahead: 0, local: false, cell: true };

interface Frame {
	readonly op: number;
	/** `undefined` where it is never reached. */
	readonly start: State | undefined;
	/** Where branches and the end lead. */
	end: State | undefined;
	hasElse: boolean;
	readonly isOutlined: boolean;
	/** How many outlined loops it is or stands in. */
	readonly outlined: number;
}

/** Opcodes that control the flow. */
const IF = 0x04;
const ELSE = 0x05;
const TRY = 0x06;
const CATCH = 0x07;
const THROW = 0x08;
const RETHROW = 0x09;
const THROW_REF = 0x0a;
const BR = 0x0c;
const BR_TABLE = 0x0e;
const RETURN = 0x0f;
const DELEGATE = 0x18;
const CATCH_ALL = 0x19;
const TRY_TABLE = 0x1f;
const CASTS = 0xfb;
/** The three tail calls. */
const TAIL_CALLS = new Set([0x12, 0x13, 0x15]);
/** unreachable, nop, block, loop, else, try, catch, end, return, delegate, catch_all, drop, try_table */
const FREE = new Set([0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x0b, 0x0f, 0x18, 0x19, 0x1a, 0x1f]);
const DIRECT_CALL = 0x10;
/** What checks begin with. */
const CONSTANT = 0x41;
const LOCAL_GET = 0x20;
const DIRECT_TAIL_CALL = 0x12;

/** A body beside what it was rewritten to. */
export class BodyComparison {
	readonly #from: Cursor;
	readonly #beside: Beside;
	readonly #index: number;
	readonly #module: Surroundings;
	readonly #instructions: Instructions;
	readonly #frames: Frame[] = [];
	/** The local with the fuel; -1 where nothing is paid. */
	#local = -1;
	#state: State | undefined;
	/** Where a branch leads that has given something back, if it is not the same. */
	#beyond: State | undefined;
	/** Whether it does anything with the fuel, or calls what does. */
	#touches = false;

	constructor(from: Cursor, to: Cursor, index: number, module: Surroundings) {
		this.#from = from;
		this.#beside = new Beside(from, to, index);
		this.#index = index;
		this.#module = module;
		this.#instructions = new Instructions(from, true);
		this.#state = module.fuel ? { ...SETTLED, ahead: this.#prepaid(index) } : SETTLED;
	}

	run(): void {
		const from = this.#from;
		const instructions = this.#instructions;
		const { fuel } = this.#module;
		const { paths } = this.#module;
		this.#compareLocals();
		this.#push(0, false);
		paths.enter(this.#index);
		instructions.depth = 1;
		this.#hasCheck();
		if (fuel) this.#pay();
		while (!from.done) {
			const start = from.at;
			const kind = instructions.next();
			const { op } = instructions;
			if (fuel && this.#state !== undefined && !FREE.has(op)) this.#run();
			const divisor = fuel && this.#state !== undefined ? divisorOf(instructions) : undefined;
			if (divisor !== undefined) this.#runBulk(start, divisor);
			if (paths.isAlive) paths.run(costOf(op, instructions.code));
			if (kind !== PLAIN) {
				if (divisor === undefined) this.#settle(start);
				if (kind === LOOP) this.#loop(start);
				else this.#step(kind, start);
			}
			if (this.#frames.length === 0 || this.#state === undefined) continue;
			if (this.#beside.next === CONSTANT || this.#beside.next === LOCAL_GET) this.#checkHere();
			if (fuel && kind !== PLAIN && kind !== LOOP) this.#payHere();
		}
		if (from.at !== from.end || this.#frames.length > 0) throw this.#refuse("ends in the middle");
		this.#beside.equalUpTo(from.end);
		if (!this.#beside.to.done) throw this.#refuse("has more than its original");
		this.#checkNames();
		if (this.#isPure(this.#index) && this.#touches)
			throw this.#refuse("does something with the fuel that its callers do not know of");
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
	#settle(start: number): void {
		const state = this.#state;
		if (this.#local < 0 || state === undefined) return;
		const { pieces } = this.#module;
		const beside = this.#beside;
		beside.equalUpTo(start);
		if (beside.has(pieces.flush(this.#local))) {
			if (!state.local) throw this.#refuse("writes fuel from a local that may be wrong");
			this.#touches = true;
			this.#state = { ...state, cell: true };
		}
		this.#reload();
	}

	#refuse(what: string): Error {
		return refuse(`function ${this.#index} ${what}`);
	}

	/** With fuel there is one local more, which is found by the first payment. */
	#compareLocals(): void {
		const from = this.#from;
		const { to } = this.#beside;
		const start = from.at;
		const begins = to.at;
		const runs = from.number();
		const added = to.number() - runs;
		if (added !== 0 && !(added === 1 && this.#module.fuel)) throw this.#refuse("has other locals");
		for (let i = 0; i < runs; i++) {
			if (from.number() !== to.number()) throw this.#refuse("has other locals");
			const type = from.at;
			from.skipType();
			if (!sameType(from, type, to)) throw this.#refuse("has other locals");
		}
		if (added === 1) {
			const count = to.number();
			// One for the fuel, and one for lengths
			if (count < 1 || count > 2 || to.byte() !== 0x7e) throw this.#refuse("has other locals");
			this.#local = this.#findLocal();
		} else if (from.at - start !== to.at - begins) throw this.#refuse("has other locals");
		this.#beside.passed(from.at);
	}

	/** By the first `local.tee` or `local.set` behind a load of the cell, which is the first thing that is done with it. */
	#findLocal(): number {
		const { to } = this.#beside;
		const { bytes } = to;
		const { cell } = this.#module.pieces;
		const begins = to.at;
		for (let at = begins; at < to.end; at++) {
			if (!cell.every((byte, i) => bytes[at + i] === byte)) continue;
			to.at = at + cell.length;
			if (to.byte() === 0x42) {
				to.signed();
				to.byte();
				to.byte();
			}
			const local = to.number();
			to.at = begins;
			return local;
		}
		// Nothing is done with it, whoever names it
		return -1;
	}

	#checkNames(): void {
		const { highestMemory, highestTable, highestFunction, highestLocal } = this.#instructions;
		const { memories, outline } = this.#module;
		const foreign =
			highestMemory >= memories
				? `memory ${highestMemory}`
				: highestTable >= outline.tables
					? `table ${highestTable}`
					: highestFunction >= outline.functions.length
						? `function ${highestFunction}`
						: this.#local >= 0 && highestLocal >= this.#local
							? `local ${highestLocal}`
							: undefined;
		if (foreign !== undefined) throw this.#refuse(`names ${foreign}, which the guest does not have`);
	}

	/** An instruction by length is paid for when it is done, out of the local, by what it was given last. */
	#runBulk(start: number, divisor: readonly number[]): void {
		const beside = this.#beside;
		const { pieces } = this.#module;
		const length = this.#local + 1;
		this.#settle(start);
		if (this.#local < 0 || this.#state?.local !== true) throw this.#refuse("has an instruction by length without fuel");
		if (beside.has([0xad])) beside.expect([...pieces.tee(length), 0xa7], "the length of an instruction");
		else beside.expect(pieces.tee(length), "the length of an instruction");
		beside.equalUpTo(this.#from.at);
		const pay = [...pieces.get(this.#local), ...pieces.get(length), ...divisor, 0x7d, ...pieces.set(this.#local)];
		beside.expect(pay, "the payment of an instruction by its length");
		this.#touches = true;
		this.#state = { ...this.#state, local: true, cell: false };
	}

	/** The current instruction has been paid for, and what it calls as far as that is left to it. */
	#run(): void {
		const state = this.#state as State;
		const { op, first } = this.#instructions;
		const cost = op === DIRECT_CALL || op === DIRECT_TAIL_CALL ? 1 + this.#prepaid(first) : 1;
		if (state.ahead < cost) throw this.#refuse("runs what is not paid");
		this.#state = { ...state, ahead: state.ahead - cost };
	}

	/** A payment, where there is one. @param isBack whether it is to give back what was paid for what does not run now */
	#pay(isBack = false): boolean {
		const state = this.#state;
		if (state === undefined || this.#local < 0) return false;
		const paid = this.#beside.payment(this.#module.pieces, this.#local, isBack);
		if (paid === undefined) return false;
		if (state.ahead + paid.amount < 0) throw this.#refuse("gives back what was not paid");
		if (!(paid.fromLocal ? state.local : state.cell)) throw this.#refuse("pays from what may be wrong");
		this.#touches = true;
		this.#state = { ...state, ahead: state.ahead + paid.amount, local: true, cell: false };
		return true;
	}

	#reload(): void {
		const state = this.#state;
		if (this.#local < 0 || state === undefined) return;
		if (!this.#beside.has(this.#module.pieces.reload(this.#local))) return;
		if (!state.cell) throw this.#refuse("reads fuel that may be wrong");
		this.#touches = true;
		this.#state = { ...state, local: true };
	}

	/** A check may stand between any two instructions. */
	#checkHere(): void {
		this.#beside.equalUpTo(this.#from.at);
		this.#hasCheck();
	}

	/** A payment may stand behind whatever is not plain. */
	#payHere(): void {
		this.#beside.equalUpTo(this.#from.at);
		this.#pay();
	}

	/** A check that calls the slow path where it stands: what it takes from the local and the cell it gives back to both. */
	#hasCheck(): boolean {
		const { pieces, fuel } = this.#module;
		if (fuel && this.#local < 0) return false;
		const beside = this.#beside;
		const start = beside.to.at;
		const before = this.#state;
		if (this.#local >= 0) this.#reload();
		if (beside.has(pieces.check(this.#local))) {
			this.#checksLocal();
			return true;
		}
		beside.to.at = start;
		this.#state = before;
		return false;
	}

	#checksLocal(): void {
		this.#touches = true;
		if (this.#module.fuel && this.#state?.local !== true) throw this.#refuse("checks a local that may be wrong");
		this.#module.paths.check();
	}

	#push(op: number, isOutlined: boolean): void {
		const outlined = this.#outlined + (isOutlined ? 1 : 0);
		this.#frames.push({ op, start: this.#state, end: undefined, hasElse: false, isOutlined, outlined });
	}

	#loop(start: number): void {
		const { fuel, pieces, paths } = this.#module;
		const beside = this.#beside;
		const end = this.#from.at;
		beside.equalUpTo(start);
		if (fuel && this.#state === undefined) {
			// It never runs
			beside.equalUpTo(end);
			this.#push(LOOP_OP, false);
			paths.open(LOOP_BLOCK);
			return;
		}
		const isOutlined = beside.to.bytes[beside.to.at] === 0x02;
		if (isOutlined) {
			const type = this.#from.bytes.subarray(start + 1, end);
			beside.expect([0x02, ...type, 0x03, 0x40, 0x02, 0x40], "the blocks around a loop");
		}
		beside.equalUpTo(end);
		// Turns come back with the fuel where the head takes it from
		const before = this.#state;
		if (fuel && before !== undefined) {
			const cell = before.cell && (!before.local || beside.comes(pieces.reload(this.#local)));
			this.#state = { ...before, cell, local: before.local && !cell };
		}
		this.#push(LOOP_OP, isOutlined);
		if (isOutlined) {
			this.#reload();
			this.#checksLocal();
			beside.expect([...pieces.condition(this.#local), 0x0d, 1], "a check: a loop that has no check");
		}
		const isChecked = isOutlined || this.#hasCheck();
		if (!isChecked && fuel) throw this.#refuse("has a loop that has no check");
		paths.open(isChecked ? LOOP_BLOCK : BARE_LOOP);
		if (fuel) this.#pay();
	}

	#step(kind: number, start: number): void {
		const { calls, outline, paths } = this.#module;
		const instructions = this.#instructions;
		const { op } = instructions;
		switch (kind) {
			case CALL: {
				const callee = calls.direct(instructions.first);
				paths.call(callee, callee, TAIL_CALLS.has(op));
				this.#call(op);
				break;
			}
			case CALL_INDIRECT: {
				if (!paths.isAlive) break;
				const callee = calls.indirect(instructions.first);
				paths.call(callee, calls.other(instructions.second, callee), TAIL_CALLS.has(op));
				this.#call(op);
				break;
			}
			case FUNCTION_REFERENCE:
				outline.taken.add(instructions.first);
				break;
			case TABLE_CHANGE:
				calls.changesTables = true;
				break;
			case CONTROL:
				this.#compareBranch(start);
				this.#control(op);
				break;
			case END:
				this.#end();
		}
	}

	#call(op: number): void {
		const state = this.#state;
		if (state === undefined) return;
		if (op === DIRECT_CALL && this.#isPure(this.#instructions.first)) {
			this.#module.keptOverCall = this.#index;
			return;
		}
		this.#touches = true;
		if (!this.#module.fuel) {
			if (TAIL_CALLS.has(op)) this.#state = undefined;
			return;
		}
		this.#mustBeInCell("calls");
		if (TAIL_CALLS.has(op)) {
			this.#leave();
			return;
		}
		if (state.ahead > 0) this.#module.paidAheadOverCall = this.#index;
		this.#state = { ...state, local: false, cell: true };
	}

	/** Where others look at the cell. */
	#mustBeInCell(what: string): void {
		if (this.#module.fuel && this.#state?.cell === false)
			throw this.#refuse(`${what} with fuel that is not where others look for it`);
	}

	/** The function ends here. */
	#leave(): void {
		if (this.#module.fuel && this.#state !== undefined && this.#state.ahead !== 0)
			throw this.#refuse(`has paid ${this.#state.ahead} too much where it ends`);
		this.#mustBeInCell("ends");
		this.#state = undefined;
	}

	/** A branch that leaves an outlined loop has the depths of three blocks more. */
	#compareBranch(start: number): void {
		const { op, labels } = this.#instructions;
		const isBranch = op === BR || op === BR + 1 || op === BR_TABLE || op === 0xd5 || op === 0xd6;
		if (!isBranch) {
			const unmoved = op === TRY || op === TRY_TABLE || op === DELEGATE || op === RETHROW || op === CASTS;
			if (unmoved && this.#outlined > 0) throw this.#refuse("has labels in an outlined loop that are not moved");
			return;
		}
		const shift = labels.map((label) => this.#shift(label));
		if (this.#module.fuel && this.#comparesRefund(start, shift[0] ?? 0)) return;
		if (shift.every((by) => by === 0)) return;
		const beside = this.#beside;
		beside.equalUpTo(start);
		const { to } = beside;
		const wanted = [
			...(op === BR_TABLE ? [labels.length - 1] : []),
			...labels.map((label, i) => label + (shift[i] ?? 0)),
		];
		if (to.byte() !== op || wanted.some((number) => to.number() !== number))
			throw this.#refuse("has a branch that goes elsewhere");
		beside.passed(this.#from.at);
	}

	/**
	 * A branch before which something is given back: a `br` behind that, or instead of a `br_if` an `if` with both.
	 * @returns whether it was a `br_if`, which is all done then; `#beyond` is what is paid where it leads
	 */
	#comparesRefund(start: number, shift: number): boolean {
		const { op, labels } = this.#instructions;
		const beside = this.#beside;
		const before = this.#state;
		if (before === undefined) return false;
		beside.equalUpTo(start);
		if (op === BR) this.#pay(true);
		if (op !== BR + 1 || !beside.has([IF, 0x40])) return false;
		if (!this.#pay(true)) throw this.#refuse("has another branch");
		beside.expect([BR], "a branch");
		if (beside.to.number() !== (labels[0] ?? 0) + shift + 1) throw this.#refuse("has a branch that goes elsewhere");
		beside.expect([END_OP], "the end of a branch");
		beside.passed(this.#from.at);
		this.#beyond = this.#state;
		this.#state = before;
		return true;
	}

	#shift(label: number): number {
		return 3 * (this.#outlined - (this.#frames.at(-1 - label)?.outlined ?? 0));
	}

	get #outlined(): number {
		return this.#frames.at(-1)?.outlined ?? 0;
	}

	#control(op: number): void {
		const { labels } = this.#instructions;
		const { calls, paths } = this.#module;
		switch (op) {
			case TRY_TABLE:
				calls.catches = true;
				if (this.#state !== undefined) for (const label of labels) this.#branch(label, SETTLED);
				this.#push(op, false);
				paths.open(TRY_BLOCK, [...labels]);
				break;
			case TRY:
				calls.catches = true;
				this.#push(op, false);
				paths.open(TRY_BLOCK);
				break;
			case 0x02:
			case IF:
				this.#push(op, false);
				paths.open(op === IF ? IF_BLOCK : PLAIN_BLOCK);
				break;
			case ELSE:
			case CATCH:
			case CATCH_ALL: {
				const frame = this.#frames.at(-1);
				if (frame === undefined) throw this.#refuse("goes on behind its end");
				this.#join(frame, this.#state);
				frame.hasElse = true;
				this.#state = op === ELSE || frame.start === undefined ? frame.start : SETTLED;
				if (op === ELSE) paths.turn();
				else paths.handle();
				break;
			}
			case DELEGATE:
				this.#end();
				break;
			case THROW:
			case RETHROW:
			case THROW_REF:
				calls.catches = true;
				if (paths.isAlive) paths.throws();
				paths.stop();
				this.#leave();
				break;
			case RETURN:
				paths.leave();
				this.#leave();
				break;
			case 0x00:
				paths.stop();
				this.#state = undefined;
				break;
			default:
				if (this.#state === undefined) break;
				for (const label of labels) this.#branch(label, this.#beyond ?? this.#state);
				this.#beyond = undefined;
				if (paths.isAlive) for (const label of labels) paths.branch(label);
				if (op === BR || op === BR_TABLE) {
					this.#state = undefined;
					paths.stop();
				}
		}
	}

	#branch(label: number, state: State): void {
		const frame = this.#frames.at(-1 - label);
		if (frame === undefined) throw this.#refuse("has a branch that leads nowhere");
		if (frame.op === LOOP_OP) {
			const { start } = frame;
			const same = start?.ahead === state.ahead && (!start.local || state.local) && (!start.cell || state.cell);
			if (this.#module.fuel && !same) throw this.#refuse("comes back to a loop with something else paid");
		} else this.#join(frame, state);
	}

	#join(frame: Frame, state: State | undefined): void {
		if (state === undefined) return;
		const { end } = frame;
		if (!this.#module.fuel) {
			frame.end = state;
			return;
		}
		if (end !== undefined && end.ahead !== state.ahead) throw this.#refuse("has paid different amounts at one place");
		const local = state.local && (end?.local ?? true);
		const cell = state.cell && (end?.cell ?? true);
		if (!local && !cell) throw this.#refuse("does not know where its fuel is");
		frame.end = { ahead: state.ahead, local, cell };
	}

	#end(): void {
		const frame = this.#frames.pop();
		if (frame === undefined) throw this.#refuse("goes on behind its end");
		this.#join(frame, this.#state);
		if (frame.op === IF && !frame.hasElse) this.#join(frame, frame.start);
		this.#state = frame.end;
		this.#module.paths.end();
		if (frame.isOutlined) this.#endOutlined();
		if (this.#frames.length === 0) this.#leave();
	}

	#endOutlined(): void {
		const beside = this.#beside;
		const { pieces } = this.#module;
		beside.equalUpTo(this.#from.at);
		const slow = [0x0c, 2, 0x0b, ...pieces.ask(this.#local), 0x0c, 0, 0x0b, 0x00, 0x0b];
		beside.expect(slow, "the slow path of a loop");
	}
}

const LOOP_OP = 0x03;
const END_OP = 0x0b;

function sameType(from: Cursor, start: number, to: Cursor): boolean {
	for (let at = start; at < from.at; at++) if (to.byte() !== from.bytes[at]) return false;
	return true;
}
