import { Calls } from "./calls.ts";
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
import { Beside, Pieces } from "./metered-body.ts";
import { KIND_FUNCTION, KIND_MEMORY, type Outline } from "./outline.ts";

interface Engine {
	/** Whether instructions are paid for; without, checks look at the flag. */
	readonly fuel: boolean;
	/** The table of the engine's functions. */
	readonly table: number;
	/** The type of the first of them, where it was added with the table. */
	readonly firstType: number | undefined;
	readonly ledger: Ledger | undefined;
}

/** What the rewriter says that functions leave to their callers. It is believed of none before it has been found true of all. */
export interface Ledger {
	/** What callers have paid of each body. */
	readonly prepaid: Uint32Array;
	/** 1 for each body that neither looks at the fuel nor calls what does. */
	readonly pure: Uint8Array;
}

/**
 * Walks the guest's code beside that of a module whose checks call the engine: they are equal but for checks, payments and the slow
 * path behind all functions; checks stand in every loop and in every cycle of calls; the guest's own instructions name nothing
 * that was added. With fuel, what has been paid and what has run are the same on every way through a function at its end, and
 * wherever an exception may leave it; and nowhere less is paid than has run.
 */
export function compareMeteredCode(original: Cursor, rewritten: Cursor, outline: Outline, engine: Engine): void {
	const memories = outline.count(KIND_MEMORY) + outline.memories.length;
	const pieces = new Pieces(memories, outline.functions.length, engine.fuel);
	const module: Surroundings = {
		pieces,
		outline,
		calls: new Calls(outline),
		memories,
		fuel: engine.fuel,
		throws: outline.hasTags,
		paidAheadOverCall: undefined,
		imported: outline.count(KIND_FUNCTION),
		ledger: engine.ledger ?? { prepaid: new Uint32Array(), pure: new Uint8Array() },
		keptOverCall: undefined,
	};
	const bodies = original.number();
	if (rewritten.number() !== bodies + 1) throw refuse("it has other functions than the original");
	for (let i = 0; i < bodies; i++) {
		const from = original.take(original.number());
		const to = rewritten.take(rewritten.number());
		new BodyComparison(from, to, module.imported + i, module).run();
	}
	compareSlowPath(rewritten.take(rewritten.number()), pieces, engine);
	const { paidAheadOverCall, keptOverCall } = module;
	if (module.throws && keptOverCall !== undefined)
		throw refuse(`function ${keptOverCall} keeps the fuel from what an exception may reach`);
	compareOpen(module);
	if (module.throws && paidAheadOverCall !== undefined)
		throw refuse(`function ${paidAheadOverCall} pays in advance for what an exception may keep from running`);
	const found = module.calls.findCycle();
	if (found !== undefined) throw refuse(`a cycle of calls through function ${found} has no check`);
}

/** Who can be called by others than the guest's own calls has paid nothing in advance, and may find the fuel anywhere. */
function compareOpen({ outline, ledger, imported }: Surroundings): void {
	const exported = outline.exports.filter(({ kind }) => kind === KIND_FUNCTION).map(({ index }) => index);
	for (const index of [...exported, ...outline.taken, outline.start]) {
		if ((ledger.prepaid[index - imported] ?? 0) !== 0)
			throw refuse(`function ${index} leaves fuel to be paid by callers that do not`);
	}
}

