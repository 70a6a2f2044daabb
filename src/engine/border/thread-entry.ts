/**
 * Threads begin in functions out of tables. As announcers do, a function of ours around such a one tells of its end while it still runs:
 *
 *   run(function, argument):    call $function(argument); call $done
 */
import { Writer } from "../../bytes/mod.ts";
import { leaveOut } from "../v8/frames.ts";
import { webAssembly, type WasmExtern, type WasmInstance, type WasmModule } from "../v8/v8.ts";

const I32 = 0x7f;
const FUNCREF = 0x70;

const OP = {
	end: 0x0b,
	call: 0x10,
	callRef: 0x14,
	localGet: 0x20,
	gc: 0xfb,
	refTest: 0x14,
	refCast: 0x16,
} as const;

function writeType(to: Writer, params: readonly number[], results: readonly number[]): void {
	to.u8(0x60);
	for (const side of [params, results]) {
		to.u32(side.length);
		for (const code of side) to.u8(code);
	}
}

/** `is(function) → i32` and `run(function, argument)`, for functions of one i32. */
function encodeThreadEntry(): Uint8Array {
	const types = new Writer().u32(4);
	writeType(types, [I32], []);
	writeType(types, [FUNCREF], [I32]);
	writeType(types, [FUNCREF, I32], []);
	writeType(types, [], []);
	const is = new Writer().u32(0).u8(OP.localGet).u32(0).u8(OP.gc).u32(OP.refTest).u8(0x00).u8(OP.end);
	const run = new Writer().u32(0).u8(OP.localGet).u32(1).u8(OP.localGet).u32(0);
	run.u8(OP.gc).u32(OP.refCast).u8(0x00).u8(OP.callRef).u32(0).u8(OP.call).u32(0).u8(OP.end);
	const exports = new Writer().u32(2).name("is").u8(0x00).u32(1).name("run").u8(0x00).u32(2);
	return new Writer()
		.raw(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00))
		.section(1, types)
		.section(2, new Writer().u32(1).name("").name("done").u8(0x00).u32(3))
		.section(3, new Writer().u32(2).u32(1).u32(2))
		.section(7, exports)
		.section(10, new Writer().u32(2).sized(is.finish()).sized(run.finish()))
		.finish();
}

let module: WasmModule | undefined;

function instantiate(done: () => void): WasmInstance {
	const { Instance, Module } = webAssembly();
	const instance: WasmInstance = new Instance((module ??= new Module(encodeThreadEntry())), { "": { done } });
	leaveOut(instance);
	return instance;
}

let is: ((found: unknown) => number) | undefined;

/** Whether something out of a table is a function of one i32, which threads can begin in. */
export function isThreadStart(found: unknown): boolean {
	is ??= instantiate(() => {}).exports["is"] as (found: unknown) => number;
	return found !== null && is(found) === 1;
}

/** Calls such a function with an argument, and `done` before it returns. */
export function createThreadEntry(done: () => void): WasmExtern {
	return instantiate(done).exports["run"];
}
