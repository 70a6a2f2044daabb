import { type Context, MAX_BYTE_LENGTH } from "./context.ts";
import { CarriedString, type SourceEncoding, UTF16_TAG } from "./string-load.ts";
import { trap } from "./traps.ts";

/** Where a string or list was put: `length` as the guest is told it, with the tag of latin1+utf16. */
export interface Range {
	readonly pointer: number;
	readonly length: number;
}

const encoder = new TextEncoder();
const NON_ASCII = /[\u0080-\uffff]/;
const NON_LATIN1 = /[\u0100-\uffff]/;

/**
 * CanonicalABI.md `store_string_into_range`. Which calls of realloc a string takes is part of the contract. A host's string has
 * the encoding that the host says: UTF-8 for a guest of UTF-8, which is asked for room once, as by hosts whose strings are UTF-8
 * (the allocators of some toolchains, componentize-py's for one, cannot grow), and UTF-16 for others.
 */
export function storeString(cx: Context, value: string | CarriedString): Range {
	const carried = value instanceof CarriedString;
	const text = carried ? value.text : value;
	const source: SourceEncoding = carried ? value.encoding : "utf16";
	const units = carried ? value.units : value.length;
	switch (cx.encoding) {
		case "utf8":
			if (!carried) return encodeOnce(cx, text);
			if (source === "utf8") return copyUtf8(cx, text, units);
			return encodeToUtf8(cx, text, units, source === "latin1" ? 2 : 3);
		case "utf16":
			if (source === "utf8") return utf8ToUtf16(cx, text, units);
			return copyUtf16(cx, text);
		case "latin1+utf16":
			if (source === "latin1") return copyLatin1(cx, text);
			if (source === "tagged") return taggedToCompact(cx, text);
			return encodeToCompact(cx, text, units);
	}
}

/** There is room for all of `text`. */
function writeUtf8(cx: Context, text: string, pointer: number): number {
	return encoder.encodeInto(text, cx.bytes.subarray(pointer)).written;
}

function writeUtf16(cx: Context, text: string, pointer: number): void {
	const units = new Uint16Array(cx.bytes.buffer, pointer, text.length);
	for (let i = 0; i < text.length; i++) units[i] = text.charCodeAt(i);
}

function writeLatin1(cx: Context, text: string, pointer: number): void {
	const { bytes } = cx;
	for (let i = 0; i < text.length; i++) bytes[pointer + i] = text.charCodeAt(i);
}

// `store_string_copy`, three times

function copyUtf8(cx: Context, text: string, size: number): Range {
	const pointer = cx.realloc(0, 0, 1, size);
	writeUtf8(cx, text, pointer);
	return { pointer, length: size };
}

function encodeOnce(cx: Context, text: string): Range {
	const bytes = encoder.encode(text);
	checkSize(bytes.length);
	const pointer = cx.realloc(0, 0, 1, bytes.length);
	cx.bytes.set(bytes, pointer);
	return { pointer, length: bytes.length };
}

/** A host's strings were checked by their code units: three bytes at most each. */
export function checkSize(size: number): void {
	if (size > MAX_BYTE_LENGTH) trap(`string of ${size} bytes is longer than 2^28 - 1`);
}

function copyUtf16(cx: Context, text: string): Range {
	const pointer = cx.realloc(0, 0, 2, 2 * text.length);
	writeUtf16(cx, text, pointer);
	return { pointer, length: text.length };
}

function copyLatin1(cx: Context, text: string): Range {
	const pointer = cx.realloc(0, 0, 2, text.length);
	writeLatin1(cx, text, pointer);
	return { pointer, length: text.length };
}

/** `store_string_to_utf8`: hopes for ASCII, grows to the worst case at the first character that is not, then shrinks. */
function encodeToUtf8(cx: Context, text: string, units: number, worst: 2 | 3): Range {
	let pointer = cx.realloc(0, 0, 1, units);
	const ascii = text.search(NON_ASCII);
	if (ascii < 0) {
		writeUtf8(cx, text, pointer);
		return { pointer, length: units };
	}
	writeLatin1(cx, text.slice(0, ascii), pointer);
	pointer = cx.realloc(pointer, units, 1, units * worst);
	const size = ascii + writeUtf8(cx, text.slice(ascii), pointer + ascii);
	if (size < units * worst) pointer = cx.realloc(pointer, units * worst, 1, size);
	return { pointer, length: size };
}

/** `store_utf8_to_utf16`: room for as many code units as there are bytes, then shrinks. */
function utf8ToUtf16(cx: Context, text: string, units: number): Range {
	let pointer = cx.realloc(0, 0, 2, 2 * units);
	writeUtf16(cx, text, pointer);
	if (text.length < units) pointer = cx.realloc(pointer, 2 * units, 2, 2 * text.length);
	return { pointer, length: text.length };
}

/** `store_string_to_latin1_or_utf16`: hopes for Latin-1, widens what is written when it meets another character. */
function encodeToCompact(cx: Context, text: string, units: number): Range {
	let pointer = cx.realloc(0, 0, 2, units);
	const latin1 = text.search(NON_LATIN1);
	if (latin1 < 0) {
		writeLatin1(cx, text, pointer);
		if (text.length < units) pointer = cx.realloc(pointer, units, 2, text.length);
		return { pointer, length: text.length };
	}
	writeLatin1(cx, text.slice(0, latin1), pointer);
	pointer = cx.realloc(pointer, units, 2, 2 * units);
	for (let i = latin1 - 1; i >= 0; i--) {
		cx.view.setUint16(pointer + 2 * i, cx.view.getUint8(pointer + i), true);
	}
	writeUtf16(cx, text.slice(latin1), pointer + 2 * latin1);
	if (text.length < units) pointer = cx.realloc(pointer, 2 * units, 2, 2 * text.length);
	return { pointer, length: text.length + UTF16_TAG };
}

/** `store_probably_utf16_to_latin1_or_utf16`: keeps UTF-16 unless all of it fits in Latin-1. */
function taggedToCompact(cx: Context, text: string): Range {
	let pointer = cx.realloc(0, 0, 2, 2 * text.length);
	writeUtf16(cx, text, pointer);
	if (NON_LATIN1.test(text)) return { pointer, length: text.length + UTF16_TAG };
	writeLatin1(cx, text, pointer);
	pointer = cx.realloc(pointer, 2 * text.length, 2, text.length);
	return { pointer, length: text.length };
}
