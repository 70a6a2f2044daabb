import { Writer } from "../../bytes/mod.ts";
import { webAssembly } from "./v8.ts";

/** `(module (func (export "") unreachable))` */
function encodeModule(): Uint8Array {
	return new Writer()
		.raw(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00))
		.section(1, new Writer().u32(1).u8(0x60).u32(0).u32(0))
		.section(3, new Writer().u32(1).u32(0))
		.section(7, new Writer().u32(1).name("").u8(0x00).u32(0))
		.section(10, new Writer().u32(1).sized(Uint8Array.of(0x00, 0x00, 0x0b)))
		.finish();
}

let trap: (() => never) | undefined;

/**
 * Ends the guest that is right below on the stack, whatever handlers it has: they catch what JavaScript throws, but no trap, also one that
 * comes through JavaScript. Why it ends, its gate has to be told before.
 */
export function trapGuest(): never {
	const { Instance, Module } = webAssembly();
	trap ??= new Instance(new Module(encodeModule()), {}).exports[""] as () => never;
	return trap();
}