/** The slow path, written out once more; types that were there before are V8's to check. */
function compareSlowPath(to: Cursor, pieces: Pieces, { table, firstType, fuel }: Engine): void {
	const wrong = "its slow path is another";
	const expect = (...bytes: readonly number[]): void => {
		for (const byte of bytes) if (to.byte() !== byte) throw refuse(wrong);
	};
	const call = (place: number): void => {
		expect(0x41, place, 0x11);
		const type = to.number();
		if (firstType !== undefined && type !== firstType + place) throw refuse(wrong);
		if (to.number() !== table) throw refuse(wrong);
	};
	if (fuel) {
		expect(2, 1, 0x7f, 1, 0x7e);
		// Bits 0 to 49 of what the cell is ahead; the local goes to the cell
		expect(...pieces.cell, 0x20, 0, 0x7d, 0x42, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x83, 0x21, 2);
		expect(...pieces.flush(0));
	} else expect(1, 1, 0x7f);
	const polls = fuel ? 1 : 0;
	expect(0x02, 0x40);
	// Two ways to catch whatever the engine throws
	const legacy = to.byte() === TRY;
	expect(...(legacy ? [0x40] : [0x40, 1, 2, 0]), 0x03, 0x40, 0x02, 0x40, 0x02, 0x40);
	call(0);
	expect(0x0e, 3, 1, 4, 0, 4, 0x0b);
	call(1);
	expect(0x0d, 3, 0x0b, ...pieces.condition(undefined));
	// An i32.const of 100
	expect(0x04, 0x40, 0x20, polls, 0x41, 1, 0x6a, 0x22, polls, 0x41, 0xe4, 0, 0x4b, 0x0d, 3, 0x0c, 1);
	expect(0x0b, 0x0b, ...(legacy ? [] : [0x0b]));
	if (fuel) expect(0x41, 0, ...pieces.cell, 0x22, 0, 0x20, 2, 0x7c, ...pieces.store, 0x20, 0);
	expect(0x0f, ...(legacy ? [0x19, 0x0b] : []), 0x0b, 0x00, 0x0b);
	if (!to.done) throw refuse(wrong);
}

interface Surroundings {
	readonly pieces: Pieces;
	readonly outline: Outline;
	readonly calls: Calls;
	readonly memories: number;
	readonly fuel: boolean;
	/** Whether the module knows exceptions, as far as seen. */
	throws: boolean;
	/** A function in which more is paid than has run where it calls. */
	paidAheadOverCall: number | undefined;
	readonly imported: number;
	readonly ledger: Ledger;
	/** A function that has the fuel in its local while it calls. */
	keptOverCall: number | undefined;
}

/** Where control goes on: what is paid ahead there, and whether the local and the cell say what is left. */
interface State {
	readonly ahead: number;
	readonly local: boolean;
	readonly cell: boolean;
	/** Whether a check was passed since the head of the last loop without one. */
	readonly passed: boolean;
}

/** What handlers and callers find. */
const SETTLED: State = { ahead: 0, local: false, cell: true, passed: false };

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
	/** A loop of which each turn has to pass the check of another. */
	readonly isUnchecked: boolean;
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
const DIRECT_TAIL_CALL = 0x12;

class BodyComparison {
	readonly #from: Cursor;
	readonly #beside: Beside;
	readonly #index: number;
	readonly #module: Surroundings;
	readonly #instructions: Instructions;
	readonly #frames: Frame[] = [];
	/** The local with the fuel; -1 where nothing is paid. */
	#local = -1;
	#state: State | undefined;
	#checked = false;
	/** Whether it does anything with the fuel, or calls what does. */
	#touches = false;

	constructor(from: Cursor, to: Cursor, index: number, module: Surroundings) {
		this.#from = from;
		this.#beside = new Beside(from, to, index);
		this.#index = index;
		this.#module = module;
		this.#instructions = new Instructions(from, true);
		this.#state = { ...SETTLED, ahead: this.#prepaid(index) };
	}

