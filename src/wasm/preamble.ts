import { Reader } from "../bytes/mod.ts";
import { SkerryError } from "../fault/mod.ts";

/** `\0asm` */
const MAGIC = [0x00, 0x61, 0x73, 0x6d];
/** Core specification, binary format, Modules: version 1. Its upper half is the `layer` of Binary.md: 0 for modules. */
const MODULE = [...MAGIC, 0x01, 0x00, 0x00, 0x00];
/** Component Model, Binary.md `preamble`: version 0x0d, layer 1. */
const COMPONENT = [...MAGIC, 0x0d, 0x00, 0x01, 0x00];

function startsWith(bytes: Uint8Array, prefix: readonly number[]): boolean {
	return bytes.length >= prefix.length && prefix.every((byte, i) => bytes[i] === byte);
}

/** Whether the bytes begin with `\0asm`: WebAssembly of some version and layer. */
export function isWasm(bytes: Uint8Array): boolean {
	return startsWith(bytes, MAGIC);
}

/** Whether the bytes begin as a core module does. Says nothing about the rest. */
export function isCoreModule(bytes: Uint8Array): boolean {
	return startsWith(bytes, MODULE);
}

/** Whether the bytes begin as a component does. Says nothing about the rest. */
export function isComponent(bytes: Uint8Array): boolean {
	return startsWith(bytes, COMPONENT);
}

/** Checks the preamble of a core module; the reader stands behind it. */
export function decodeModulePreamble(bytes: Uint8Array, base: number): Reader {
	const place = { place: { offset: base } };
	if (!isWasm(bytes)) throw new SkerryError("binary/not-wasm", "magic header not detected: not WebAssembly", place);
	if (bytes.length < 8) throw new SkerryError("binary/truncated", "unexpected end: cannot read the version", place);
	if (isComponent(bytes)) {
		throw new SkerryError("binary/component", "expected a version header for a module, found a component", place);
	}
	if (!isCoreModule(bytes)) throw new SkerryError("binary/malformed", "unknown binary version", place);
	const reader = new Reader(bytes, base);
	reader.take(8);
	return reader;
}

/** The preamble of a core module. */
export function encodeModulePreamble(): Uint8Array {
	return Uint8Array.from(MODULE);
}
