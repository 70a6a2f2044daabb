/**
 * Small Wasm functions of our own over guests' memories, for what JavaScript can do only with a view made for each call: to look for
 * what is not ASCII, sixteen bytes at a time, and to pass bytes from one memory to another. Nothing but the guest's realloc can trap.
 */
import type { FindNonAscii, PassAcross, Realloc } from "../../abi/mod.ts";
import { Writer } from "../../bytes/mod.ts";
import { leaveOut } from "../v8/frames.ts";
import { webAssembly, type WasmExtern, type WasmMemory, type WasmModule } from "../v8/v8.ts";

const I32 = 0x7f;
const V128 = 0x7b;

const LOOP = [0x03, 0x40];
const IF = [0x04, 0x40];
const END = 0x0b;
const BR = 0x0c;
const RETURN = 0x0f;
const EQZ = 0x45;
const LT_U = 0x49;
const LE_U = 0x4d;
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
const load = (offset: number): Code => code(get(POINTER), LOAD_V128(offset));
const either = (a: Code, b: Code): Code => code(a, b, OR_V128);
const into = (vector: Code): Code => code(either(vector, get(VECTOR)), set(VECTOR));
/** As long as there are so many bytes. */
const again = (bytes: number, ...work: readonly (number | Code)[]): Code =>
	code(
		code(LOOP, get(LENGTH), constant(bytes), GE_U, IF, ...work),
		code(change(POINTER, ADD, bytes), change(LENGTH, SUB, bytes), BR, 1, END, END),
	);

/** The body of a function, and its locals: see `FindNonAscii`. */
export const SCAN: Code = code(
	code(get(LENGTH), constant(16), LT_U, IF),
	again(1, get(POINTER), LOAD_BYTE, get(BITS), OR, set(BITS)),
	code(get(BITS), constant(0x80), AND, RETURN, END),
	// No more than one of these waits for what came before.
	again(64, into(either(either(load(0), load(16)), either(load(32), load(48))))),
	again(16, into(load(0))),
	// The last sixteen, of which some were looked at.
	code(get(POINTER), get(LENGTH), ADD, constant(16), SUB, set(POINTER)),
	code(into(load(0)), get(VECTOR), BITMASK, END),
);
export const SCAN_LOCALS: Code = [2, 1, I32, 1, V128];

/** Parameters, and a local, of what passes bytes on: all of it is of the type of a realloc, and is called with what one is. */
const [SOURCE, SIZE, ALIGNMENT, LIMIT, TARGET] = [0, 1, 2, 3, 4];
const CALL_REALLOC = [0x10, 0];
const COPY = [0xfc, 0x0a, 1, 0];

const PASS: Code = code(
	code(constant(0), constant(0), get(ALIGNMENT), get(SIZE), CALL_REALLOC, set(TARGET)),
	code(get(TARGET), get(ALIGNMENT), constant(1), SUB, AND, EQZ),
	code(get(SIZE), get(LIMIT), LE_U, AND),
	code(get(TARGET), get(LIMIT), get(SIZE), SUB, LE_U, AND, IF),
	code(get(TARGET), get(SOURCE), get(SIZE), COPY, END),
	code(get(TARGET), END),
);
const PASS_LOCALS: Code = [1, 1, I32];

/** A module that exports a function over memories it imports; `calls` one of the same type. */
function encode(memories: number, params: number, locals: Code, body: Code, calls = 0): Uint8Array {
	const type = new Writer().u32(1).u8(0x60).u32(params);
	for (let i = 0; i < params; i++) type.u8(I32);
	type.u32(1).u8(I32);
	const imports = new Writer().u32(memories + calls);
	for (let i = 0; i < memories; i++) imports.name("").name(`${i}`).u8(0x02).u8(0x00).u32(0);
	for (let i = 0; i < calls; i++) imports.name("").name("call").u8(0x00).u32(0);
	return new Writer()
		.raw(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00))
		.section(1, type)
		.section(2, imports)
		.section(3, new Writer().u32(1).u32(0))
		.section(7, new Writer().u32(1).name("run").u8(0x00).u32(calls))
		.section(10, new Writer().u32(1).sized(Uint8Array.from([...locals, ...body])))
		.finish();
}

let scanner: WasmModule | undefined;
let passer: WasmModule | undefined;

/** Not 0 where one of `length` bytes at `pointer`, which are there, is not ASCII. `null` for a memory that is shared or has 64 bits. */
export function linkScanner(memory: WasmMemory): FindNonAscii | null {
	scanner ??= new (webAssembly().Module)(encode(1, 2, SCAN_LOCALS, SCAN));
	return link(scanner, { 0: memory }) as FindNonAscii | null;
}

/** See `PassAcross`; `null` where one of the memories is shared or has 64 bits. */
export function linkPasser(from: WasmMemory, to: WasmMemory, realloc: Realloc): PassAcross | null {
	passer ??= new (webAssembly().Module)(encode(2, 4, PASS_LOCALS, PASS, 1));
	return link(passer, { 0: from, 1: to, call: realloc }) as PassAcross | null;
}

function link(module: WasmModule, imports: Readonly<Record<string, WasmExtern>>): WasmExtern {
	const { Instance, LinkError } = webAssembly();
	try {
		const instance = new Instance(module, { "": imports });
		leaveOut(instance);
		return instance.exports["run"];
	} catch (error) {
		if (error instanceof LinkError) return null;
		throw error;
	}
}
