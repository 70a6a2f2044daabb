import { Reader, Writer } from "../../bytes/mod.ts";

/** What each byte before a value says it is. */
const TAG = {
	undefined: 0,
	null: 1,
	false: 2,
	true: 3,
	/** Signed LEB128. */
	integer: 4,
	/** IEEE 754, little endian. */
	float: 5,
	/** Of up to 128 bits, in decimal digits, as text. */
	bigint: 6,
	text: 7,
	bytes: 8,
	/** A count, and four bytes each, little endian. */
	words: 9,
	list: 10,
	/** A count; keys as text, each before its value. */
	record: 11,
} as const;

/** How deep values may nest: what is kept is not deep, and what is read may be damaged. */
const MAX_DEPTH = 32;

/**
 * Plain data as bytes: nothing, booleans, numbers, texts, bytes and words, lists and records of these. What a rewritten module consists
 * of besides its code, whatever fields that will have.
 * @throws TypeError for anything else, so that what cannot be kept is not kept by halves
 */
export function encodePlain(value: unknown): Uint8Array {
	const out = new Writer(1024);
	encodeValue(out, value, 0);
	return out.detach();
}

/** @throws SkerryError for bytes that `encodePlain` does not make */
export function decodePlain(bytes: Uint8Array): unknown {
	const reader = new Reader(bytes);
	const value = decodeValue(reader, 0);
	if (!reader.done) throw reader.malformed("bytes behind the value");
	return value;
}

function encodeValue(out: Writer, value: unknown, depth: number): void {
	if (depth > MAX_DEPTH) throw new TypeError("data nests too deeply to be kept");
	if (value === undefined) out.u8(TAG.undefined);
	else if (value === null) out.u8(TAG.null);
	else if (typeof value === "boolean") out.u8(value ? TAG.true : TAG.false);
	else if (typeof value === "number") encodeNumber(out, value);
	else if (typeof value === "bigint" && BigInt.asIntN(128, value) === value) out.u8(TAG.bigint).name(value.toString());
	else if (typeof value === "string") out.u8(TAG.text).name(value);
	else if (value instanceof Uint8Array) out.u8(TAG.bytes).sized(value);
	else if (value instanceof Uint32Array) encodeWords(out, value);
	else if (Array.isArray(value)) {
		out.u8(TAG.list).u32(value.length);
		for (const item of value) encodeValue(out, item, depth + 1);
	} else if (typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype) {
		const entries = Object.entries(value);
		out.u8(TAG.record).u32(entries.length);
		for (const [key, item] of entries) encodeValue(out.name(key), item, depth + 1);
	} else throw new TypeError(`cannot keep a value of this kind: ${Object.prototype.toString.call(value)}`);
}

function encodeNumber(out: Writer, value: number): void {
	if ((value | 0) === value && !Object.is(value, -0)) {
		out.u8(TAG.integer).s32(value);
		return;
	}
	const bytes = new Uint8Array(8);
	new DataView(bytes.buffer).setFloat64(0, value, true);
	out.u8(TAG.float).raw(bytes);
}

function encodeWords(out: Writer, words: Uint32Array): void {
	const bytes = new Uint8Array(words.length * 4);
	const view = new DataView(bytes.buffer);
	for (let i = 0; i < words.length; i++) view.setUint32(i * 4, words[i] ?? 0, true);
	out.u8(TAG.words).u32(words.length).raw(bytes);
}

function decodeValue(reader: Reader, depth: number): unknown {
	const start = reader.offset;
	if (depth > MAX_DEPTH) throw reader.malformed("data nests too deeply");
	const tag = reader.u8();
	switch (tag) {
		case TAG.undefined:
			return undefined;
		case TAG.null:
			return null;
		case TAG.false:
		case TAG.true:
			return tag === TAG.true;
		case TAG.integer:
			return reader.s32();
		case TAG.float: {
			const bytes = reader.take(8);
			return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true);
		}
		case TAG.bigint: {
			const digits = reader.name();
			if (!/^-?\d{1,40}$/.test(digits)) throw reader.malformed("not a number", start);
			return BigInt(digits);
		}
		case TAG.text:
			return reader.name();
		case TAG.bytes:
			return reader.take(reader.u32());
		case TAG.words: {
			const count = reader.count("words", undefined, 4);
			const bytes = reader.take(count * 4);
			const view = new DataView(bytes.buffer, bytes.byteOffset);
			return Uint32Array.from({ length: count }, (_, i) => view.getUint32(i * 4, true));
		}
		case TAG.list: {
			const items: unknown[] = [];
			for (let n = reader.count("items"); n > 0; n--) items.push(decodeValue(reader, depth + 1));
			return items;
		}
		case TAG.record: {
			const entries: [string, unknown][] = [];
			for (let n = reader.count("fields", undefined, 2); n > 0; n--)
				entries.push([reader.name(), decodeValue(reader, depth + 1)]);
			return Object.fromEntries(entries);
		}
		default:
			throw reader.malformed("no kind of value", start);
	}
}
