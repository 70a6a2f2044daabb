/**
 * Strings between JavaScript and memory, as generated code does it: what `string-load.ts` and `string-store.ts` do, with the same calls
 * of realloc, by the fastest way for each length. Short strings are looped over; long ones go through Node's native functions on
 * buffers, which need neither a view of their own nor an object for the result. Without those, the interpreter's functions serve.
 */
import type { Context } from "../context.ts";
import { MAX_BYTE_LENGTH } from "../context.ts";
import type { GuestMemory } from "../memory.ts";
import type { CanonicalOptions } from "../store.ts";
import { CarriedString, loadString, UTF16_TAG } from "../string-load.ts";
import { checkSize, storeString } from "../string-store.ts";

export type LoadString = (cx: Context, pointer: number, length: number) => unknown;
/** Returns the pointer; the length, as the guest is told it, is in `cx.stored`. */
export type StoreString = (cx: Context, text: string) => number;

/** Up to this many bytes or code units, loops are faster than calls of native functions. */
const SHORT_LOAD = 16;
const SHORT_STORE = 24;

/** Up to this many bytes, it is worth to look first whether they are ASCII. */
const SCANNED = 4096;

/** Up to this many units, it is worth to find out first that they are ASCII: so much stays in the processor's cache. */
const PIECE = 1 << 18;

const encoder = new TextEncoder();
const NON_LATIN1 = /[\u0100-\uffff]/;

/** Node's, of the prototype of `Buffer`: on any `Uint8Array`, from `start` to `end` in bytes; what is written is counted in bytes. */
interface NativeText {
	utf8Slice(start: number, end: number): string;
	latin1Slice(start: number, end: number): string;
	ucs2Slice(start: number, end: number): string;
	latin1Write(text: string, offset: number, length: number): number;
	ucs2Write(text: string, offset: number, length: number): number;
}

interface NodeBuffer {
	readonly prototype: Partial<NativeText>;
	byteLength(text: string): number;
}

const buffer = (globalThis as { Buffer?: NodeBuffer }).Buffer;
const METHODS = ["utf8Slice", "latin1Slice", "ucs2Slice", "latin1Write", "ucs2Write"] as const;
const native = buffer !== undefined && METHODS.every((name) => typeof buffer.prototype[name] === "function");
const text = (native ? buffer.prototype : {}) as NativeText;

/** Node's, which tells what is UTF-8 without decoding it. */
const isUtf8: ((bytes: Uint8Array) => boolean) | undefined = native
	? (
			globalThis as { process?: { getBuiltinModule?(name: string): { isUtf8?: (bytes: Uint8Array) => boolean } } }
		).process?.getBuiltinModule?.("node:buffer").isUtf8
	: undefined;

const LOAD: Readonly<Record<CanonicalOptions["encoding"], LoadString>> = {
	utf8: loadUtf8,
	utf16: loadUtf16,
	"latin1+utf16": loadCompact,
};

const STORE: Readonly<Record<CanonicalOptions["encoding"], StoreString>> = {
	utf8: storeUtf8,
	utf16: storeUtf16,
	"latin1+utf16": storeCompact,
};

/** `carried`: strings keep their encoding, for another guest. */
export function loadStringOf(encoding: CanonicalOptions["encoding"], carried: boolean): LoadString {
	return carried || !native ? loadString : LOAD[encoding];
}

/** For what another guest is given before this one goes on. */
export function passStringOf(encoding: CanonicalOptions["encoding"]): LoadString {
	return encoding === "utf8" && isUtf8 !== undefined ? passUtf8 : loadString;
}

/** Whether a string of the host's, the only one in a call, is well-formed. */
export function isTextOf(encoding: CanonicalOptions["encoding"]): (text: string) => boolean {
	return native && encoding === "utf8" ? isUtf8Text : (text) => text.isWellFormed();
}

/** What `isUtf8Text` has found to be ASCII, until it is stored. */
let knownAscii = "";

/** ASCII is well-formed; to find that first, and not again when it is stored, takes less than to ask V8. */
function isUtf8Text(value: string): boolean {
	const { length } = value;
	if (length <= SHORT_STORE || length > PIECE || buffer!.byteLength(value) !== length) return value.isWellFormed();
	knownAscii = value;
	return true;
}

