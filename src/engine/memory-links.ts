/**
 * Small Wasm functions of our own over guests' memories, for what JavaScript can do only with a view made for each call: to look for
 * what is not ASCII, sixteen bytes at a time, and to copy from one memory to another. Neither can trap where the range was checked.
 */
import type { CopyAcross, FindNonAscii } from "../abi/mod.ts";
import { Writer } from "../bytes/mod.ts";
import { webAssembly, type WasmExtern, type WasmMemory, type WasmModule } from "./v8.ts";

const I32 = 0x7f;
const V128 = 0x7b;

const LOOP = [0x03, 0x40];
const IF = [0x04, 0x40];
const END = 0x0b;
const BR = 0x0c;
const RETURN = 0x0f;
const LT_U = 0x49;
const GE_U = 0x4f;
const ADD = 0x6a;
const SUB = 0x6b;
const AND = 0x71;
const OR = 0x72;
const LOAD_BYTE = [0x2d, 0x00, 0x00];
const LOAD_V128 = (offset: number): Code => [0xfd, 0x00, 0x00, offset];
const OR_V128 = [0xfd, 0x50];
const BITMASK = [0xfd, 0x64];

/** Its parameters, and its locals after them. */
const [POINTER, LENGTH, BITS, VECTOR] = [0, 1, 2, 3];

type Code = readonly number[];

const code = (...parts: readonly (number | Code)[]): Code => parts.flat();
const get = (local: number): Code => [0x20, local];
const set = (local: number): Code => [0x21, local];
const constant = (value: number): Code => [0x41, ...new Writer().s32(value).finish()];
const change = (local: number, op: number, by: number): Code => code(get(local), constant(by), op, set(local));
const loadInto = (offset: number): Code => code(get(POINTER), LOAD_V128(offset), get(VECTOR), OR_V128, set(VECTOR));
/** As long as there are so many bytes. */
const again = (bytes: number, ...work: readonly (number | Code)[]): Code =>
	code(
		code(LOOP, get(LENGTH), constant(bytes), GE_U, IF, ...work),
		code(change(POINTER, ADD, bytes), change(LENGTH, SUB, bytes), BR, 1, END, END),
	);

const SCAN: Code = code(
	code(get(LENGTH), constant(16), LT_U, IF),
	again(1, get(POINTER), LOAD_BYTE, get(BITS), OR, set(BITS)),
	code(get(BITS), constant(0x80), AND, RETURN, END),
	again(64, ...[0, 16, 32, 48].map(loadInto)),
	again(16, loadInto(0)),
	// The last sixteen, of which some were looked at.
	code(get(POINTER), get(LENGTH), ADD, constant(16), SUB, set(POINTER)),
	code(loadInto(0), get(VECTOR), BITMASK, END),
);
const SCAN_LOCALS: Code = [2, 1, I32, 1, V128];

const COPY: Code = code(get(0), get(1), get(2), [0xfc, 0x0a, 1, 0], END);

/** A module that exports a function over memories it imports. */
function encode(memories: number, params: number, results: number, locals: Code, body: Code): Uint8Array {
	const type = new Writer().u32(1).u8(0x60).u32(params);
	for (let i = 0; i < params; i++) type.u8(I32);
	type.u32(results);
	for (let i = 0; i < results; i++) type.u8(I32);
	const imports = new Writer().u32(memories);
	for (let i = 0; i < memories; i++) imports.name("").name(`${i}`).u8(0x02).u8(0x00).u32(0);
	return new Writer()
		.raw(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00))
		.section(1, type)
		.section(2, imports)
		.section(3, new Writer().u32(1).u32(0))
		.section(7, new Writer().u32(1).name("run").u8(0x00).u32(0))
		.section(10, new Writer().u32(1).sized(Uint8Array.from([...locals, ...body])))
		.finish();
}

let scanner: WasmModule | undefined;
let copier: WasmModule | undefined;

/** Not 0 where one of `length` bytes at `pointer`, which are there, is not ASCII. `null` for a memory that is shared or has 64 bits. */
export function linkScanner(memory: WasmMemory): FindNonAscii | null {
	scanner ??= new (webAssembly().Module)(encode(1, 2, 1, SCAN_LOCALS, SCAN));
	return link(scanner, { 0: memory }) as FindNonAscii | null;
}

/** Copies bytes that are there to where there is room. `null` where one of the memories is shared or has 64 bits. */
export function linkCopier(from: WasmMemory, to: WasmMemory): CopyAcross | null {
	copier ??= new (webAssembly().Module)(encode(2, 3, 0, [0], COPY));
	return link(copier, { 0: from, 1: to }) as CopyAcross | null;
}

function link(module: WasmModule, memories: Readonly<Record<string, WasmMemory>>): WasmExtern {
	const { Instance, LinkError } = webAssembly();
	try {
		return new Instance(module, { "": memories }).exports["run"];
	} catch (error) {
		if (error instanceof LinkError) return null;
		throw error;
	}
}
