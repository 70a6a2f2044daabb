/**
 * Calls between two guests that need nothing of the host but to be let in: a Wasm function of our own checks what is passed, has the callee
 * make room, copies, and calls. Anything out of the ordinary is left to the way through JavaScript, before anything was done:
 *
 *   (if (or out-of-bounds not-ascii…) (then (return (call $slow …))))
 *   (if (call $enter) (then (return (call $slow …))))
 *   (try_table (catch_all_ref $thrown)
 *     (local.set $pointer (call $realloc …))
 *     (if (or unaligned out-of-bounds) (then (call $refuse …) unreachable))
 *     (memory.copy …)
 *     (call $core …) (call $post-return …) return)
 *   ;; $thrown: what the callee threw is not the caller's to catch
 */
import type { CoreFunction, PassedBytes, PassedScalar, Passing, Realloc } from "../../abi/mod.ts";
import { Writer } from "../../bytes/mod.ts";
import { leaveOut } from "../v8/frames.ts";
import { SCAN, SCAN_LOCALS } from "../memory/links.ts";
import type { SlotMemory } from "../memory/slot-memory.ts";
import { webAssembly, type WasmExtern, type WasmGlobal, type WasmMemory, type WasmModule } from "../v8/v8.ts";

/** Of one string or list. What is longer takes so long that it does not matter how it is called. */
const MOST_BYTES = 1 << 20;
/** Of all that is passed in a call of at most so many slots: lists that become as much in the host are to be allowed. */
export const MOST_PASSED: number = 8 * MOST_BYTES;

const TYPES = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c } as const;
const EXNREF = 0x69;

type Code = readonly number[];
type Slot = keyof typeof TYPES;

const code = (...parts: readonly (number | Code)[]): Code => parts.flat();
const index = (value: number): Code => [...new Writer().u32(value).finish()];
const get = (local: number): Code => code(0x20, index(local));
const set = (local: number): Code => code(0x21, index(local));
const call = (fn: number): Code => code(0x10, index(fn));
const constant = (value: number): Code => code(0x41, [...new Writer().s32(value).finish()]);
const IF = [0x04, 0x40];
const END = 0x0b;
const RETURN = 0x0f;
const UNREACHABLE = 0x00;
const OR = 0x72;
const AND = 0x71;
const GT_U = 0x4b;
const SHL = 0x74;
/** i64.extend_i32_u */
const WIDE = 0xad;
/** i64.add, i64.shl, i64.gt_u */
const [ADD_WIDE, SHL_WIDE, GT_WIDE] = [0x7c, 0x86, 0x56];
const PAGE_BITS = [0x42, 16];

/** Functions of the module, and globals. Imports first. */
const [ENTER, SLOW, CORE, REALLOC, REFUSE, THROWN, POST_RETURN, SCANNER, RUN, AGAIN] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const [FROM_PAGES, TO_PAGES, KEPT] = [0, 1, 2];
/** Types */
const [T_ENTER, T_CALL, T_REALLOC, T_REFUSE, T_NOTHING, T_POST, T_SCAN] = [0, 1, 2, 3, 4, 5, 6];

/** Whether `bytes` at `pointer`, locals both, are not all within so many pages. */
function outside(pointer: number, bytes: Code, pages: number): Code {
	const end = code(get(pointer), WIDE, bytes, WIDE, ADD_WIDE);
	return code(end, 0x23, pages, WIDE, PAGE_BITS, SHL_WIDE, GT_WIDE);
}

/** What both sides of a call see of a value of the top of the stack; `local` has it too. */
function normal(kind: PassedScalar, local: number): Code {
	switch (kind) {
		case "bool":
			return [0x45, 0x45];
		case "u8":
			return code(constant(0xff), AND);
		case "s8":
			return [0xc0];
		case "u16":
			return code(constant(0xffff), AND);
		case "s16":
			return [0xc1];
		case "f32":
			return code([0x43, 0, 0, 0xc0, 0x7f], get(local), get(local), 0x5b, 0x1b);
		case "f64":
			return code([0x44, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f], get(local), get(local), 0x61, 0x1b);
		default:
			return [];
	}
}

/** By exponent. */
function shifted(value: Code, size: number): Code {
	return size === 1 ? value : code(value, constant(Math.log2(size)), SHL);
}