export function storeStringOf(encoding: CanonicalOptions["encoding"], carried: boolean): StoreString {
	if (carried && encoding === "utf8") return storePassed;
	return carried || !native ? storeAny : STORE[encoding];
}

function passUtf8(cx: Context, pointer: number, length: number): unknown {
	const { memory } = cx;
	const { bytes, buffer } = memory;
	if (pointer + length > bytes.length || length > MAX_BYTE_LENGTH || !(buffer instanceof ArrayBuffer)) {
		return loadString(cx, pointer, length);
	}
	return memory.isAscii(pointer, length) || isUtf8!(new Uint8Array(buffer, pointer, length))
		? new CarriedString("", "utf8", length, memory, pointer)
		: loadString(cx, pointer, length);
}

/** `store_string_copy` of what is still in the other guest's memory. */
function storePassed(cx: Context, value: unknown): number {
	if (!(value instanceof CarriedString) || value.memory === null) return storeAny(cx, value as string);
	const { memory, pointer: source, units } = value;
	cx.stored = units;
	return cx.receive(memory, source, units, 1);
}

function storeAny(cx: Context, value: string): number {
	const { pointer, length } = storeString(cx, value);
	cx.stored = length;
	return pointer;
}

/** All that is out of the ordinary is left to `loadString`, which says what is wrong. */
function loadUtf8(cx: Context, pointer: number, length: number): unknown {
	const { bytes } = cx.memory;
	const end = pointer + length;
	if (end > bytes.length || length > MAX_BYTE_LENGTH) return loadString(cx, pointer, length);
	if (length <= SHORT_LOAD) {
		const ascii = shortAscii(bytes, pointer, end);
		if (ascii !== undefined) return ascii;
	}
	if (!(cx.memory.buffer instanceof ArrayBuffer)) return loadString(cx, pointer, length);
	// What is known to be ASCII need not be decoded, nor searched for what could not be.
	if (length <= SCANNED && cx.memory.isAscii(pointer, length)) return text.latin1Slice.call(bytes, pointer, end);
	const decoded = text.utf8Slice.call(bytes, pointer, end);
	// What cannot be decoded becomes this character.
	return decoded.includes("\ufffd") ? loadString(cx, pointer, length) : decoded;
}

