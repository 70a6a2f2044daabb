import type { Calls } from "./calls.ts";
import { refuse } from "./cursor.ts";

/** Nanoseconds of V8's first compiler that may run between two checks. The rewriter aims at two thirds of this, and of the next. */
const MOST = 525_000;

/** The same behind a call that closes a cycle, to the function's end: that many frames may be returned to as a stack holds, without a check. */
const MOST_UP = 96;

/** More locals than these are written where a function begins, a fifth of a nanosecond each. */
const FEW_LOCALS = 64;

/** A fifth of what V8 takes to compile a function when it is first called: for each, and for each byte of it up to so much. */
const FIRST_CALL = 600;
const FIRST_CALL_BYTE = 8;
const MOST_FIRST_CALL = 200_000;

/** Groups of no more than 1 KB have few places from which something may be first called behind a call that closes a cycle, if it is small. */
const FEW_FIRST_CALLS = 8_192;
const SMALL_FIRST_CALL = 1_024;

/** What a turn may bring to the head of a loop that has no check. */
export const TURN = 125_000;

/** What each opcode of one byte costs, then those behind the prefixes 0xfb to 0xfe that cost something else than the rest of theirs. */
export const COSTS: Uint16Array = new Uint16Array(256).fill(2);
const ACCESS = 250;
COSTS.fill(ACCESS, 0x28, 0x41);
COSTS.fill(ACCESS, 0x25, 0x27);
COSTS.fill(20, 0x10, 0x16);
for (const op of [0x08, 0x09, 0x0a]) COSTS[op] = 3_000;
for (const op of [0x6d, 0x6e, 0x6f, 0x70, 0x7f, 0x80, 0x81, 0x82, 0x91, 0x95, 0x9f, 0xa3]) COSTS[op] = 30;

/** By its first byte, and the number behind that where it is a prefix. */
export function costOf(op: number, code: number): number {
	if (op < 0xfb) return COSTS[op] as number;
	if (op === 0xfb) {
		if (code >= 0x10 && code <= 0x13) return 50_000;
		return code < 0x1a ? ACCESS : 2;
	}
	if (op === 0xfc) {
		if (code < 0x08) return 2;
		return code === 0x0d || code === 0x09 || code === 0x0f || code === 0x10 ? ACCESS : 50_000;
	}
	if (op === 0xfe) return code === 0x03 ? 2 : ACCESS;
	if (code < 0x0c || code === 0x5c || code === 0x5d || (code >= 0x54 && code <= 0x5b)) return ACCESS;
	return DIVISIONS.has(code) ? 30 : 2;
}

/** f32x4.sqrt and div, f64x2.sqrt and div. */
const DIVISIONS = new Set([0xe3, 0xe7, 0xef, 0xf3]);

/** What is kept of each open block: three numbers where it begins, where it ends, and where its exceptions are caught. */
const START = 0;
const ENDS = 3;
const THROWN = 6;
const KIND = 9;
const STATE = 10;
/** The block around it, or itself, whose exceptions are caught; 0 for none, else one more than its place. */
const CATCHER = 11;
const SIZE = 12;

/** Kinds of blocks, as bits. */
export const PLAIN_BLOCK = 0;
export const IF_BLOCK = 1;
export const TRY_BLOCK = 2;
/** Loops: with a check at their head, and without. */
export const LOOP_BLOCK = 4;
export const BARE_LOOP = 12;
const BARE = 8;

const HAS_ELSE = 1;
const IS_CAUGHT = 2;

/**
 * What has run at most, on any way to the current instruction of a function: since it was entered, since a check, and since a call that
 * closes a cycle came back, in nanoseconds; -1 where no way comes from there. A way without checks that came back to where it was would cost more than itself:
 * so there is none, neither in a function nor among functions.
 */
export class PathCosts {
	readonly #calls: Calls;
	/** What a handler may take over. */
	readonly #caught: number;
	#function = 0;
	#group = 0;
	/** What is promised of the function. */
	#mostHead = 0;
	#mostThrough = 0;
	#mostTail = 0;
	#mostReturns = 0;
	/** What may run behind a call that closes a cycle: what was called may have come back a whole tail after its last check. */
	#mostBack = 0;
	#callsFew = false;
	#head = -1;
	#since = -1;
	#up = -1;
	#frames: Int32Array = new Int32Array(64 * SIZE);
	#depth = 0;
	/** Labels of the handlers of open blocks, by depth. */
	readonly #labels = new Map<number, readonly number[]>();

	constructor(calls: Calls, caught: number) {
		this.#calls = calls;
		this.#caught = caught;
	}

