import { webAssembly } from "./v8.ts";

/** `(module (func (export "") unreachable))` */
const MODULE = Uint8Array.of(
	...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
	...[0x01, 0x04, 0x01, 0x60, 0x00, 0x00],
	...[0x03, 0x02, 0x01, 0x00],
	...[0x07, 0x04, 0x01, 0x00, 0x00, 0x00],
	...[0x0a, 0x05, 0x01, 0x03, 0x00, 0x00, 0x0b],
);

let trap: (() => never) | undefined;

/**
 * Ends the guest that is right below on the stack, whatever handlers it has: they catch what JavaScript throws, but no trap, also one that
 * comes through JavaScript. Why it ends, its gate has to be told before.
 */
export function trapGuest(): never {
	const { Instance, Module } = webAssembly();
	trap ??= new Instance(new Module(MODULE), {}).exports[""] as () => never;
	return trap();
}
