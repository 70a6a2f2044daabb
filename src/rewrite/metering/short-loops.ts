import { type CodeReader, OP } from "../../wasm/mod.ts";

/** What all turns of a loop may cost together, in nanoseconds, for it to need no check: it counts as straight code then. */
export const MOST_SHORT = 60_000;

/** More turns are not counted. */
const MOST_TURNS = 1024;

export const NO_CONSTANTS: ReadonlyMap<number, number> = new Map();

/**
 * The locals that hold a known number where the loop begins that is the current instruction, if one was set to a number right before: else hardly any
 * counts from one.
 * @param from what stands between is run once, one after the other
 */
export function findConstants(reader: CodeReader, from: number): ReadonlyMap<number, number> {
	if (!followsNumber(reader)) return NO_CONSTANTS;
	const numbers = new Map<number, number>();
	const loop = reader.start;
	/** The number that the last instruction has pushed, and whether it has set a local to that of the one before. */
	let pushed: number | undefined;
	let isSet = false;
	reader.rewind(from);
	while (reader.next() && reader.start < loop) {
		const { op, first } = reader;
		const number = pushed;
		pushed = op === OP["i32.const"] ? first : undefined;
		isSet = op === OP["local.set"] && number !== undefined;
		if (op !== OP["local.set"] && op !== OP["local.tee"]) continue;
		if (number !== undefined) numbers.set(first, number);
		else numbers.delete(first);
	}
	return isSet ? numbers : NO_CONSTANTS;
}

/**
 * How many turns a loop makes whose variable has this number before the first, and in which each adds the step and goes on if the sum compares with the
 * bound; 0 for too many.
 */
export function countTurns(from: number, step: number, bound: number, compare: number): number {
	let variable = from;
	for (let turns = 1; turns <= MOST_TURNS; turns++) {
		variable = (variable + step) | 0;
		if (!goesOn(variable, bound, compare)) return turns;
	}
	return 0;
}

function goesOn(variable: number, bound: number, compare: number): boolean {
	switch (compare) {
		case OP["i32.ne"]:
			return variable !== bound;
		case OP["i32.lt_s"]:
			return variable < bound;
		case OP["i32.gt_s"]:
			return variable > bound;
		case OP["i32.lt_u"]:
			return variable >>> 0 < bound >>> 0;
		default:
			return variable >>> 0 > bound >>> 0;
	}
}

/** Whether a local is set to a number right before the current instruction, as its bytes look: it is so whenever that is done. */
export function followsNumber({ code: { bytes }, start, codeStart }: CodeReader): boolean {
	const set = startOf(bytes, OP["local.set"], codeStart, start);
	return set >= 0 && startOf(bytes, OP["i32.const"], codeStart, set) >= 0;
}

/** Whether the current instruction branches by how something compares with a number, as its bytes look. */
export function comparesWithNumber({ code: { bytes }, start, codeStart }: CodeReader): boolean {
	if (startOf(bytes, OP["local.tee"], codeStart, start) >= 0) return true;
	return startOf(bytes, OP["i32.const"], codeStart, start - 1) >= 0;
}

/** Where an instruction with one index or number begins that ends there; -1 for another. */
function startOf(bytes: Uint8Array, op: number, from: number, end: number): number {
	let at = end - 2;
	while (at > from && isContinued(bytes[at])) at--;
	return at >= from && !isContinued(bytes[end - 1]) && bytes[at] === op ? at : -1;
}

/** Whether more bytes of a number follow. */
function isContinued(byte: number | undefined): boolean {
	return ((byte ?? 0) & 0x80) !== 0;
}
