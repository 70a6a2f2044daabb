import { Cursor } from "./cursor.ts";
import type { Carried } from "./carried.ts";
import { CALL, CALL_INDIRECT, CONTROL, END, Instructions, LOOP } from "./instructions.ts";
import { divisorOf } from "./metered-body.ts";
import { costOf } from "./path-costs.ts";

const GET = 0x20;
const SET = 0x21;
const TEE = 0x22;
const CONSTANT = 0x41;
const NOT_EQUAL = 0x47;
const LESS_UNSIGNED = 0x49;
const ADD = 0x6a;
const SUBTRACT = 0x6b;
const MULTIPLY = 0x6c;
const ROTATE = 0x78;
const SELECT = 0x1b;
const UNREACHABLE_OP = 0x00;
const BLOCK_OP = 0x02;
const LOOP_OP = 0x03;
const IF_OP = 0x04;
const ELSE_OP = 0x05;
const END_OP = 0x0b;
const BR_OP = 0x0c;
const BR_IF = 0x0d;
const BR_TABLE_OP = 0x0e;
const RETURN_OP = 0x0f;
/** ne, lt_s, lt_u, gt_s, gt_u of 32 bits */
const COMPARES = new Set([NOT_EQUAL, 0x48, LESS_UNSIGNED, 0x4a, 0x4b]);
/** Branches of one byte, of which casts are not. */
const BRANCHES = new Set([0x0c, BR_IF, 0x0e, 0xd5, 0xd6]);
/** try, catch, throw, rethrow, throw_ref, delegate, catch_all, try_table, and casts */
const EXCLUDED = new Set([0x06, 0x07, 0x08, 0x09, 0x0a, 0x18, 0x19, 0x1f, 0xfb]);

/** lt_u, gt_u; gt_s, gt_u */
const UNSIGNED = new Set([LESS_UNSIGNED, 0x4b]);
const ABOVE = new Set([0x4a, 0x4b]);
const GROW = 0x40;
const NO_TYPE = 0x40;
/** From here on, a byte of a number is not its last. */
const CONTINUED = 0x80;
/** else, catch, delegate, catch_all */
const MERGES = new Set([0x05, 0x07, 0x18, 0x19]);
/** More turns of a loop without a check are not counted. */
const MOST_COUNTED = 1024;

/** What a strip may have at most. */
const MOST_TURNS = 0x1_0000;
/** With `ne`, a step is two to the power of this at most: so that no distance is mistaken for a short one. */
const MOST_SHIFT = 8;

/** `local.get` or `i32.const`, with its index or number. */
interface Operand {
	readonly op: number;
	readonly value: number;
}

/** A loop of the guest's with one way back, of which the turns can be bounded. */
export interface StripLoop {
	/** The local that each turn adds the step to, once, right before it is compared with the bound; neither of these changes. */
	readonly variable: number;
	readonly step: Operand;
	readonly bound: Operand;
	readonly compare: number;
	/** Whether there is no comparison, which is one with 0. */
	readonly isShort: boolean;
	/** Where the comparison and the branch begin. */
	readonly test: number;
	readonly branch: number;
	/** What a turn costs at most, from its head to the branch back, on ways that pass no instruction twice. */
	readonly cost: number;
	/** Whether there are loops in it. */
	readonly hasLoops: boolean;
	/** Whether something in it may take long by the length that it is given. */
	readonly hasBulk: boolean;
}

/** What is known of a strip's beginning. */
export interface Limit {
	readonly local: number;
	readonly turns: number;
}

/**
 * The loop whose body begins at the cursor, which stays there; `undefined` where its turns are not known to be bounded.
 * @param isInnermost whether only one that has no loops in it is asked for
 */