	get isAlive(): boolean {
		return this.#head >= 0 || this.#since >= 0;
	}

	/**
	 * @param locals how many it declares
	 * @param size bytes of its body
	 */
	enter(index: number, locals: number, size: number): void {
		const calls = this.#calls;
		if (calls.firstOf(index) < Math.min(FIRST_CALL_BYTE * size, MOST_FIRST_CALL))
			throw refuse(`function ${index} takes longer to compile than is promised`);
		this.#function = index;
		this.#group = calls.groupOf(index);
		this.#mostHead = calls.headOf(index);
		this.#mostThrough = calls.throughOf(index);
		this.#mostTail = calls.tailOf(index);
		this.#mostReturns = calls.returnsOf(index);
		this.#callsFew = calls.firstOfAll(this.#group) <= FEW_FIRST_CALLS;
		this.#mostBack = MOST - Math.max(this.#mostTail, 0);
		this.#depth = 0;
		this.#labels.clear();
		this.#head = 0;
		this.#since = this.#up = -1;
		this.run(Math.max(FIRST_CALL, Math.floor((locals - FEW_LOCALS) / 5)));
		this.open(PLAIN_BLOCK);
	}

	check(): void {
		if (!this.isAlive) return;
		this.#head = this.#up = -1;
		this.#since = 0;
	}

