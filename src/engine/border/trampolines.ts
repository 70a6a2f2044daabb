/**
 * Host functions reach guests through small Wasm functions of our own, one per import, because only Wasm code can do two things:
 * end a guest so that no `catch_all` of its own sees it (`unreachable`), and wait without paying for it when there is nothing to wait
 * for (a suspending import suspends even when its function returns a plain value).
 *
 *   call $fast                     ;; JavaScript; returns at once and sets $status when it could not finish
 *   if (global.get $status)
 *     if (status ≠ waiting) unreachable        ;; it threw: the error is kept in the gate
 *     call $wait → ticket                      ;; suspends
 *     if (ticket < 0) unreachable
 *     call $take(ticket) → result    ;; the host learns that the guest runs again, result or not
 *     if (global.get $status) unreachable      ;; it was ended after its wait was over, and before it ran
 */
import { Writer } from "../../bytes/mod.ts";
import type { CoreFunctionType } from "../../component/mod.ts";
import { writeReturn } from "./returns.ts";
import { webAssembly, type WasmModule } from "../v8/v8.ts";

export const STATUS_DONE = 0;
export const STATUS_WAITING = 1;
export const STATUS_FAILED = 2;

const CODES: Readonly<Record<string, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c };
/** What the trampolines' functions may return. */
export const RESULTS: readonly (string | undefined)[] = ["i32", "i64", "f32", "f64", undefined];

const OP = {
	unreachable: 0x00,
	if: 0x04,
	end: 0x0b,
	call: 0x10,
	localGet: 0x20,
	localSet: 0x21,
	localTee: 0x22,
	globalGet: 0x23,
	globalSet: 0x24,
	i32Const: 0x41,
	i32LtS: 0x48,
	i32Ne: 0x47,
	blockEmpty: 0x40,
} as const;

/** Names of the imports of a trampoline module; all of one module name, `""`. */
export const TRAMPOLINE_IMPORTS = {
	module: "",
	status: "status",
	wait: "wait",
	take: (result: string | undefined): string => `take-${result ?? "nothing"}`,
	fast: (index: number): string => `fast-${index}`,
	returns: "returns",
	number: (index: number): string => `number-${index}`,
} as const;

/** What a trampoline module exports beside: writes the status, which takes V8 much longer from JavaScript. */
export const SET_STATUS = "set-status";

/** A module that exports one trampoline per type, named by its index, and imports what they call. At most one result each. */
function encodeTrampolines(types: readonly CoreFunctionType[], returning: readonly number[]): Uint8Array {
	const typeSection = new Writer();
	typeSection.u32(RESULTS.length + 1 + types.length + 1);
	for (const result of RESULTS) writeFunctionType(typeSection, ["i32"], result === undefined ? [] : [result]);
	writeFunctionType(typeSection, [], ["i32"]);
	for (const type of types) writeFunctionType(typeSection, type.params, type.results);
	writeFunctionType(typeSection, ["i32"], []);
	const waitType = RESULTS.length;
	const firstType = waitType + 1;

	const imports = new Writer();
	const importItem = (name: string): Writer => imports.name(TRAMPOLINE_IMPORTS.module).name(name);
	imports.u32(1 + 1 + RESULTS.length + types.length + (returning.length > 0 ? 1 + returning.length : 0));
	importItem(TRAMPOLINE_IMPORTS.status).u8(0x03).u8(0x7f).u8(0x01);
	importItem(TRAMPOLINE_IMPORTS.wait).u8(0x00).u32(waitType);
	for (const [i, result] of RESULTS.entries()) importItem(TRAMPOLINE_IMPORTS.take(result)).u8(0x00).u32(i);
	for (const i of types.keys())
		importItem(TRAMPOLINE_IMPORTS.fast(i))
			.u8(0x00)
			.u32(firstType + i);
	if (returning.length > 0) importItem(TRAMPOLINE_IMPORTS.returns).u8(0x02).u8(0x01).u32(1).u32(1);
	for (const i of returning) importItem(TRAMPOLINE_IMPORTS.number(i)).u8(0x03).u8(0x7f).u8(0x00);
	const waitFunction = 0;
	const firstTake = 1;
	const firstFast = firstTake + RESULTS.length;
	const firstOwn = firstFast + types.length;

	const functions = new Writer().u32(types.length + 1);
	const exports = new Writer().u32(types.length + 1);
	const code = new Writer().u32(types.length + 1);
	for (const [i, type] of types.entries()) {
		functions.u32(firstType + i);
		exports
			.name(String(i))
			.u8(0x00)
			.u32(firstOwn + i);
		const number = returning.indexOf(i);
		code.sized(encodeBody(type, firstFast + i, waitFunction, firstTake, number < 0 ? undefined : 1 + number));
	}
	functions.u32(firstType + types.length);
	exports
		.name(SET_STATUS)
		.u8(0x00)
		.u32(firstOwn + types.length);
	code.sized(new Writer().u32(0).u8(OP.localGet).u32(0).u8(OP.globalSet).u32(0).u8(OP.end).finish());
	return new Writer()
		.raw(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00))
		.section(1, typeSection)
		.section(2, imports)
		.section(3, functions)
		.section(7, exports)
		.section(10, code)
		.finish();
}

