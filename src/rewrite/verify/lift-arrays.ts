import { Cursor, refuse } from "./cursor.ts";
import { type Bytes, END, get, number } from "./lift-pieces.ts";

/** log2 of the bytes of an array at most. */
const MAX_BYTES = 26;
/** log2 of the bytes of an element, by the code of its type; all others are as wide as a reference. */
const WIDTHS: ReadonlyMap<number, number> = new Map([
	[0x78, 0],
	[0x77, 1],
	[0x7f, 2],
	[0x7d, 2],
	[0x7b, 4],
]);

/** The elements that an array of a type has at most. */
export function longestArray({ bytes, at, end }: Cursor): number {
	const type = new Cursor(bytes, at, end);
	let form = type.byte();
	if (form === 0x50 || form === 0x4f) {
		for (let supers = type.number(); supers > 0; supers--) type.skipNumber();
		form = type.byte();
	}
	if (form !== 0x5e) throw refuse("an array of a type that is none");
	return 2 ** (MAX_BYTES - (WIDTHS.get(type.byte()) ?? 3));
}

/** Passes on a length, or in the place of one that is too long the greatest of all. */
export function lengthBody(longest: number): Bytes {
	return [0, ...get(0), 0x41, 0x7f, ...get(0), ...number(false, longest), 0x4d, 0x1b, END];
}
