import { decodeUtf8 } from "../bytes/mod.ts";
import { type Context, MAX_BYTE_LENGTH } from "./context.ts";
import type { GuestMemory } from "./memory.ts";
import { trap } from "./traps.ts";

/** In a length of the encoding latin1+utf16: the code units are UTF-16. */
export const UTF16_TAG = 0x8000_0000;

/** `tagged` is UTF-16 whose source could have chosen Latin-1. */
export type SourceEncoding = "utf8" | "utf16" | "latin1" | "tagged";

/**
 * A string on its way between two guests: how the source held it decides how the target's realloc is called. It may still lie in the
 * source's memory, whose guest does not run until it has been passed on.
 */
export class CarriedString {
	readonly encoding: SourceEncoding;
	/** Code units at the source: bytes in UTF-8 and Latin-1. */
	readonly units: number;
	/** Where it lies, as UTF-8 that was checked; `null` when it was read. */
	readonly memory: GuestMemory | null;
	readonly pointer: number;
	readonly #text: string;

	constructor(text: string, encoding: SourceEncoding, units: number, memory: GuestMemory | null, pointer: number) {
		this.encoding = encoding;
		this.units = units;
		this.memory = memory;
		this.pointer = pointer;
		this.#text = text;
	}

	get text(): string {
		if (this.memory === null) return this.#text;
		return fromUtf8(copied(this.memory.bytes.subarray(this.pointer, this.pointer + this.units)));
	}
}

const utf16 = new TextDecoder("utf-16le", { fatal: true, ignoreBOM: true });

/** Up to this many bytes, a loop is faster than `TextDecoder`. */
const SHORT = 24;
/** Arguments to `String.fromCharCode` at once; far below every engine's limit. */
const CHUNK = 4096;

/** CanonicalABI.md `load_string_from_range`. Both arguments are unsigned. */
export function loadString(cx: Context, pointer: number, length: number): string | CarriedString {
	let encoding: SourceEncoding;
	let units = length;
	if (cx.encoding === "latin1+utf16") {
		encoding = length >= UTF16_TAG ? "tagged" : "latin1";
		if (length >= UTF16_TAG) units -= UTF16_TAG;
	} else {
		encoding = cx.encoding;
	}
	const size = encoding === "utf16" || encoding === "tagged" ? units * 2 : units;
	if (size > MAX_BYTE_LENGTH) trap(`string of ${size} bytes is longer than 2^28 - 1`);
	cx.checkRange(
		pointer,
		size,
		cx.encoding === "utf8" ? 1 : 2,
		"string pointer/length out of bounds of memory: string content out-of-bounds",
	);
	const bytes = copied(cx.bytes.subarray(pointer, pointer + size));
	const text = encoding === "utf8" ? fromUtf8(bytes) : encoding === "latin1" ? fromLatin1(bytes) : fromUtf16(bytes);
	return cx.carried ? new CarriedString(text, encoding, units, null, 0) : text;
}

/** `TextDecoder` refuses shared memory. */
function copied(bytes: Uint8Array): Uint8Array {
	return bytes.buffer instanceof ArrayBuffer ? bytes : bytes.slice();
}

function fromUtf8(bytes: Uint8Array): string {
	if (bytes.length > SHORT) return fromLongUtf8(bytes);
	for (let i = 0; i < bytes.length; i++) if (bytes[i]! >= 0x80) return fromLongUtf8(bytes);
	return String.fromCharCode(...bytes);
}

function fromLongUtf8(bytes: Uint8Array): string {
	const text = decodeUtf8(bytes);
	if (text !== undefined) return text;
	// A decoder that still hopes for more bytes tells an unfinished sequence from a wrong one.
	try {
		new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
	} catch {
		trap("invalid utf-8");
	}
	trap("incomplete utf-8 byte sequence");
}

function fromUtf16(bytes: Uint8Array): string {
	try {
		return utf16.decode(bytes);
	} catch {
		trap("invalid utf-16: unpaired surrogate found");
	}
}

function fromLatin1(bytes: Uint8Array): string {
	let text = "";
	for (let i = 0; i < bytes.length; i += CHUNK) text += String.fromCharCode(...bytes.subarray(i, i + CHUNK));
	return text;
}
