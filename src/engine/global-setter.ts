/**
 * Setting globals from JavaScript is a call into V8 for each, through code that a guest has driven out of the caches. A Wasm function sets
 * all of them in one.
 */
import { webAssembly, type WasmGlobal, type WasmModule } from "./v8.ts";

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
const name = (text: string): number[] => [text.length, ...new TextEncoder().encode(text)];
const leb = (value: number): number[] => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, value >>> 7]);
const section = (id: number, body: readonly number[]): number[] => [id, ...leb(body.length), ...body];

function encode(count: number): Uint8Array<ArrayBuffer> {
	const all = Array.from({ length: count }, (_, i) => i);
	const body = [0, ...all.flatMap((i) => [0x20, i, 0x24, i]), 0x0b];
	return Uint8Array.from([
		...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
		...section(1, [1, 0x60, count, ...all.map(() => I32), 0]),
		...section(2, [count, ...all.flatMap((i) => [...name(""), ...name(`${i}`), 3, I32, 1])]),
		...section(3, [1, 0]),
		...section(7, [1, ...name("set"), 0, 0]),
		...section(10, [1, ...leb(body.length), ...body]),
	]);
}
