import { Cursor, refuse } from "./cursor.ts";
import {
	ADD,
	type Bytes,
	callHost,
	END,
	EXTEND,
	get,
	IF,
	number,
	signed,
	type Surroundings,
	unsigned,
} from "./lift-pieces.ts";

/** What has to be counted before something is made in V8's heap, and the functions that do so, byte for byte. */

/** log2 of the bytes of an array at most. */
const MAX_BYTES = 24;
/** log2 of the bytes of an element, by the code of its type; all others are as wide as a reference. */
const WIDTHS: ReadonlyMap<number, number> = new Map([
	[0x78, 0],
	[0x77, 1],
	[0x7f, 2],
	[0x7d, 2],
	[0x7b, 4],
]);
const REFERENCE = 3;
const V128 = 0x7b;

const FUNCTION = 0x60;
const STRUCT = 0x5f;
const ARRAY = 0x5e;

const SUBTRACT_64 = 0x7d;
const MULTIPLY_64 = 0x7e;
const NEGATIVE = [0x42, 0, 0x53] as const;
const IS_ZERO = 0x50;
const RETURN = 0x0f;
const UNREACHABLE = 0x00;

/** Past what a type is a subtype of, and its form, to what it holds; `undefined` for a type of another form. */
function findContent({ bytes, at, end }: Cursor, form: number): Cursor | undefined {
	const type = new Cursor(bytes, at, end);
	let found = type.byte();
	if (found === 0x50 || found === 0x4f) {
		for (let supers = type.number(); supers > 0; supers--) type.skipNumber();
		found = type.byte();
	}
	return found === form ? type : undefined;
}

function contentOf(type: Cursor, form: number): Cursor {
	const content = findContent(type, form);
	if (content === undefined) throw refuse("code makes something of a type that is none for it");
	return content;
}

export const isStruct = (type: Cursor): boolean => findContent(type, STRUCT) !== undefined;
export const isArray = (type: Cursor): boolean => findContent(type, ARRAY) !== undefined;

/** log2 of the bytes of an array's elements. */
export function elementWidth(type: Cursor): number {
	return WIDTHS.get(contentOf(type, ARRAY).byte()) ?? REFERENCE;
}

/** What a value of an array's element is as an operand; `undefined` for what is no array. */
export function elementOperand(type: Cursor): Bytes | undefined {
	const content = findContent(type, ARRAY);
	if (content === undefined) return undefined;
	const storage = shortestType(content);
	return storage[0] === 0x78 || storage[0] === 0x77 ? [0x7f] : storage;
}

/** A type in its shortest form, as it stands in what is added. */
export function shortestType(at: Cursor): Bytes {
	const first = at.byte();
	if (first !== 0x63 && first !== 0x64) return [first];
	const heap = at.signed();
	return first === 0x63 && heap < 0 ? signed(heap) : [first, ...signed(heap)];
}

export function arrayBytes(type: Cursor, length: number): number {
	return 24 + length * 2 ** elementWidth(type);
}

export function structureBytes(type: Cursor): number {
	const fields = contentOf(type, STRUCT);
	let bytes = 16;
	for (let n = fields.number(); n > 0; n--) {
		bytes += fields.bytes[fields.at] === V128 ? 16 : 8;
		fields.skipType();
		fields.skip(1);
	}
	return bytes;
}

export function exceptionBytes(type: Cursor): number {
	return 128 + 64 * contentOf(type, FUNCTION).number();
}

/** Takes local 0 of what is left in the global, or asks for more. */
export function allocateBody(at: Surroundings, left: number): Bytes {
	const value = [0x23, ...unsigned(left)];
	const change = [0x24, ...unsigned(left)];
	const ask = [0x42, 0, ...get(0), SUBTRACT_64, ...callHost(at, 4), 0x22, 0, IS_ZERO, ...IF, UNREACHABLE, END];
	const taken = [0, ...value, ...get(0), SUBTRACT_64, 0x22, 0, ...change];
	return [...taken, ...get(0), ...NEGATIVE, ...IF, ...ask, ...value, ...get(0), ADD(true), ...change, END, END];
}

/** Counts an array whose length is in local 0. */
function count(width: number, allocate: number): Bytes {
	const product = [...get(0), EXTEND, ...number(true, 2 ** width), MULTIPLY_64];
	return [...product, ...number(true, 24), ADD(true), 0x10, ...unsigned(allocate)];
}

/** Passes on a length, or in the place of one that is too long the greatest of all. */
export function lengthBody(width: number, allocate: number): Bytes {
	const tooLong = [...get(0), ...number(false, 2 ** (MAX_BYTES - width)), 0x4b, ...IF, 0x41, 0x7f, RETURN, END];
	return [0, ...tooLong, ...count(width, allocate), ...get(0), END];
}

/** Passes on a length, of which there is no more than so much to be taken. */
export function copiedLengthBody(width: number, most: number, allocate: number): Bytes {
	return [0, ...get(0), ...number(false, most), 0x4d, ...IF, ...count(width, allocate), END, ...get(0), END];
}
