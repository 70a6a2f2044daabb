import { Calls } from "./calls.ts";
import { type Cursor, refuse, sameBytes } from "./cursor.ts";
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
import { KIND_FUNCTION, KIND_MEMORY, type Outline } from "./outline.ts";

const IF = 0x04;
const NOTHING = 0x40;
const UNREACHABLE = 0x00;
const END_OF_BLOCK = 0x0b;

/** The one sequence of instructions that may be added, written out once more: lower the flag that is up, leave word, trap. */
function checkFor(memory: number): Uint8Array {
	const index: number[] = [];
	for (let rest = memory; ; rest >>>= 7) {
		if (rest < 0x80) {
			index.push(rest);
			break;
		}
		index.push((rest & 0x7f) | 0x80);
	}
	const test = [0x41, 0x00, 0x2d, 0x40, ...index, 0x00];
	const lower = [0x41, 0x00, 0x41, 0x80, 0x02, 0x36, 0x42, ...index, 0x00];
	return Uint8Array.from([...test, IF, NOTHING, ...lower, UNREACHABLE, END_OF_BLOCK]);
}

/**
 * Walks the guest's code beside the rewritten: they are equal but for checks, which stand in every loop and in every cycle of calls;
 * and the guest's own instructions name none but the guest's own memories.
 */
export function compareCode(original: Cursor, rewritten: Cursor, outline: Outline): void {
	const memories = outline.count(KIND_MEMORY) + outline.memories.length;
	const imported = outline.count(KIND_FUNCTION);
	const check = checkFor(memories);
	const calls = new Calls(outline);
	const bodies = original.number();
	if (rewritten.number() !== bodies) throw refuse("it has other functions than the original");
	for (let i = 0; i < bodies; i++) {
		const from = original.take(original.number());
		const to = rewritten.take(rewritten.number());
		compareBody(from, to, imported + i, { check, calls, outline, memories });
	}
	const found = calls.findCycle();
	if (found !== undefined) throw refuse(`a cycle of calls through function ${found} has no check`);
}

interface Comparison {
	readonly check: Uint8Array;
	readonly calls: Calls;
	readonly outline: Outline;
	readonly memories: number;
}

function compareBody(from: Cursor, to: Cursor, index: number, { check, calls, outline, memories }: Comparison): void {
	const { bytes } = from;
	/** What of the original has been found in the rewritten body, which stands at `to.at`. */
	let compared = from.at;
	const equalUpTo = (end: number): void => {
		if (to.at + end - compared > to.end || !sameBytes(bytes, compared, end, to.bytes, to.at))
			throw refuse(`function ${index} is not what it was`);
		to.at += end - compared;
		compared = end;
	};
	const hasCheck = (): boolean => {
		if (to.at + check.length > to.end || !sameBytes(check, 0, check.length, to.bytes, to.at)) return false;
		to.at += check.length;
		return true;
	};
	for (let runs = from.number(); runs > 0; runs--) {
		from.skipNumber();
		from.skipType();
	}
	equalUpTo(from.at);
	const checked = hasCheck();
	if (checked) calls.checked(index);
	const instructions = new Instructions(from);
	instructions.depth = 1;
	while (!from.done) {
		const kind = instructions.next();
		if (kind === PLAIN || kind === CONTROL) continue;
		switch (kind) {
			case LOOP:
				equalUpTo(from.at);
				if (!hasCheck()) throw refuse(`a loop in function ${index} has no check`);
				break;
			case CALL:
				if (!checked) calls.direct(index, instructions.first);
				break;
			case CALL_INDIRECT:
				if (!checked) calls.indirect(index, instructions.first, instructions.second);
				break;
			case FUNCTION_REFERENCE:
				outline.taken.add(instructions.first);
				break;
			case TABLE_CHANGE:
				calls.changesTables = true;
				break;
			case END:
				if (instructions.depth === 0 && !from.done) throw refuse(`function ${index} goes on behind its end`);
		}
	}
	if (from.at !== from.end) throw refuse(`function ${index} ends in the middle of an instruction`);
	equalUpTo(from.end);
	if (!to.done) throw refuse(`function ${index} has more than its original`);
	if (instructions.highestMemory >= memories)
		throw refuse(`function ${index} names memory ${instructions.highestMemory}, which the guest does not have`);
}
