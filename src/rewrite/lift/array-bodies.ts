import { type Assembler } from "./assembler.ts";
import { begin, copyInPieces, eachChunk, outsideOf, type Place, step } from "./pieces.ts";

/**
 * Bodies of the functions that stand in for bulk instructions on arrays, as those on tables have them: of all that an array may hold, 16 MiB,
 * one instruction takes V8 up to 15 ms.
 */

/** Bytes of the elements that one bulk instruction of V8's moves at most: some 0.03 ms. */
const CHUNK_BYTES = 32_768;

/** Elements of a piece, where each has so many bytes. */
export function arrayChunk(width: number): number {
	return CHUNK_BYTES / width;
}

/** Leaves whether a range lies outside of the array in a local, which traps where it is null, as the instruction does. */
function outside(at: Assembler, array: number, from: number, length: number): void {
	const size = (): Assembler => at.op("local.get", array).op("array.len").op("i64.extend_i32_u");
	outsideOf(at, "i32", size, from, length, "i32");
}

/** All operands, for what is left, or out of bounds. */
function getAll(at: Assembler, count: number): Assembler {
	for (let local = 0; local < count; local++) at.op("local.get", local);
	return at;
}

/** `(array, d, value, n)` */
export function arrayFillBody(type: number, width: number): Uint8Array {
	const chunk = arrayChunk(width);
	const at = begin();
	outside(at, 0, 1, 3);
	at.op("i32.eqz").begin("if");
	eachChunk(at, 3, "i32", chunk, () => {
		at.op("local.get", 0).op("local.get", 1).op("local.get", 2).const("i32", chunk).op("array.fill", type);
		step(at, 1, "i32", "add", chunk);
		step(at, 3, "i32", "sub", chunk);
	});
	at.end();
	return getAll(at, 4).op("array.fill", type).end().out.finish();
}

/** `(array, d, source, s, n)` */
export function arrayCopyBody(to: number, from: number, width: number): Uint8Array {
	const target: Place = { local: 1, type: "i32", before: 0 };
	const source: Place = { local: 3, type: "i32", before: 2 };
	const at = begin();
	outside(at, 0, 1, 4);
	outside(at, 2, 3, 4);
	at.op("i32.or").op("i32.eqz").begin("if");
	copyInPieces(at, target, source, { local: 4, type: "i32" }, arrayChunk(width), () => at.op("array.copy", to, from));
	at.end();
	return getAll(at, 5).op("array.copy", to, from).end().out.finish();
}

/**
 * `(array, d, s, n)`; where the segment was dropped, `s` is beyond it.
 * @param unit by how much `s` grows with an element: bytes of data, or 1
 * @param length of the segment, in the same
 */
export function arrayInitBody(
	kind: "data" | "elem",
	type: number,
	segment: number,
	{ width, unit, length }: { readonly width: number; readonly unit: number; readonly length: number },
): Uint8Array {
	const chunk = arrayChunk(width);
	const name = kind === "data" ? "array.init_data" : "array.init_elem";
	const at = begin();
	outside(at, 0, 1, 3);
	at.wide(2, "i32").wide(3, "i32").const("i64", unit).op("i64.mul").op("i64.add").const("i64", length).op("i64.gt_u");
	at.op("i32.or").op("i32.eqz").begin("if");
	eachChunk(at, 3, "i32", chunk, () => {
		at.op("local.get", 0).op("local.get", 1).op("local.get", 2).const("i32", chunk).op(name, type, segment);
		step(at, 1, "i32", "add", chunk);
		step(at, 2, "i32", "add", chunk * unit);
		step(at, 3, "i32", "sub", chunk);
	});
	at.end();
	return getAll(at, 4).op(name, type, segment).end().out.finish();
}