function writeFunctionType(to: Writer, params: readonly string[], results: readonly string[]): void {
	to.u8(0x60);
	for (const side of [params, results]) {
		to.u32(side.length);
		for (const type of side) to.u8(knownTypeCode(type));
	}
}

/** `undefined` for what is no number: a vector, a reference. */
export function coreTypeCode(type: string): number | undefined {
	return CODES[type];
}

function knownTypeCode(type: string): number {
	const code = coreTypeCode(type);
	if (code === undefined) throw new Error(`no trampoline for core type ${type}`);
	return code;
}

function encodeBody(
	type: CoreFunctionType,
	fast: number,
	wait: number,
	firstTake: number,
	number: number | undefined,
): Uint8Array {
	const result = type.results[0];
	const ticket = type.params.length;
	const kept = ticket + 1;
	const body = new Writer();
	body.u32(result === undefined ? 1 : 2);
	body.u32(1).u8(knownTypeCode("i32"));
	if (result !== undefined) body.u32(1).u8(knownTypeCode(result));

	if (number !== undefined) writeReturn(body, number, type.params[0]);
	for (const i of type.params.keys()) body.u8(OP.localGet).u32(i);
	body.u8(OP.call).u32(fast);
	if (result !== undefined) body.u8(OP.localSet).u32(kept);
	body.u8(OP.globalGet).u32(0).u8(OP.if).u8(OP.blockEmpty);
	body.u8(OP.globalGet).u32(0).u8(OP.i32Const).s32(STATUS_WAITING).u8(OP.i32Ne);
	body.u8(OP.if).u8(OP.blockEmpty).u8(OP.unreachable).u8(OP.end);
	body.u8(OP.call).u32(wait).u8(OP.localTee).u32(ticket);
	body.u8(OP.i32Const).s32(0).u8(OP.i32LtS);
	body.u8(OP.if).u8(OP.blockEmpty).u8(OP.unreachable).u8(OP.end);
	body
		.u8(OP.localGet)
		.u32(ticket)
		.u8(OP.call)
		.u32(firstTake + RESULTS.indexOf(result));
	if (result !== undefined) body.u8(OP.localSet).u32(kept);
	body.u8(OP.globalGet).u32(0).u8(OP.if).u8(OP.blockEmpty).u8(OP.unreachable).u8(OP.end);
	body.u8(OP.end);
	if (result !== undefined) body.u8(OP.localGet).u32(kept);
	body.u8(OP.end);
	return body.finish();
}

/**
 * Compiled trampolines for these types; kept by whoever instantiates them often.
 * @param returning the indices of those of `task.return` that can do without the host: with at most one parameter
 */
export function compileTrampolines(types: readonly CoreFunctionType[], returning: readonly number[] = []): WasmModule {
	return new (webAssembly().Module)(encodeTrampolines(types, returning));
}