export function readStripLoop(from: Cursor, carried: Carried, isInnermost = false): StripLoop | undefined {
	const cursor = new Cursor(from.bytes, from.at, from.end);
	const instructions = new Instructions(cursor, true);
	const starts: number[] = [];
	const sets = new Map<number, number>();
	const way = new Way();
	let cost = 0;
	let backs = 0;
	let hasLoops = false;
	let hasBulk = false;
	/** Where control came together last. */
	let merge = cursor.at;
	/** The depth of the loop within that is open; 0 for none. */
	let within = 0;
	/** Of the branch back, among the starts. */
	let latch = -1;
	for (;;) {
		const start = cursor.at;
		starts.push(start);
		const kind = instructions.next();
		const { op, depth, labels } = instructions;
		const values = carried.pass(kind, instructions);
		way.pass(op, costOf(op, instructions.code), values, depth, BRANCHES.has(op) ? labels : NOWHERE);
		if (kind === END && depth < 0) break;
		if (kind === CALL || kind === CALL_INDIRECT || (kind === LOOP && (isInnermost || within > 0))) return undefined;
		if (op === GROW || divisorOf(instructions) !== undefined) hasBulk = true;
		if (kind === LOOP) {
			hasLoops = true;
			within = depth;
			way.add(costOfCounted(cursor, carried, merge, start));
		} else if (kind === END && depth < within) within = 0;
		if (isMerge(kind, op)) merge = cursor.at;
		if (kind === CONTROL && EXCLUDED.has(op)) return undefined;
		if (op === SET || op === TEE) {
			const local = operandAt(cursor, start).value;
			sets.set(local, (sets.get(local) ?? 0) + 1);
		}
		if (!BRANCHES.has(op) || !labels.includes(depth)) continue;
		backs++;
		cost = way.now;
		latch = op === BR_IF && within === 0 ? starts.length - 1 : -1;
	}
	if (backs !== 1 || latch < 0 || cost < 0) return undefined;
	const at = (back: number): Operand => {
		const start = starts[latch - back];
		return start === undefined ? NOTHING : operandAt(cursor, start);
	};
	const isShort = at(1).op === TEE;
	const tee = isShort ? 1 : 3;
	const compare = isShort ? NOT_EQUAL : at(1).op;
	const bound = isShort ? { op: CONSTANT, value: 0 } : at(2);
	const sum = at(tee + 1).op;
	if (at(tee).op !== TEE || !COMPARES.has(compare) || (sum !== ADD && sum !== SUBTRACT)) return undefined;
	const variable = at(tee).value;
	const [left, right] = [at(tee + 3), at(tee + 2)];
	const isVariable = ({ op, value }: Operand): boolean => op === GET && value === variable;
	// An invariant: a number, or a local that is not set within
	const isFixed = ({ op, value }: Operand): boolean => op === CONSTANT || (op === GET && !sets.has(value));
	let step: Operand;
	if (isVariable(left) && isFixed(right)) step = right;
	else if (isVariable(right) && isFixed(left) && sum === ADD) step = left;
	else return undefined;
	if (sum === SUBTRACT) {
		if (step.op !== CONSTANT) return undefined;
		step = { op: CONSTANT, value: -step.value | 0 };
	}
	if (sets.get(variable) !== 1 || !isFixed(bound)) return undefined;
	if (compare === NOT_EQUAL && (step.op !== CONSTANT || shiftOf(step.value) > MOST_SHIFT)) return undefined;
	const test = starts[latch - tee + 1] as number;
	return { variable, step, bound, compare, isShort, test, branch: starts[latch] as number, cost, hasLoops, hasBulk };
}

/** Whether control may come from elsewhere to what stands behind an instruction. */
export function isMerge(kind: number, op: number): boolean {
	return kind === LOOP || kind === END || (kind === CONTROL && MERGES.has(op));
}

/**
 * What all turns of the loop cost whose body begins at the cursor, which stays there: of one that has no loops in it, begins at a number, and steps by one to
 * one. 0 where that is not known.
 * @param carried what is known around it
 * @param merge where control came together last before the loop: from there to the loop all is run, once
 * @param start where the loop begins
 */
