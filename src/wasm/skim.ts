import { operatorOf } from "./operators.ts";
import type { Atom } from "./opcode-row.ts";

/** How an instruction is passed over, by its first byte: not at all, or by what follows it. */
export const STOP = 0;
export const BARE = 1;
/** One number of up to 64 bits. */
const NUMBER = 2;
/** A memory argument. */
export const ACCESS = 3;

/** Which instructions `CodeReader.nextOf` passes over, for a pass that has no use for most of them. */
export interface Skim {
	/** By first byte. */
	readonly ways: Uint8Array;
	/** What each costs; of those that are passed over, the reader tells the sum. */
	readonly costs: Int32Array;
}

const NUMBERS: ReadonlySet<Atom> = new Set<Atom>(["local", "global", "func", "table", "tag", "s32", "s64"]);

function wayOf(op: number): number {
	const operator = operatorOf(op);
	const [first, second] = operator?.atoms ?? [];
	if (operator === undefined || second !== undefined) return STOP;
	if (first === undefined) return BARE;
	return first === "memarg" ? ACCESS : NUMBERS.has(first) ? NUMBER : STOP;
}

/**
 * @param isWanted the operators that a pass is to see. It may come to see others as well: those with a prefix or of a rare form, and
 * accesses of other memories than the first.
 * @param costs by operator
 */
export function defineSkim(isWanted: (op: number) => boolean, costs: ArrayLike<number> = []): Skim {
	return {
		ways: Uint8Array.from({ length: 256 }, (_, op) => (isWanted(op) ? STOP : wayOf(op))),
		costs: Int32Array.from({ length: 256 }, (_, op) => costs[op] ?? 0),
	};
}
