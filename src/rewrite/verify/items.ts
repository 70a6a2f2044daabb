import { type Cursor, refuse } from "./cursor.ts";
import { END, Instructions } from "./instructions.ts";

const NULLABLE = 0x63;
const NOT_NULLABLE = 0x64;

/** Items as text that is the same for the same item, however it is encoded: only to be compared. */

function readNumber(cursor: Cursor): string {
	return `${cursor.number()}`;
}

function bytesOf(cursor: Cursor, skip: () => void): string {
	const { at } = cursor;
	skip();
	return [...cursor.bytes.subarray(at, cursor.at)].join(" ");
}

/** A value type or a packed one: a nullable reference to an abstract type has two forms. */
export function readType(cursor: Cursor): string {
	const first = cursor.byte();
	if (first !== NULLABLE && first !== NOT_NULLABLE) return `${first}`;
	const heap = cursor.signed();
	return first === NULLABLE && heap < 0 ? `${heap + 0x80}` : `${first} ${heap}`;
}

function readList(cursor: Cursor, read: (cursor: Cursor) => string): string {
	return `(${Array.from({ length: bounded(cursor) }, () => read(cursor)).join(" ")})`;
}

/** A count that the rest of the binary can hold. */
function bounded(cursor: Cursor): number {
	const count = cursor.number();
	if (count > cursor.end - cursor.at) throw refuse("a list ends behind its section");
	return count;
}

function readField(cursor: Cursor): string {
	return `${readType(cursor)}:${cursor.byte()}`;
}

/** Core specification, binary format, Types: a recursion group; a group of one and a final type without supertypes have two forms. */
export function readTypeGroup(cursor: Cursor): string {
	if (cursor.bytes[cursor.at] !== 0x4e) return readSubtype(cursor, cursor.byte());
	cursor.skip(1);
	const count = bounded(cursor);
	const types = Array.from({ length: count }, () => readSubtype(cursor, cursor.byte()));
	return count === 1 ? (types[0] ?? "") : `rec ${types.join(", ")}`;
}

function readSubtype(cursor: Cursor, first: number): string {
	if (first !== 0x50 && first !== 0x4f) return readComposite(cursor, first);
	const supertypes = readList(cursor, readNumber);
	const composite = readComposite(cursor, cursor.byte());
	if (first === 0x4f && supertypes === "()") return composite;
	return `${first === 0x50 ? "sub" : "final"} ${supertypes} ${composite}`;
}

function readComposite(cursor: Cursor, form: number): string {
	if (form === 0x60) return `func ${readList(cursor, readType)}${readList(cursor, readType)}`;
	if (form === 0x5f) return `struct ${readList(cursor, readField)}`;
	if (form === 0x5e) return `array ${readField(cursor)}`;
	throw refuse(`a type of form ${form}`);
}

export function readTable(cursor: Cursor): string {
	const hasInitial = cursor.bytes[cursor.at] === 0x40;
	if (hasInitial) cursor.skip(2);
	const type = `${readType(cursor)} ${cursor.limits()}`;
	if (!hasInitial) return type;
	const initial = bytesOf(cursor, () => {
		const instructions = new Instructions(cursor);
		while (instructions.next() !== END);
	});
	return `${type} = ${initial}`;
}