	run(): void {
		const from = this.#from;
		const instructions = this.#instructions;
		const { fuel, calls } = this.#module;
		this.#compareLocals();
		this.#push(0, false);
		instructions.depth = 1;
		if (this.#local >= 0 || !fuel) this.#checked = this.#hasCheck();
		if (this.#checked) calls.checked(this.#index);
		if (fuel) this.#pay();
		while (!from.done) {
			const start = from.at;
			const kind = instructions.next();
			if (fuel && this.#state !== undefined && !FREE.has(instructions.op)) this.#run();
			if (kind === PLAIN) continue;
			this.#settle(start);
			if (kind === LOOP) this.#loop(start);
			else this.#step(kind, start);
		}
		if (from.at !== from.end || this.#frames.length > 0) throw this.#refuse("ends in the middle");
		this.#beside.equalUpTo(from.end);
		if (!this.#beside.to.done) throw this.#refuse("has more than its original");
		this.#checkNames();
		if (this.#isPure(this.#index) && (this.#touches || this.#checked))
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
			if (to.number() !== 1 || to.byte() !== 0x7e) throw this.#refuse("has other locals");
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

	/** The current instruction has been paid for, and what it calls as far as that is left to it. */
	#run(): void {
		const state = this.#state as State;
		const { op, first } = this.#instructions;
		const cost = op === DIRECT_CALL || op === DIRECT_TAIL_CALL ? 1 + this.#prepaid(first) : 1;
		if (state.ahead < cost) throw this.#refuse("runs what is not paid");
		this.#state = { ...state, ahead: state.ahead - cost };
	}

	/** A payment, where there is one. */
	#pay(): void {
		const state = this.#state;
		if (state === undefined || this.#local < 0) return;
		const paid = this.#beside.payment(this.#module.pieces, this.#local);
		if (paid === undefined) return;
		if (!(paid.fromLocal ? state.local : state.cell)) throw this.#refuse("pays from what may be wrong");
		this.#touches = true;
		this.#state = { ...state, ahead: state.ahead + paid.amount, local: true, cell: false };
	}

	#reload(): void {
		const state = this.#state;
		if (this.#local < 0 || state === undefined) return;
		if (!this.#beside.has(this.#module.pieces.reload(this.#local))) return;
		if (!state.cell) throw this.#refuse("reads fuel that may be wrong");
		this.#touches = true;
		this.#state = { ...state, local: true };
	}

	/** A check that calls the slow path where it stands: what it takes from the local and the cell it gives back to both. */
	#hasCheck(): boolean {
		const { pieces } = this.#module;
		const beside = this.#beside;
		const start = beside.to.at;
		const before = this.#state;
		if (this.#local >= 0) this.#reload();
		if (beside.has([...pieces.condition(this.#local), 0x04, 0x40, ...pieces.ask(this.#local), 0x0b])) {
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
	}

	#push(op: number, isOutlined: boolean, isUnchecked = false): void {
		const outlined = this.#outlined + (isOutlined ? 1 : 0);
		this.#frames.push({ op, start: this.#state, end: undefined, hasElse: false, isOutlined, outlined, isUnchecked });
	}

	#loop(start: number): void {
		const { fuel, pieces } = this.#module;
		const beside = this.#beside;
		const end = this.#from.at;
		beside.equalUpTo(start);
		if (fuel && this.#state === undefined) {
			// It never runs
			beside.equalUpTo(end);
			this.#push(LOOP_OP, false);
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
		if (before !== undefined) {
			const cell = before.cell && (!before.local || beside.comes(pieces.reload(this.#local)));
			this.#state = { ...before, cell, local: before.local && !cell };
		}
		if (isOutlined) {
			this.#push(LOOP_OP, true);
			this.#reload();
			this.#checksLocal();
			beside.expect([...pieces.condition(this.#local), 0x0d, 1], "a check: a loop that has no check");
		} else {
			this.#push(LOOP_OP, false);
			if (!this.#hasCheck()) {
				if (fuel || this.#state === undefined) throw this.#refuse("has a loop that has no check");
				this.#frames.pop();
				this.#push(LOOP_OP, false, true);
				this.#state = { ...this.#state, passed: false };
				return;
			}
		}
		if (this.#state !== undefined) this.#state = { ...this.#state, passed: true };
		if (fuel) this.#pay();
	}

	#step(kind: number, start: number): void {
		const { calls, outline, fuel } = this.#module;
		const instructions = this.#instructions;
		const { op } = instructions;
		switch (kind) {
			case CALL:
				if (!this.#checked) calls.direct(this.#index, instructions.first);
				break;
			case CALL_INDIRECT:
				if (!this.#checked) calls.indirect(this.#index, instructions.first, instructions.second);
				break;
			case FUNCTION_REFERENCE:
				outline.taken.add(instructions.first);
				return;
			case TABLE_CHANGE:
				calls.changesTables = true;
				return;
			case CONTROL:
				this.#compareBranch(start);
				this.#control(op);
				break;
			case END:
				this.#end();
		}
		if (kind === CALL || kind === CALL_INDIRECT) this.#call(op);
		if (!fuel || this.#frames.length === 0) return;
		const here = this.#from.at;
		if (this.#state === undefined || this.#local < 0) return;
		this.#beside.equalUpTo(here);
		this.#pay();
	}

	#call(op: number): void {
		const state = this.#state;
		if (state === undefined) return;
		if (op === DIRECT_CALL && this.#isPure(this.#instructions.first)) {
			this.#module.keptOverCall = this.#index;
			return;
		}
		this.#touches = true;
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

	#shift(label: number): number {
		return 3 * (this.#outlined - (this.#frames.at(-1 - label)?.outlined ?? 0));
	}

	get #outlined(): number {
		return this.#frames.at(-1)?.outlined ?? 0;
	}

	#control(op: number): void {
		const { labels } = this.#instructions;
		switch (op) {
			case TRY_TABLE:
				this.#module.throws = true;
				if (this.#state !== undefined) for (const label of labels) this.#branch(label, SETTLED);
				this.#push(op, false);
				break;
			case TRY:
				this.#module.throws = true;
				this.#push(op, false);
				break;
			case 0x02:
			case IF:
				this.#push(op, false);
				break;
			case ELSE:
			case CATCH:
			case CATCH_ALL: {
				const frame = this.#frames.at(-1);
				if (frame === undefined) throw this.#refuse("goes on behind its end");
				this.#join(frame, this.#state);
				frame.hasElse = true;
				this.#state = op === ELSE || frame.start === undefined ? frame.start : SETTLED;
				break;
			}
			case DELEGATE:
				this.#end();
				break;
			case THROW:
			case RETHROW:
			case THROW_REF:
				this.#module.throws = true;
				this.#leave();
				break;
			case RETURN:
				this.#leave();
				break;
			case 0x00:
				this.#state = undefined;
				break;
			default:
				if (this.#state === undefined) break;
				for (const label of labels) this.#branch(label, this.#state);
				if (op === BR || op === BR_TABLE) this.#state = undefined;
		}
	}

	#branch(label: number, state: State): void {
		const frame = this.#frames.at(-1 - label);
		if (frame === undefined) throw this.#refuse("has a branch that leads nowhere");
		if (frame.op === LOOP_OP) {
			const { start } = frame;
			if (frame.isUnchecked && !state.passed) throw this.#refuse("has a loop that has no check in each turn");
			const same = start?.ahead === state.ahead && (!start.local || state.local) && (!start.cell || state.cell);
			if (this.#module.fuel && !same) throw this.#refuse("comes back to a loop with something else paid");
		} else this.#join(frame, state);
	}

	#join(frame: Frame, state: State | undefined): void {
		if (state === undefined) return;
		const { end } = frame;
		if (end !== undefined && this.#module.fuel && end.ahead !== state.ahead)
			throw this.#refuse("has paid different amounts at one place");
		const local = state.local && (end?.local ?? true);
		const cell = state.cell && (end?.cell ?? true);
		if (this.#module.fuel && !local && !cell) throw this.#refuse("does not know where its fuel is");
		frame.end = { ahead: state.ahead, local, cell, passed: state.passed && (end?.passed ?? true) };
	}

	#end(): void {
		const frame = this.#frames.pop();
		if (frame === undefined) throw this.#refuse("goes on behind its end");
		this.#join(frame, this.#state);
		if (frame.op === IF && !frame.hasElse) this.#join(frame, frame.start);
		this.#state = frame.end;
		if (frame.isOutlined) this.#endOutlined();
		if (this.#frames.length === 0) this.#leave();
	}

	#endOutlined(): void {
		this.#beside.equalUpTo(this.#from.at);
		const slow = [0x0c, 2, 0x0b, ...this.#module.pieces.ask(this.#local), 0x0c, 0, 0x0b, 0x00, 0x0b];
		this.#beside.expect(slow, "the slow path of a loop");
	}
}

const LOOP_OP = 0x03;

function sameType(from: Cursor, start: number, to: Cursor): boolean {
	for (let at = start; at < from.at; at++) if (to.byte() !== from.bytes[at]) return false;
	return true;
}
