import { type CodeReader, OP } from "../../wasm/mod.ts";

/** What all turns of a loop may cost together, in nanoseconds, for it to need no check: it counts as straight code then. */
export const MOST_SHORT = 60_000;

/** More turns are not counted. */
const MOST_TURNS = 1024;

export const NO_CONSTANTS: ReadonlyMap<number, number> = new Map();

/** The locals that hold a known number, as straight code has set them since control came together last. */
export class Constants {
	#numbers: Map<number, number> | undefined;
	/** The number that the last instruction has pushed. */
	#pushed: number | undefined;
	/** Whether the last instruction has set a local to it. */
	#isSet = false;

	/** What is known where a loop begins, if a local was set to a number right before: else hardly any counts from one. */
	get known(): ReadonlyMap<number, number> {
		return this.#isSet ? new Map(this.#numbers) : NO_CONSTANTS;
	}

	forget(): void {
		this.#numbers = this.#pushed = undefined;
		this.#isSet = false;
	}

	/** An instruction with its first immediate. */
	pass(op: number, first: number): void {
		const number = this.#pushed;
		const isSet = op === OP["local.set"];
		this.#pushed = op === OP["i32.const"] ? first : undefined;
		this.#isSet = isSet && number !== undefined;
		if (!isSet && op !== OP["local.tee"]) return;
		if (number !== undefined) (this.#numbers ??= new Map()).set(first, number);
		else this.#numbers?.delete(first);
	}
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