	/** Instructions that cost so much. */
	run(cost: number): void {
		if (this.#head >= 0 && (this.#head += cost) > this.#mostHead) throw this.#tooLong();
		if (this.#since >= 0 && (this.#since += cost) > MOST) throw this.#tooLong();
		if (this.#up >= 0 && (this.#up += cost) > this.#mostBack) throw this.#tooLong();
	}

	/**
	 * A call of what is promised under one or two numbers: a function, a type, all that is outside.
	 * @param ends whether it ends the function
	 * @param cost of the call itself, which has run
	 */
	call(callee: number, other: number, ends: boolean, cost: number): void {
		if (!this.isAlive) return;
		const calls = this.#calls;
		const group = Math.max(calls.groupOf(callee), calls.groupOf(other));
		const head = Math.max(calls.headOf(callee), calls.headOf(other));
		const through = Math.max(calls.throughOf(callee), calls.throughOf(other));
		if (group > this.#group) throw this.#refuse("calls what may call it, which is not promised");
		// One function may be compiled right behind a check, however long that takes
		const isBehindCheck = this.#head < 0 && this.#up < 0 && this.#since <= cost;
		const first = isBehindCheck ? 0 : Math.max(calls.firstOf(callee), calls.firstOf(other));
		this.run(first);
		if (this.#head >= 0 && this.#head + head > this.#mostHead) throw this.#tooLong();
		if (this.#since >= 0 && this.#since + head > MOST) throw this.#tooLong();
		if (this.#up >= 0 && this.#up + head > this.#mostBack) throw this.#tooLong();
		if (through < 0) this.#head = this.#since = this.#up = -1;
		else {
			this.run(through);
			if (this.#up >= 0 && this.#callsFew)
				this.#up -= FIRST_CALL + (group === this.#group || first <= SMALL_FIRST_CALL ? first : 0);
		}
		if (group === this.#group) {
			const returns = Math.max(this.#returnsOf(callee), this.#returnsOf(other));
			this.#since = Math.max(this.#since, returns);
			this.#up = Math.max(this.#up, returns);
		} else {
			const tail = Math.max(calls.tailOf(callee), calls.tailOf(other));
			this.#since = Math.max(this.#since, tail, this.#head < 0 ? 0 : -1);
		}
		if (calls.throws) this.throws();
		if (ends) this.leave();
	}

	#returnsOf(callee: number): number {
		return this.#calls.groupOf(callee) === this.#group ? this.#calls.returnsOf(callee) : -1;
	}

	/** An exception may come from here, and go on in a handler or leave the function. */
	throws(): void {
		const catcher = this.#frames[(this.#depth - 1) * SIZE + CATCHER] as number;
		if (catcher > 0) this.#join((catcher - 1) * SIZE + THROWN);
		this.#exit();
	}

	/** The way ends with the function. */
	leave(): void {
		this.#exit();
		this.stop();
	}

	/** The way ends. */
	stop(): void {
		this.#head = this.#since = this.#up = -1;
	}

	open(kind: number, labels?: readonly number[]): void {
		const at = this.#depth * SIZE;
		if (at + SIZE > this.#frames.length) {
			const grown = new Int32Array(2 * this.#frames.length);
			grown.set(this.#frames);
			this.#frames = grown;
		}
		if (kind === BARE_LOOP && this.isAlive) this.#since = Math.max(this.#since, TURN);
		const frames = this.#frames;
		const around = this.#depth === 0 ? 0 : (frames[at - SIZE + CATCHER] as number);
		frames.fill(-1, at, at + KIND);
		this.#join(at + START);
		frames[at + KIND] = kind;
		frames[at + STATE] = 0;
		this.#depth++;
		frames[at + CATCHER] = kind === TRY_BLOCK ? this.#depth : around;
		if (labels !== undefined) this.#labels.set(this.#depth, labels);
	}

	/** One arm of an `if` begins behind the other. */
	turn(): void {
		const at = (this.#depth - 1) * SIZE;
		this.#join(at + ENDS);
		this.#frames[at + STATE] = HAS_ELSE;
		this.#goOn(at + START);
	}

	/** A handler of a block begins: what it throws goes to others. */
	handle(): void {
		const at = (this.#depth - 1) * SIZE;
		this.#join(at + ENDS);
		this.#endTry(at);
		this.#goOn(at + THROWN);
		this.#take();
	}

	/** A handler takes over what was thrown: before the first check, that was counted where its block began. */
	#take(): void {
		if (this.#since >= 0 && (this.#since += this.#caught) > MOST) throw this.#tooLong();
		if (this.#up >= 0 && (this.#up += this.#caught) > this.#mostBack) throw this.#tooLong();
	}

	branch(label: number): void {
		const at = (this.#depth - 1 - label) * SIZE;
		if (at < 0) throw this.#refuse("has a branch that leads nowhere");
		const kind = this.#frames[at + KIND] as number;
		if ((kind & LOOP_BLOCK) === 0) this.#join(at + ENDS);
		else if ((kind & BARE) !== 0 && (this.#since > TURN || this.#up >= 0))
			throw this.#refuse("has a loop that has no check in each turn");
	}

	/** @returns whether it was the function's own block */
	end(): boolean {
		const at = (this.#depth - 1) * SIZE;
		if (at < 0) throw this.#refuse("goes on behind its end");
		const frames = this.#frames;
		const kind = frames[at + KIND] as number;
		this.#join(at + ENDS);
		if (kind === IF_BLOCK && frames[at + STATE] === 0) {
			this.#goOn(at + START);
			this.#join(at + ENDS);
		}
		if (kind === TRY_BLOCK) this.#endTry(at);
		const labels = this.#labels.get(this.#depth);
		if (labels !== undefined) this.#labels.delete(this.#depth);
		this.#depth--;
		for (const label of labels ?? []) {
			this.#goOn(at + THROWN);
			if (!this.isAlive) break;
			// Where the function ends with it, its caller takes over as much
			if (label !== this.#depth - 1) this.#take();
			this.branch(label);
		}
		this.#goOn(at + ENDS);
		if (this.#depth > 0) return false;
		this.leave();
		return true;
	}

	/** Its exceptions go on to the next handler, if it does not catch them. */
	#endTry(at: number): void {
		const frames = this.#frames;
		if (((frames[at + STATE] as number) & IS_CAUGHT) !== 0) return;
		frames[at + STATE] = IS_CAUGHT;
		const catcher = at === 0 ? 0 : (frames[at - SIZE + CATCHER] as number);
		frames[at + CATCHER] = catcher;
		if (catcher === 0) return;
		const to = (catcher - 1) * SIZE + THROWN;
		for (let i = 0; i < 3; i++) frames[to + i] = Math.max(frames[to + i] as number, frames[at + THROWN + i] as number);
	}

	/** The current way comes to a place, together with others. */
	#join(at: number): void {
		const frames = this.#frames;
		if (this.#head > (frames[at] as number)) frames[at] = this.#head;
		if (this.#since > (frames[at + 1] as number)) frames[at + 1] = this.#since;
		if (this.#up > (frames[at + 2] as number)) frames[at + 2] = this.#up;
	}

	#goOn(at: number): void {
		const frames = this.#frames;
		this.#head = frames[at] as number;
		this.#since = frames[at + 1] as number;
		this.#up = frames[at + 2] as number;
	}

	/** What is promised of the function holds where it is left. */
	#exit(): void {
		if (this.#head > this.#mostThrough || this.#since > this.#mostTail)
			throw this.#refuse("runs longer than is promised");
		const most = this.#mostReturns;
		if (this.#since > most && (most < 0 || this.#up > MOST_UP))
			throw this.#refuse("runs for too long without a check behind a call that closes a cycle");
	}

	#tooLong(): Error {
		return this.#refuse("runs for too long without a check");
	}

	#refuse(what: string): Error {
		return refuse(`function ${this.#function} ${what}`);
	}
}