function encodeBody({ params, result, paramSlots, resultSlots }: Passing, postReturn: boolean): Code {
	const count = paramSlots.length;
	const [returned] = resultSlots;
	/** After the parameters: a pointer, and the result. */
	const [target, answer] = [count, count + 1];
	const all = paramSlots.flatMap((_, i) => get(i));
	const slowly = code(IF, all, call(SLOW), RETURN, END);
	const before: Code[] = [];
	const during: Code[] = [];
	const given: Code[] = [];
	let at = 0;
	for (const param of params) {
		if (typeof param === "string") {
			given.push(code(get(at), normal(param, at)));
			at++;
			continue;
		}
		const { wrong, pass } = encodeBytes(param, at, target);
		before.push(code(wrong, slowly));
		during.push(pass);
		given.push(code(get(at), get(at + 1)));
		at += 2;
	}
	const back = returned === undefined || result === null ? [] : code(get(answer), normal(result, answer));
	const keep = returned === undefined ? [] : set(answer);
	const post = postReturn ? code(returned === undefined ? [] : get(answer), call(POST_RETURN)) : [];
	const work = code(...during, ...given, call(CORE), keep, post, back, RETURN);
	return code(
		code(...before, call(ENTER), slowly),
		// block (result exnref), try_table (catch_all_ref 0)
		code([0x02, EXNREF, 0x1f, 0x40, 1, 0x03, 0], work, END, UNREACHABLE, END, 0x24, KEPT),
		// Where the stack has no room for the host, it is told later: block, try_table (catch_all 0)
		code([0x02, 0x40, 0x1f, 0x40, 1, 0x02, 0], call(THROWN), END, END, UNREACHABLE, END),
	);
}

/** Of the bytes that the slots `at` and `at + 1` tell of: whether something is wrong with them, and how they are passed on. */
function encodeBytes({ kind, size }: PassedBytes, at: number, target: number): { wrong: Code; pass: Code } {
	const bytes = shifted(get(at + 1), size);
	const unaligned = (pointer: number): Code => (size === 1 ? constant(0) : code(get(pointer), constant(size - 1), AND));
	const long = code(get(at + 1), constant(MOST_BYTES / size), GT_U);
	const text = kind === "text" ? code(IF_I32, constant(1), ELSE, get(at), get(at + 1), call(SCANNER), END) : [];
	const wrong = code(long, unaligned(at), OR, outside(at, bytes, FROM_PAGES), OR, text);
	const refused = code(IF, get(target), constant(size), call(REFUSE), UNREACHABLE, END);
	const pass = code(
		code(constant(0), constant(0), constant(size), bytes, call(REALLOC), set(target)),
		code(outside(target, bytes, TO_PAGES), unaligned(target), OR, refused),
		// memory.copy
		code(get(target), get(at), bytes, [0xfc, 0x0a, 1, 0], get(target), set(at)),
	);
	return { wrong, pass };
}

const IF_I32 = [0x04, TYPES.i32];
const ELSE = 0x05;

function encode(passing: Passing, postReturn: boolean): Uint8Array {
	const { paramSlots, resultSlots } = passing;
	const types = new Writer().u32(7);
	const type = (params: readonly Slot[], results: readonly Slot[]): void => {
		types.u8(0x60);
		for (const slots of [params, results]) {
			types.u32(slots.length);
			for (const slot of slots) types.u8(TYPES[slot]);
		}
	};
	type([], ["i32"]);
	type(paramSlots, resultSlots);
	type(["i32", "i32", "i32", "i32"], ["i32"]);
	type(["i32", "i32"], []);
	type([], []);
	type(resultSlots, []);
	type(["i32", "i32"], ["i32"]);
	const functions = [
		[NAMES.enter, T_ENTER],
		[NAMES.slow, T_CALL],
		[NAMES.core, T_CALL],
		[NAMES.realloc, T_REALLOC],
		[NAMES.refuse, T_REFUSE],
		[NAMES.thrown, T_NOTHING],
		[NAMES.postReturn, T_POST],
	] as const;
	const imports = new Writer().u32(4 + functions.length);
	for (const name of [NAMES.from, NAMES.to]) imports.name("").name(name).u8(0x02).u8(0x00).u32(0);
	for (const name of [NAMES.fromPages, NAMES.toPages]) imports.name("").name(name).u8(0x03).u8(TYPES.i32).u8(1);
	for (const [name, i] of functions) imports.name("").name(name).u8(0x00).u32(i);
	const locals = code(resultSlots.length === 0 ? 1 : 2, 1, TYPES.i32, ...resultSlots.map((slot) => [1, TYPES[slot]]));
	// What was kept is let go of before it is thrown on.
	const again = code([1, 1, EXNREF, 0x23, KEPT], set(0), [0xd0, EXNREF, 0x24, KEPT], get(0), 0x0a, END);
	const bodies = [code(SCAN_LOCALS, SCAN), code(locals, encodeBody(passing, postReturn)), again];
	const bodySection = new Writer().u32(bodies.length);
	for (const body of bodies) bodySection.sized(Uint8Array.from(body));
	return new Writer()
		.raw(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00))
		.section(1, types)
		.section(2, imports)
		.section(3, new Writer().u32(3).u32(T_SCAN).u32(T_CALL).u32(T_NOTHING))
		.section(
			6,
			new Writer()
				.u32(1)
				.u8(EXNREF)
				.u8(1)
				.raw(Uint8Array.of(0xd0, EXNREF, END)),
		)
		.section(7, new Writer().u32(2).name(NAMES.run).u8(0x00).u32(RUN).name(NAMES.again).u8(0x00).u32(AGAIN))
		.section(10, bodySection)
		.finish();
}

