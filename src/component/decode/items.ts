import type { Reader } from "../../bytes/mod.ts";
import { SkerryError } from "../../fault/mod.ts";
import { MAX_NAME_SIZE } from "../limits.ts";

/** The specification's reference implementation words it so; the byte may be an opcode, a sort or a flag. */
export function invalidByte(reader: Reader, byte: number, what: string, offset: number): SkerryError {
	return reader.malformed(`invalid leading byte (0x${byte.toString(16)}) for ${what}`, offset);
}

/** A vector, whose count is checked before anything is allocated. */
export function decodeVector<T>(
	reader: Reader,
	what: string,
	limit: number,
	decode: (reader: Reader) => T,
	minimumSize = 1,
): T[] {
	const items: T[] = [];
	for (let n = reader.count(what, limit, minimumSize); n > 0; n--) items.push(decode(reader));
	return items;
}

/** `<T>?`: a flag and, where it is set, the item. */
export function decodeOptional<T>(reader: Reader, what: string, decode: (reader: Reader) => T): T | null {
	const start = reader.offset;
	const byte = reader.u8(what);
	if (byte === 0) return null;
	if (byte !== 1) throw invalidByte(reader, byte, what, start);
	return decode(reader);
}

export function decodeBoolean(reader: Reader): boolean {
	const start = reader.offset;
	const byte = reader.u8("a boolean");
	if (byte > 1) throw reader.malformed("invalid boolean value", start);
	return byte === 1;
}

export function decodeIndex(reader: Reader): number {
	return reader.u32("an index");
}

export function decodeName(reader: Reader): string {
	const start = reader.offset;
	const name = reader.name("a name");
	if (reader.offset - start > MAX_NAME_SIZE) {
		throw new SkerryError("binary/limit", `a name is longer than ${MAX_NAME_SIZE} bytes`, { place: { offset: start } });
	}
	return name;
}