/** Each call makes a string, and so does adding one to another: V8 would keep a sum of more than 12 characters as its parts. */
function shortAscii(bytes: Uint8Array, pointer: number, end: number): string | undefined {
	let all = 0;
	for (let i = pointer; i < end; i++) all |= bytes[i]!;
	if (all >= 0x80) return undefined;
	let ascii = "";
	let at = pointer;
	if (at + 8 <= end) {
		const a = bytes[at]!;
		const b = bytes[at + 1]!;
		const c = bytes[at + 2]!;
		const d = bytes[at + 3]!;
		const e = bytes[at + 4]!;
		const f = bytes[at + 5]!;
		const g = bytes[at + 6]!;
		const h = bytes[at + 7]!;
		const i = bytes[at + 8]!;
		const j = bytes[at + 9]!;
		const k = bytes[at + 10]!;
		const l = bytes[at + 11]!;
		const m = bytes[at + 12]!;
		const n = bytes[at + 13]!;
		const o = bytes[at + 14]!;
		const p = bytes[at + 15]!;
		switch (end - at - 8) {
			case 0:
				return String.fromCharCode(a, b, c, d, e, f, g, h);
			case 1:
				return String.fromCharCode(a, b, c, d, e, f, g, h, i);
			case 2:
				return String.fromCharCode(a, b, c, d, e, f, g, h, i, j);
			case 3:
				return String.fromCharCode(a, b, c, d, e, f, g, h, i, j, k);
			case 4:
				return String.fromCharCode(a, b, c, d, e, f, g, h, i, j, k, l);
			case 5:
				return String.fromCharCode(a, b, c, d, e, f, g, h, i, j, k, l, m);
			case 6:
				return String.fromCharCode(a, b, c, d, e, f, g, h, i, j, k, l, m, n);
			case 7:
				return String.fromCharCode(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o);
			default:
				return String.fromCharCode(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
		}
	}
	if (at + 4 <= end) {
		ascii = String.fromCharCode(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!);
		at += 4;
	}
	for (; at < end; at++) ascii += String.fromCharCode(bytes[at]!);
	return ascii;
}

function loadUtf16(cx: Context, pointer: number, length: number): unknown {
	const { bytes, buffer } = cx.memory;
	const size = length * 2;
	const end = pointer + size;
	if ((pointer & 1) !== 0 || end > bytes.length || size > MAX_BYTE_LENGTH || !(buffer instanceof ArrayBuffer)) {
		return loadString(cx, pointer, length);
	}
	const decoded = text.ucs2Slice.call(bytes, pointer, end);
	return decoded.isWellFormed() ? decoded : loadString(cx, pointer, length);
}

function loadCompact(cx: Context, pointer: number, length: number): unknown {
	const { bytes, buffer } = cx.memory;
	const end = pointer + length;
	if (length >= UTF16_TAG || (pointer & 1) !== 0 || end > bytes.length || !(buffer instanceof ArrayBuffer)) {
		return loadString(cx, pointer, length);
	}
	if (length > MAX_BYTE_LENGTH) return loadString(cx, pointer, length);
	return text.latin1Slice.call(bytes, pointer, end);
}

/** `store_string_copy`: for a guest of UTF-8, a host's strings are UTF-8. See `string-store.ts`. */
function storeUtf8(cx: Context, value: string): number {
	const units = value.length;
	if (units <= SHORT_STORE) {
		for (let i = 0; i < units; i++) {
			if (value.charCodeAt(i) >= 0x80) return encodeUtf8(cx, value, buffer!.byteLength(value));
		}
		const pointer = cx.realloc(0, 0, 1, units);
		const { bytes } = cx.memory;
		for (let i = 0; i < units; i++) bytes[pointer + i] = value.charCodeAt(i);
		cx.stored = units;
		return pointer;
	}
	if (value === knownAscii) knownAscii = "";
	else {
		const size = buffer!.byteLength(value);
		if (size !== units) return encodeUtf8(cx, value, size);
	}
	const pointer = cx.realloc(0, 0, 1, units);
	text.latin1Write.call(cx.memory.bytes, value, pointer, units);
	cx.stored = units;
	return pointer;
}

function encodeUtf8(cx: Context, value: string, size: number): number {
	checkSize(size);
	const pointer = cx.realloc(0, 0, 1, size);
	encoder.encodeInto(value, cx.memory.bytes.subarray(pointer, pointer + size));
	cx.stored = size;
	return pointer;
}

function writeUtf16(memory: GuestMemory, value: string, pointer: number): void {
	if (value.length > SHORT_STORE) text.ucs2Write.call(memory.bytes, value, pointer, value.length * 2);
	else for (let i = 0; i < value.length; i++) memory.view.setUint16(pointer + 2 * i, value.charCodeAt(i), true);
}

function writeLatin1({ bytes }: GuestMemory, value: string, pointer: number): void {
	if (value.length > SHORT_STORE) text.latin1Write.call(bytes, value, pointer, value.length);
	else for (let i = 0; i < value.length; i++) bytes[pointer + i] = value.charCodeAt(i);
}

/** `store_string_copy`: a host's strings are UTF-16. */
function storeUtf16(cx: Context, value: string): number {
	const pointer = cx.realloc(0, 0, 2, 2 * value.length);
	writeUtf16(cx.memory, value, pointer);
	cx.stored = value.length;
	return pointer;
}

/** `store_string_to_latin1_or_utf16` */
function storeCompact(cx: Context, value: string): number {
	const units = value.length;
	let pointer = cx.realloc(0, 0, 2, units);
	const latin1 = value.search(NON_LATIN1);
	if (latin1 < 0) {
		writeLatin1(cx.memory, value, pointer);
		cx.stored = units;
		return pointer;
	}
	writeLatin1(cx.memory, value.slice(0, latin1), pointer);
	pointer = cx.realloc(pointer, units, 2, 2 * units);
	const { view, bytes } = cx.memory;
	for (let i = latin1 - 1; i >= 0; i--) view.setUint16(pointer + 2 * i, bytes[pointer + i]!, true);
	writeUtf16(cx.memory, value.slice(latin1), pointer + 2 * latin1);
	cx.stored = units + UTF16_TAG;
	return pointer;
}
