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

	/** What is known now: it does not change any more. */
	get known(): ReadonlyMap<number, number> {
		return this.#numbers === undefined ? NO_CONSTANTS : new Map(this.#numbers);
	}

	forget(): void {
		this.#numbers = this.#pushed = undefined;
	}

	/** An instruction with its first immediate. */
	pass(op: number, first: number): void {
		if (op === OP["i32.const"]) {
			this.#pushed = first;
			return;
		}
		if (op === OP["local.set"] || op === OP["local.tee"]) {
			if (this.#pushed !== undefined) (this.#numbers ??= new Map()).set(first, this.#pushed);
			else this.#numbers?.delete(first);
		}
		this.#pushed = undefined;
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
 * Whether the body that the reader is to enter may have a loop that comes back by `br_if` and before which a local is set to a number: which most code is
 * passed by soon.
 */
export function mayHaveShort(reader: CodeReader, body: number): boolean {
	let isSet = false;
	reader.enter(body);
	while (reader.nextOf(OF_LOOPS)) {
		if (FLOW[reader.op] === LOOP) isSet = followsNumber(reader);
		else if (isSet && reader.first === 0) return true;
	}
	return false;
}

/** Whether the bytes before the current instruction look like `(local.set $v (i32.const n))`, each with an immediate of one or two bytes. */
function followsNumber({ code: { bytes }, start, codeStart }: CodeReader): boolean {
	for (const local of [2, 3]) {
		if (start - local < codeStart || bytes[start - local] !== OP["local.set"]) continue;
		for (const number of [2, 3]) if (bytes[start - local - number] === OP["i32.const"]) return true;
	}
	return false;
}
