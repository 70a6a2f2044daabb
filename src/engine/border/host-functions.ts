import { Writer } from "../../bytes/mod.ts";
import { HOST_FUNCTION_TYPES, HOST_FUNCTIONS } from "../../rewrite/mod.ts";
import { scheduleFunctions } from "../stop/schedule-functions.ts";
import { webAssembly, type WasmModule, type WasmTable } from "../v8/v8.ts";

/** The functions that rewritten code calls through its host table. */
export interface HostFunctions {
	/** `memory.grow` of the memory of this index by so many pages: the old size, or -1. */
	grow(memory: number, delta: bigint): bigint;
	/** Whether the table of this index may grow by so many elements: 1 or 0. Of an index's complement: that it could not, though it might. */
	growTable(table: number, delta: bigint): number;
	/** So many bytes of V8's heap, or more: how many; 0 where the guest is to end. */
	allocate(bytes: bigint): bigint;
}

const CODES = { i32: 0x7f, i64: 0x7e } as const;

/** Those that are an instance's own; the others are the thread's. */
const OWN: readonly (keyof HostFunctions)[] = ["grow", "growTable", "allocate"];

/** A table takes no JavaScript functions, only Wasm's: a module that exports what it imports makes them so. */
function encodeWrappers(): Uint8Array {
	const types = new Writer().u32(OWN.length);
	const imports = new Writer().u32(OWN.length);
	const exports = new Writer().u32(OWN.length);
	for (const [i, name] of OWN.entries()) {
		types.u8(0x60);
		for (const numbers of HOST_FUNCTION_TYPES[name]) {
			types.u32(numbers.length);
			for (const number of numbers) types.u8(CODES[number]);
		}
		imports.name("").name(name).u8(0x00).u32(i);
		exports.name(name).u8(0x00).u32(i);
	}
	const preamble = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);
	return new Writer().raw(preamble).section(1, types).section(2, imports).section(7, exports).finish();
}

let wrappers: WasmModule | undefined;

/** Fills the host table of a rewritten module. */
export function fillHostTable(table: WasmTable, functions: HostFunctions): void {
	const { Instance, Module } = webAssembly();
	wrappers ??= new Module(encodeWrappers());
	const own = new Instance(wrappers, {
		"": {
			grow: (memory: number, delta: bigint) => functions.grow(memory, delta),
			growTable: (index: number, delta: bigint) => functions.growTable(index, delta),
			allocate: (bytes: bigint) => functions.allocate(bytes),
		},
	});
	const all: Readonly<Record<string, unknown>> = { ...own.exports, ...scheduleFunctions() };
	for (const [i, name] of HOST_FUNCTIONS.entries()) table.set(i, all[name]);
}