export function costOfCounted(from: Cursor, carried: Carried, merge: number, start: number): number {
	if (from.bytes[start + 1] !== NO_TYPE || !followsNumber(from.bytes, start)) return 0;
	const loop = readStripLoop(from, carried.ofLoop(), true);
	if (loop === undefined || loop.hasBulk) return 0;
	const { variable, step, bound, compare, cost } = loop;
	if (step.op !== CONSTANT || bound.op !== CONSTANT) return 0;
	const initial = numberOf(variable, new Cursor(from.bytes, merge, start));
	return initial === undefined ? 0 : cost * countTurns(initial, step.value, bound.value, compare);
}

/** Whether bytes look as if some local were set to a number there: few do where that is not so. */
function followsNumber(bytes: Uint8Array, start: number): boolean {
	let at = start - 2;
	while ((bytes[at] as number) >= CONTINUED) at--;
	if (bytes[at--] !== SET) return false;
	do at--;
	while ((bytes[at] as number) >= CONTINUED);
	return bytes[at] === CONSTANT;
}

/** What a local is set to by straight code that ends with some local's being set to a number, if the last that it is set to is one. */
function numberOf(local: number, code: Cursor): number | undefined {
	const instructions = new Instructions(code);
	let found: number | undefined;
	let [before, last] = [NOTHING, NOTHING];
	while (!code.done) {
		const { at } = code;
		instructions.next();
		[before, last] = [last, operandAt(code, at)];
		const isSet = (last.op === SET || last.op === TEE) && last.value === local;
		if (isSet) found = before.op === CONSTANT ? before.value : undefined;
	}
	return last.op === SET && before.op === CONSTANT ? found : undefined;
}

/** How often a loop turns; 0 for more often than is of interest. */
function countTurns(initial: number, step: number, bound: number, compare: number): number {
	for (let turns = 1, value = initial; turns <= MOST_COUNTED; turns++) {
		value = (value + step) | 0;
		const [a, b] = UNSIGNED.has(compare) ? [value >>> 0, bound >>> 0] : [value, bound];
		if (compare === NOT_EQUAL ? a === b : ABOVE.has(compare) ? a <= b : a >= b) return turns;
	}
	return 0;
}

/**
 * Reads how a strip begins: its limit is set to what the loop comes to after so many turns, or to its bound where that is nearer. With an order, the variable is
 * after these turns, all numbers being taken modulo 2³², what the limit was taken as the nearer one from: so the comparison fails then
 * at last; and it never holds where that with the bound fails. With `ne`, the limit is the bound if that is less than so many steps away, without a remainder, and
 * else what is met after them: of the two that which is met first.
 * @returns `undefined`, and the cursor where it was, if it is something else
 */
export function readLimit(to: Cursor, loop: StripLoop): Limit | undefined {
	const start = to.at;
	const reader = new Expected(to);
	const { variable, step, bound, compare } = loop;
	const v: Operand = { op: GET, value: variable };
	let local = -1;
	let turns = 0;
	reader.operand(bound);
	reader.operand(v);
	let scaled: number | undefined;
	if (step.op === GET) {
		reader.operand(step);
		turns = reader.number(CONSTANT);
		reader.op(MULTIPLY);
	} else scaled = reader.number(CONSTANT);
	reader.op(ADD);
	if (compare === NOT_EQUAL) {
		reader.operand(step.value < 0 ? v : bound);
		reader.operand(step.value < 0 ? bound : v);
		reader.op(SUBTRACT);
		reader.operand({ op: CONSTANT, value: -Math.abs(step.value) });
		reader.op(ADD);
		reader.operand({ op: CONSTANT, value: shiftOf(step.value) });
		reader.op(ROTATE);
		turns = reader.number(CONSTANT);
		reader.op(LESS_UNSIGNED);
	} else {
		local = reader.number(TEE);
		reader.operand(bound);
		reader.operand({ op: GET, value: local });
		reader.op(compare);
		if (scaled !== undefined) turns = scaled / step.value;
	}
	reader.op(SELECT);
	const set = reader.number(SET);
	if (local < 0) local = set;
	const isFit = Number.isInteger(turns) && turns > 0 && turns <= MOST_TURNS;
	if (reader.isOther || set !== local || !isFit || (scaled ?? turns * step.value) !== turns * step.value) {
		to.at = start;
		return undefined;
	}
	return { local, turns };
}

