/**
 * Setting globals from JavaScript is a call into V8 for each, through code that a guest has driven out of the caches. A Wasm function sets
 * all of them in one.
 */
import { Writer } from "../../bytes/mod.ts";
import { webAssembly, type WasmGlobal, type WasmModule } from "../v8/v8.ts";

type Value = number | bigint;

/** More than this is not what compilers make. */
const MOST = 16;

/** By how many globals they set. */
const modules: WasmModule[] = [];

/** @returns what gives all of these mutable globals their values, in their order */
export function createGlobalSetter(globals: readonly WasmGlobal[]): (values: readonly Value[]) => void {
	const set = globals.length > 0 && globals.length <= MOST ? tryWasm(globals) : undefined;
	if (set !== undefined) {
		// Of most modules it is the stack's pointer alone.
		if (globals.length === 1) return (values) => set(values[0] as Value);
		return (values) => set(...values);
	}
	return (values) => {
		for (let i = 0; i < globals.length; i++) (globals[i] as WasmGlobal).value = values[i] as Value;
	};
}

function tryWasm(globals: readonly WasmGlobal[]): ((...values: Value[]) => void) | undefined {
	// A 64-bit value would have to be a bigint, a new one each time.
	if (globals.some(({ value }) => typeof value !== "number")) return undefined;
	try {
		const module = (modules[globals.length] ??= new (webAssembly().Module)(encode(globals.length)));
		const imports = Object.fromEntries(globals.map((global, i) => [`${i}`, global]));
		const { exports } = new (webAssembly().Instance)(module, { "": imports });
		return exports["set"] as (...values: Value[]) => void;
	} catch {
		// One of them holds a float, or there is no room for another instance.
		return undefined;
	}
}

const I32 = 0x7f;

function encode(count: number): Uint8Array<ArrayBuffer> {
	const type = new Writer().u32(1).u8(0x60).u32(count);
	const imports = new Writer().u32(count);
	const body = new Writer().u32(0);
	for (let i = 0; i < count; i++) {
		type.u8(I32);
		imports.name("").name(`${i}`).u8(0x03).u8(I32).u8(0x01); // a mutable global
		body.u8(0x20).u32(i).u8(0x24).u32(i); // local.get, global.set
	}
	const bytes = new Writer()
		.raw(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00))
		.section(1, type.u32(0))
		.section(2, imports)
		.section(3, new Writer().u32(1).u32(0))
		.section(7, new Writer().u32(1).name("set").u8(0x00).u32(0))
		.section(10, new Writer().u32(1).sized(body.u8(0x0b).finish()))
		.finish();
	return Uint8Array.from(bytes);
}
