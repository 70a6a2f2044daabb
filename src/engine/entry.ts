/**
 * A call with a stack of its own gives a promise even where the guest returns at once. Functions of ours around the guest's tell what
 * it returned while it still runs, so that whoever called it need not wait for nothing.
 *
 *   run(params…) → result:      call $function(params…); call $done(result)
 *   run(function, argument):    the same for a function out of a table, which threads begin in
 */
import { Writer } from "../bytes/mod.ts";
import type { CoreValue } from "../abi/mod.ts";
import type { CoreFunctionType } from "../component/mod.ts";
import { leaveOut } from "./frames.ts";
import { webAssembly, type WasmExtern, type WasmInstance, type WasmModule } from "./v8.ts";

const CODES: Readonly<Record<string, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, funcref: 0x70 };

const OP = {
	end: 0x0b,
	call: 0x10,
	callRef: 0x14,
	localGet: 0x20,
	localTee: 0x22,
	gc: 0xfb,
	refTest: 0x14,
	refCast: 0x16,
} as const;

const HEADER = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);

function writeType(to: Writer, params: readonly string[], results: readonly string[]): Writer {
	to.u8(0x60);
	for (const side of [params, results]) {
		to.u32(side.length);
		for (const type of side) {
			const code = CODES[type];
			if (code === undefined) throw new Error(`no entry for core type ${type}`);
			to.u8(code);
		}
	}
	return to;
}

function encodeEntry({ params, results }: CoreFunctionType): Uint8Array {
	const types = new Writer().u32(2);
	writeType(types, params, results);
	writeType(types, results, []);
	const imports = new Writer().u32(2);
	imports.name("").name("function").u8(0x00).u32(0);
	imports.name("").name("done").u8(0x00).u32(1);
	const body = new Writer();
	const kept = params.length;
	if (results.length === 0) body.u32(0);
	else body.u32(1).u32(1).u8(CODES[results[0]!]!);
	for (const i of params.keys()) body.u8(OP.localGet).u32(i);
	body.u8(OP.call).u32(0);
	if (results.length > 0) body.u8(OP.localTee).u32(kept);
	body.u8(OP.call).u32(1);
	if (results.length > 0) body.u8(OP.localGet).u32(kept);
	body.u8(OP.end);
	return new Writer()
		.raw(HEADER)
		.section(1, types)
		.section(2, imports)
		.section(3, new Writer().u32(1).u32(0))
		.section(7, new Writer().u32(1).name("run").u8(0x00).u32(2))
		.section(10, new Writer().u32(1).sized(body.finish()))
		.finish();
}

/** `is(function) → i32` and `run(function, argument)`, for functions of one i32. */
function encodeThreadEntry(): Uint8Array {
	const types = new Writer().u32(4);
	writeType(types, ["i32"], []);
	writeType(types, ["funcref"], ["i32"]);
	writeType(types, ["funcref", "i32"], []);
	writeType(types, [], []);
	const is = new Writer().u32(0).u8(OP.localGet).u32(0).u8(OP.gc).u32(OP.refTest).u8(0x00).u8(OP.end);
	const run = new Writer().u32(0).u8(OP.localGet).u32(1).u8(OP.localGet).u32(0);
	run.u8(OP.gc).u32(OP.refCast).u8(0x00).u8(OP.callRef).u32(0).u8(OP.call).u32(0).u8(OP.end);
	const exports = new Writer().u32(2).name("is").u8(0x00).u32(1).name("run").u8(0x00).u32(2);
	return new Writer()
		.raw(HEADER)
		.section(1, types)
		.section(2, new Writer().u32(1).name("").name("done").u8(0x00).u32(3))
		.section(3, new Writer().u32(2).u32(1).u32(2))
		.section(7, exports)
		.section(10, new Writer().u32(2).sized(is.finish()).sized(run.finish()))
		.finish();
}

const modules = new Map<string, WasmModule>();

function compiled(key: string, encode: () => Uint8Array): WasmModule {
	let module = modules.get(key);
	if (module === undefined) modules.set(key, (module = new (webAssembly().Module)(encode())));
	return module;
}

function create(module: WasmModule, imports: Record<string, WasmExtern>): WasmInstance {
	const instance: WasmInstance = new (webAssembly().Instance)(module, { "": imports });
	leaveOut(instance);
	return instance;
}

/** The guest's function of this type, which tells `done` what it returned before it does. */
export function createEntry(
	exported: WasmExtern,
	type: CoreFunctionType,
	done: (value?: CoreValue) => void,
): WasmExtern {
	const module = compiled(`${type.params.join()}:${type.results.join()}`, () => encodeEntry(type));
	return create(module, { function: exported, done }).exports["run"];
}

/** The same for functions of one i32 out of tables; and whether something is such a function. */
export function createThreadEntry(done: () => void): { readonly run: WasmExtern; is(found: unknown): boolean } {
	const { run, is } = create(compiled("thread", encodeThreadEntry), { done }).exports;
	return { run, is: (found) => found !== null && (is as (found: unknown) => number)(found) === 1 };
}
