import { OP, type OpName } from "../../wasm/mod.ts";

/**
 * What may run between two checks, in nanoseconds at most: of V8's first compiler, on a slow machine, each access of memory a miss of all
 * caches. An ordinary program is five to ten times as fast.
 */
export const BOUND = 350_000;

/** Of that, what a function may run before its first check, if it comes to one: whoever calls it has to have so much left. */
export const HEAD = 125_000;

/** What may have run since its last check where it ends: so much less is left to whoever called it. */
export const TAIL = 90_000;

/** What is called from more places than this has one check of its own rather than one at each of them: both bounds are then `SHORT`. */
export const OFTEN = 12;
export const SHORT = 15_000;

/**
 * What one function of each cycle may run behind a call that closes it, to its end or next check, with what the others do. A stack of V8's default size holds 18,000 frames,
 * and an exception or a return may go through all of them: one millisecond. An access of memory is more than that.
 */
export const UP = 64;

/**
 * The same for what others can call, and so what they are promised of each other: a function that calls an import has so much less left.
 * The host's own functions come back at once, or look at the clock. It is less than `SHORT`, so that what does no more than call an import
 * needs no check, and small functions stay small: V8 inlines by their size. It is more than `BRIEF` by what it takes to compile a function or two, so that hardly
 * one that is brief has a check for those.
 */
export const FOREIGN = 12_000;

/** What a function runs at most that is called without anybody being told, as nobody need be able to stop it. */
export const BRIEF = 10_000;

/**
 * What may have run since the last check where another instance comes back. More than `TAIL`, for a function may end with a call that stands
 * behind a check and runs as much as `HEAD`: what takes so many parameters that it would be more with them has so much less.
 */
export const FOREIGN_TAIL = 135_000;

/** What a turn of a loop may bring to its head, where the check is another loop's within. */
export const TURN = 125_000;

/**
 * What V8 takes to compile a function at its first call, which nothing interrupts, is counted to a fifth at each call: some 3 µs, and 40 ns for each
 * byte where code is dense. So between two checks no more of it goes by than 1.8 ms, beside one function that is called right behind a check.
 */
export const FIRST_CALL = 600;
export const FIRST_CALL_BYTE = 8;

/** The most that is counted for bytes: a function of so many is the only one of its kind between two checks. */
export const MOST_FIRST_CALL = 200_000;

/**
 * Functions that can call each other, if they come to no more than this together (1 KB): no frame of theirs counts what is first called in it behind such
 * a call, if that is small, for there are few places from which it may be.
 */
export const FEW_FIRST_CALLS = 8_192;
export const SMALL_FIRST_CALL = 1_024;

/** What it costs to enter a function that declares so many locals, be it for the first time: no more than `FOREIGN`, as many as there may be. */
export function costOfEntry(locals: number): number {
	return Math.max(FIRST_CALL, costOfLocals(locals));
}

/** What is run for so many locals: where they are many, V8's first compiler writes them all. */
export function costOfLocals(count: number): number {
	return Math.max(0, Math.floor((count - 64) / 5));
}

/**
 * What it costs to move a value where ways part or meet, or functions: a load and a store of some 15 bytes of code, which come from memory where there is much of
 * it. Of what takes few values the instructions that make them pay for that: branches and results of compilers have one, calls a dozen.
 */
const VALUE = 16;
const FEW = 2;
const FEW_PARAMS = 16;

/** The same of a field of a structure that is made without values. */
const FIELD = 8;
const FEW_FIELDS = 32;

/** What it costs to take so many values along: results, parameters of blocks, payloads of exceptions. */
export function costOfValues(count: number): number {
	return Math.max(0, count - FEW) * VALUE;
}

/** What it costs to give a function so many parameters. */
export function costOfParams(count: number): number {
	return Math.max(0, count - FEW_PARAMS) * VALUE;
}

/** What it costs to fill so many fields of a structure. */
export function costOfFields(count: number): number {
	return Math.max(0, count - FEW_FIELDS) * FIELD;
}

/** Tables of fewer labels than this lie in the caches, and where they lead is mostly foreseen: compilers make hardly any of more. */
const MANY_LABELS = 1024;
const LABELS_DOUBLED = 18;

/** What it costs to branch by a table of so many labels, beside the default: an entry that comes from memory, as the code does that it leads to. */
export function costOfLabels(count: number): number {
	return count < MANY_LABELS ? 0 : LABELS_DOUBLED * (31 - Math.clz32(count));
}

const RULES: readonly (readonly [names: RegExp, cost: number])[] = [
	[/^(memory|table|array)\.(fill|copy|init|init_data|init_elem)$/, 50_000],
	[/^(throw|throw_ref|rethrow)$/, 3_000],
	[/\.(load|store)|\.atomic\.|^(table|data|elem|array|struct|memory)\.|^ref\.(test|cast)|^br_on_cast/, 250],
	[/^(return_)?call/, 20],
	[/\.(div|rem|sqrt)/, 30],
];

/** What each operator costs by itself, in nanoseconds. */
export const COST: Uint16Array = new Uint16Array(Math.max(...Object.values(OP)) + 1).fill(2);
for (const [name, op] of Object.entries(OP) as [OpName, number][]) {
	COST[op] = RULES.find(([names]) => names.test(name))?.[1] ?? 2;
}
