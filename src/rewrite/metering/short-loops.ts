import { type CodeReader, defineSkim, OP } from "../../wasm/mod.ts";
import { BR_IF, FLOW, LOOP } from "./control.ts";

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

const OF_LOOPS = defineSkim((op) => FLOW[op] === LOOP || FLOW[op] === BR_IF);

/**
 * Whether the body that the reader is to enter may have a loop with a `br_if` before which a local is set to a number: which most code is
 * passed by soon.
 */
export function mayHaveShort(reader: CodeReader, body: number): boolean {
	let isSet = false;
	reader.enter(body);
	while (reader.nextOf(OF_LOOPS)) {
		if (FLOW[reader.op] === LOOP) isSet = followsNumber(reader);
		else if (isSet && FLOW[reader.op] === BR_IF) return true;
	}
	return false;
}

/** How many bytes an instruction with an index or a number has at least and at most. */
const LEAST_BYTES = 2;
const MOST_BYTES = 6;

/** Whether the bytes before the current instruction look like `(local.set $v (i32.const n))`. */
function followsNumber({ code: { bytes }, start, codeStart }: CodeReader): boolean {
	for (let set = start - LEAST_BYTES; set >= Math.max(codeStart, start - MOST_BYTES); set--) {
		if (bytes[set] !== OP["local.set"]) continue;
		const before = bytes.subarray(Math.max(codeStart, set - MOST_BYTES), set);
		if (before.includes(OP["i32.const"])) return true;
	}
	return false;
}