/** Reads the branch back of a strip. @returns whether it is one */
export function readLatch(to: Cursor, loop: StripLoop, limit: number, label: number): boolean {
	const reader = new Expected(to);
	reader.operand({ op: GET, value: limit });
	reader.op(loop.compare);
	reader.operand({ op: BR_IF, value: label });
	reader.operand({ op: GET, value: loop.variable });
	if (!loop.isShort) {
		reader.operand(loop.bound);
		reader.op(loop.compare);
	}
	reader.operand({ op: BR_IF, value: label + 1 });
	return !reader.isOther;
}

const NOWHERE: readonly number[] = [];

/** What runs at most from the head of a loop, by ways that do not come back to one: those that do pass a check there. */
class Way {
	/** -1 where no way leads. */
	now = 0;
	/** Of each block that is open, by its depth: what ran before it, what runs at most up to its end, and by what it was opened. */
	readonly #before: number[] = [];
	readonly #behind: number[] = [];
	readonly #opened: number[] = [];

	/** All turns of a loop within. */
	add(cost: number): void {
		if (this.now >= 0) this.now += cost;
	}

	/** @param depth behind the instruction; 0 in the loop itself */
	pass(op: number, cost: number, values: number, depth: number, labels: readonly number[]): void {
		// Of a block and its end there is no code
		if (this.now >= 0) this.now += op === BLOCK_OP || op === END_OP ? values : cost + values;
		for (const label of labels) {
			const to = depth - label;
			if (to > 0 && this.#opened[to] !== LOOP_OP) this.#behind[to] = Math.max(this.#behind[to] as number, this.now);
		}
		switch (op) {
			case BLOCK_OP:
			case LOOP_OP:
			case IF_OP:
				this.#before[depth] = this.now;
				this.#behind[depth] = -1;
				this.#opened[depth] = op;
				break;
			case ELSE_OP:
				this.#behind[depth] = Math.max(this.#behind[depth] as number, this.now);
				this.#opened[depth] = op;
				this.now = this.#before[depth] as number;
				break;
			case END_OP: {
				const closed = depth + 1;
				if (closed === 0) break;
				this.now = Math.max(this.now, this.#behind[closed] ?? -1);
				if (this.#opened[closed] === IF_OP) this.now = Math.max(this.now, this.#before[closed] as number);
				break;
			}
			case UNREACHABLE_OP:
			case BR_OP:
			case BR_TABLE_OP:
			case RETURN_OP:
				this.now = -1;
		}
	}
}

const NOTHING: Operand = { op: -1, value: 0 };

/** An instruction, and its immediate if it is one of interest. */
function operandAt({ bytes, end }: Cursor, start: number): Operand {
	const cursor = new Cursor(bytes, start, end);
	const op = cursor.byte();
	if (op === CONSTANT) return { op, value: cursor.signed() };
	return { op, value: op === GET || op === SET || op === TEE ? cursor.number() : 0 };
}

/** The logarithm of a step; a large number where it has none. */
function shiftOf(step: number): number {
	const shift = Math.log2(Math.abs(step));
	return Number.isInteger(shift) ? shift : Infinity;
}

/** Reads instructions one after the other, and finds out whether they are what they are to be. */
class Expected {
	readonly #to: Cursor;
	isOther = false;

	constructor(to: Cursor) {
		this.#to = to;
	}

	op(op: number): void {
		if (this.isOther || this.#to.done || this.#to.byte() !== op) this.isOther = true;
	}

	number(op: number): number {
		this.op(op);
		if (this.isOther) return -1;
		return op === CONSTANT ? this.#to.signed() : this.#to.number();
	}

	operand({ op, value }: Operand): void {
		if (this.number(op) !== value) this.isOther = true;
	}
}
