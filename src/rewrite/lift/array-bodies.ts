import { begin } from "./pieces.ts";

/**
 * Bytes that an array has at most. What makes, fills or copies one is a single instruction of V8's, which nothing interrupts: so much takes
 * it some 0.05 s, and the 1 GiB that V8 would allow whole seconds.
 */
const MAX_BYTES = 64 * 1024 * 1024;

const SIZES: Readonly<Record<string, number>> = { i8: 1, i16: 2, i32: 4, f32: 4, v128: 16 };

/** The elements of the longest array. @param storage the name of the type of its elements, where that is a number */
export function longestArray(storage: string): number {
	return MAX_BYTES / (SIZES[storage] ?? 8);
}

/** `(length) → length`, or what is too long for V8, so that it says so. */
export function lengthBody(longest: number): Uint8Array {
	const at = begin().op("local.get", 0).const("i32", -1);
	at.op("local.get", 0).const("i32", longest).op("i32.le_u").op("select");
	return at.end().out.finish();
}
