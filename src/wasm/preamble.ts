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
