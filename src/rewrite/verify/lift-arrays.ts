import {
	ADD,
	advance,
	as64,
	type Bytes,
	END,
	EXTEND,
	get,
	IF,
	number,
	OR,
	reduce,
	repeat,
	signed,
	unsigned,
} from "./lift-pieces.ts";

/** What the functions must be, byte for byte, that stand for bulk instructions on arrays. Widths are given as log2 of bytes. */

/** log2 of the bytes of a piece. */
const CHUNK_BYTES = 15;
const NOT = 0x45;
const ELSE = 0x05;
const GREATER_64 = 0x56;
const NOT_GREATER_64 = 0x58;
const ADD_64 = 0x7c;
const MULTIPLY_64 = 0x7e;
const LENGTH = [0xfb, 0x0f] as const;

/** Elements of a piece. */
export const chunkOf = (width: number): number => 2 ** (CHUNK_BYTES - width);

/** Whether a range of an array lies outside of it. */
const outside = (array: number, start: number, length: number): Bytes => [
	...as64(start, false),
	...as64(length, false),
	ADD_64,
	...get(array),
	...LENGTH,
	EXTEND,
	GREATER_64,
];

/** The instruction in pieces if it is in bounds; and what is left, or all of it, so that it traps. */
const whole = (beyond: Bytes, pieces: Bytes, operands: number, instruction: Bytes): Bytes => [
	0,
	...beyond,
	NOT,
	...IF,
	...pieces,
	END,
	...Array.from({ length: operands }, (_, local) => get(local)).flat(),
	...instruction,
	END,
];

export function arrayFillBody(type: number, width: number): Bytes {
	const chunk = chunkOf(width);
	const fill = [0xfb, 0x10, ...unsigned(type)];
	const piece = [...get(0), ...get(1), ...get(2), ...number(false, chunk), ...fill];
	const pieces = repeat(3, false, chunk, [...piece, ...advance(1, false, chunk), ...reduce(3, false, chunk)]);
	return whole(outside(0, 1, 3), pieces, 4, fill);
}

export function arrayCopyBody(target: number, source: number, width: number): Bytes {
	const chunk = chunkOf(width);
	const copy = [0xfb, 0x11, ...unsigned(target), ...unsigned(source)];
	const size = number(false, chunk);
	const less = reduce(4, false, chunk);
	const forwards = [
		...[0, 1, 2, 3].flatMap(get),
		...size,
		...copy,
		...advance(1, false, chunk),
		...advance(3, false, chunk),
		...less,
	];
	const last = (place: number): Bytes => [...get(place), ...get(4), ADD(false)];
	const backwards = [...less, ...get(0), ...last(1), ...get(2), ...last(3), ...size, ...copy];
	const ahead = [...as64(1, false), ...as64(3, false), NOT_GREATER_64, ...IF];
	const pieces = [...ahead, ...repeat(4, false, chunk, forwards), ELSE, ...repeat(4, false, chunk, backwards), END];
	return whole([...outside(0, 1, 4), ...outside(2, 3, 4), OR], pieces, 5, copy);
}

/**
 * @param unit log2 of what one element takes of the segment
 * @param length of the segment
 */
export function arrayInitBody(
	data: boolean,
	type: number,
	segment: number,
	width: number,
	unit: number,
	length: number,
): Bytes {
	const chunk = chunkOf(width);
	const init = [0xfb, data ? 0x12 : 0x13, ...unsigned(type), ...unsigned(segment)];
	const taken = [...as64(2, false), ...as64(3, false), 0x42, ...signed(2 ** unit), MULTIPLY_64, ADD_64];
	const beyond = [...outside(0, 1, 3), ...taken, 0x42, ...signed(length), GREATER_64, OR];
	const pieces = repeat(3, false, chunk, [
		...[0, 1, 2].flatMap(get),
		...number(false, chunk),
		...init,
		...advance(1, false, chunk),
		...advance(2, false, chunk * 2 ** unit),
		...reduce(3, false, chunk),
	]);
	return whole(beyond, pieces, 4, init);
}