const NAMES = {
	from: "from",
	to: "to",
	fromPages: "from-pages",
	toPages: "to-pages",
	enter: "enter",
	slow: "slow",
	core: "core",
	realloc: "realloc",
	refuse: "refuse",
	thrown: "thrown",
	postReturn: "post-return",
	run: "run",
	again: "again",
} as const;

/** The two sides of a call. Of the callee, all that is called comes to no import of its component. */
export interface PassedCall {
	readonly passing: Passing;
	/** `null` where nothing is passed but numbers. */
	readonly from: SlotMemory | null;
	readonly to: SlotMemory | null;
	readonly realloc: Realloc | null;
	readonly core: CoreFunction;
	readonly postReturn: CoreFunction | null;
}

/** What the host has to say of such calls. Nothing of it throws. */
export interface PassHost {
	/** 0 where the call may be made, and is counted; else it is made by `slow`, which says what is wrong. */
	readonly enter: () => number;
	/** The callee's realloc gave such a pointer, for what is to be aligned so. */
	refuse(pointer: number, alignment: number): void;
	/** The callee ended with what `thrown` throws. */
	fail(thrown: () => void): void;
}

const modules = new WeakMap<Passing, Map<boolean, WasmModule>>();
let noMemory: WasmMemory | undefined;
let noPages: WasmGlobal | undefined;

/** A function of the caller's that has the type of `slow`, which is called where anything is out of the ordinary. */
export function passFirst(parts: PassedCall, slow: WasmExtern, host: PassHost): WasmExtern {
	const { Instance, LinkError } = webAssembly();
	const { passing, from, to, realloc, core, postReturn } = parts;
	let again: (() => void) | undefined;
	const nothing = (): number => 0;
	try {
		const instance = new Instance(moduleOf(passing, postReturn !== null), {
			"": {
				[NAMES.from]: memoryOf(from),
				[NAMES.to]: memoryOf(to),
				[NAMES.fromPages]: pagesOf(from),
				[NAMES.toPages]: pagesOf(to),
				[NAMES.enter]: host.enter,
				[NAMES.slow]: slow,
				[NAMES.core]: core,
				[NAMES.realloc]: realloc ?? nothing,
				[NAMES.refuse]: (pointer: number, alignment: number) => host.refuse(pointer >>> 0, alignment),
				[NAMES.thrown]: () => host.fail(again!),
				[NAMES.postReturn]: postReturn ?? nothing,
			},
		});
		leaveOut(instance);
		again = instance.exports[NAMES.again] as () => void;
		return instance.exports[NAMES.run];
	} catch (error) {
		// A memory that is shared or has 64 bits
		if (error instanceof LinkError) return slow;
		throw error;
	}
}

function moduleOf(passing: Passing, postReturn: boolean): WasmModule {
	let found = modules.get(passing);
	if (found === undefined) modules.set(passing, (found = new Map()));
	let module = found.get(postReturn);
	if (module === undefined) found.set(postReturn, (module = new (webAssembly().Module)(encode(passing, postReturn))));
	return module;
}

function memoryOf(memory: SlotMemory | null): WasmMemory {
	return memory?.memory ?? (noMemory ??= new (webAssembly().Memory)({ initial: 0, maximum: 0 }));
}

function pagesOf(memory: SlotMemory | null): WasmGlobal {
	return memory?.pages ?? (noPages ??= new (webAssembly().Global)({ value: "i32", mutable: true }, 0));
}
