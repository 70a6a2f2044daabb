/** The guests of the `calls` benchmark, and what a person would write by hand for their core modules. */

/** Bytes that the guest gives away: nothing but `a`, which is at once text, numbers and records. */
const DATA = 1 << 20;
/** Where realloc begins anew after each call. */
const HEAP = 5 << 19;

const CORE = `(core module $m
	(memory (export "memory") 64)
	(global $next (mut i32) (i32.const ${HEAP}))
	(func $init (memory.fill (i32.const ${DATA}) (i32.const 97) (i32.const ${1 << 20})))
	(start $init)
	(func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $p i32)
		(local.set $p (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
		(global.set $next (i32.add (local.get $p) (local.get 3)))
		(local.get $p))
	(func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
	(func (export "describe") (param i32 i64 f64 i32 i32 i32) (result i32)
		(global.set $next (i32.const ${HEAP}))
		(i32.add (local.get 0) (local.get 5)))
	(func (export "take") (param i32 i32) (result i32)
		(global.set $next (i32.const ${HEAP}))
		(local.get 1))
	(func (export "give") (param i32) (result i32)
		(i32.store (i32.const 8) (i32.const ${DATA}))
		(i32.store (i32.const 12) (local.get 0))
		(i32.const 8)))`;

const OPTIONS = `(memory (core memory $i "memory")) (realloc (core func $i "realloc"))`;

/** The exported interface. */
export const INTERFACE = "bench:calls/all";

const TYPES: readonly (readonly [name: string, definition: string])[] = [
	["pair", '(record (field "x" u32) (field "y" u32))'],
	[
		"file",
		'(record (field "id" u32) (field "size" u64) (field "ratio" f64) (field "open" bool) (field "name" string))',
	],
];

const FUNCTIONS: readonly (readonly [name: string, type: string, lift: string])[] = [
	["add", '(param "a" u32) (param "b" u32) (result u32)', '(core func $i "add")'],
	["describe", '(param "file" $file) (result u32)', `(core func $i "describe") ${OPTIONS}`],
	...[
		["string", "string"],
		["bytes", "(list u8)"],
		["words", "(list u32)"],
		["pairs", "(list $pair)"],
	].flatMap(([name, type]) => [
		[`take-${name}`, `(param "value" ${type}) (result u32)`, `(core func $i "take") ${OPTIONS}`] as const,
		[
			`give-${name}`,
			`(param "length" u32) (result ${type})`,
			`(core func $i "give") (memory (core memory $i "memory"))`,
		] as const,
	]),
];

/**
 * Exports that take or give what its name says; `give-…` takes the length. An interface that defines types can only be made by a
 * component of its own, which passes everything through.
 */
export const EXPORTS_WAT: string = `(component ${CORE}
	(core instance $i (instantiate $m))
	${TYPES.map(([name, definition]) => `(type $${name} ${definition})`).join("\n")}
	${FUNCTIONS.map(([name, type, lift]) => `(func $${name} ${type} (canon lift ${lift}))`).join("\n")}
	(component $interface
		${TYPES.map(([name, definition]) => `(type $${name}' ${definition}) (import "type-${name}" (type $${name} (eq $${name}')))`).join("\n")}
		${FUNCTIONS.map(([name, type]) => `(import "f-${name}" (func $${name} ${type}))`).join("\n")}
		${TYPES.map(([name]) => `(export $${name}-out "${name}" (type $${name}))`).join("\n")}
		${FUNCTIONS.map(([name, type]) => `(export "${name}" (func $${name}) (func ${type.replaceAll(/\$(\w+)/g, "$$$1-out")}))`).join("\n")})
	(instance $all (instantiate $interface
		${TYPES.map(([name]) => `(with "type-${name}" (type $${name}))`).join("\n")}
		${FUNCTIONS.map(([name]) => `(with "f-${name}" (func $${name}))`).join("\n")}))
	(export "${INTERFACE}" (instance $all)))`;

/** A guest that calls its host, or another guest, so many times; what it passes is in its memory. */
export const IMPORTS_WAT: string = `(component
	(import "host-add" (func $add (param "a" u32) (param "b" u32) (result u32)))
	(import "host-append" (func $append (param "name" string) (param "value" (list u8)) (result (result (error u32)))))
	(core module $memory (memory (export "memory") 1) (data (i32.const 64) "content-typetext/html; charset=utf-8"))
	(core instance $mem (instantiate $memory))
	(core func $add' (canon lower (func $add)))
	(core func $append' (canon lower (func $append) (memory (core memory $mem "memory"))))
	(component $callee
		(core module $m
			(memory (export "memory") 1)
			(func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
			(func (export "take") (param i32 i32) (result i32) (local.get 1)))
		(core instance $i (instantiate $m))
		(func (export "take") (param "text" string) (result u32)
			(canon lift (core func $i "take") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
	(instance $callee (instantiate $callee))
	(component $caller
		(import "take" (func $take (param "text" string) (result u32)))
		(core module $memory (memory (export "memory") 1))
		(core instance $mem (instantiate $memory))
		(core func $take' (canon lower (func $take) (memory (core memory $mem "memory"))))
		(core module $m
			(import "callee" "take" (func $take (param i32 i32) (result i32)))
			(func (export "passes") (param $n i32) (result i32) (local $sum i32)
				(loop $again
					(local.set $sum (i32.add (local.get $sum) (call $take (i32.const 4096) (i32.const 1024))))
					(br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
				(local.get $sum)))
		(core instance $i (instantiate $m (with "callee" (instance (export "take" (func $take'))))))
		(func (export "passes") (param "n" u32) (result u32) (canon lift (core func $i "passes"))))
	(instance $caller (instantiate $caller (with "take" (func $callee "take"))))
	(export "passes" (func $caller "passes"))
	(core module $m
		(import "host" "add" (func $add (param i32 i32) (result i32)))
		(import "host" "append" (func $append (param i32 i32 i32 i32 i32)))
		(func (export "adds") (param $n i32) (result i32) (local $sum i32)
			(loop $again
				(local.set $sum (call $add (local.get $sum) (local.get $n)))
				(br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
			(local.get $sum))
		(func (export "appends") (param $n i32) (result i32)
			(loop $again
				(call $append (i32.const 64) (i32.const 12) (i32.const 76) (i32.const 24) (i32.const 8))
				(br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
			(i32.const 0)))
	(core instance $i (instantiate $m (with "host" (instance (export "add" (func $add')) (export "append" (func $append'))))))
	(func (export "adds") (param "n" u32) (result u32) (canon lift (core func $i "adds")))
	(func (export "appends") (param "n" u32) (result u32) (canon lift (core func $i "appends"))))`;

/** The core module of `EXPORTS_WAT` by itself. */
export const EXPORTS_CORE_WAT: string = CORE.replace("(core module $m", "(module");

export interface FileRecord {
	readonly id: number;
	readonly size: bigint;
	readonly ratio: number;
	readonly open: boolean;
	readonly name: string;
}

export interface Pair {
	readonly x: number;
	readonly y: number;
}

/** What is measured: our calls, jco's and those by hand have these names. */
export type Calls = Readonly<Record<string, (...args: any[]) => unknown>>;

interface CoreExports {
	readonly memory: { readonly buffer: ArrayBuffer };
	readonly realloc: (old: number, oldSize: number, alignment: number, size: number) => number;
	readonly add: (a: number, b: number) => number;
	readonly describe: (id: number, size: bigint, ratio: number, open: number, pointer: number, length: number) => number;
	readonly take: (pointer: number, length: number) => number;
	readonly give: (length: number) => number;
}

/** By hand, for `EXPORTS_WAT`'s core module: right values are taken for granted, and the guest is believed. */
export function handWritten(exports: unknown): Calls {
	const { memory, realloc, add, describe, take, give } = exports as CoreExports;
	const encoder = new TextEncoder();
	const decoder = new TextDecoder();
	let bytes = new Uint8Array(memory.buffer);
	let view = new DataView(memory.buffer);
	const renew = (): void => {
		if (bytes.length > 0) return;
		bytes = new Uint8Array(memory.buffer);
		view = new DataView(memory.buffer);
	};
	let length = 0;
	const lowerString = (text: string): number => {
		const pointer = realloc(0, 0, 1, text.length);
		renew();
		const { read, written } = encoder.encodeInto(text, bytes.subarray(pointer, pointer + text.length));
		if (read !== text.length) throw new Error("not ASCII");
		length = written;
		return pointer;
	};
	return {
		add: (a: number, b: number) => add(a, b) >>> 0,
		describe: ({ id, size, ratio, open, name }: FileRecord) => {
			const pointer = lowerString(name);
			return describe(id, size, ratio, open ? 1 : 0, pointer, length) >>> 0;
		},
		takeString: (text: string) => {
			const pointer = lowerString(text);
			return take(pointer, length) >>> 0;
		},
		giveString: (n: number) => {
			const area = give(n);
			renew();
			const pointer = view.getUint32(area, true);
			return decoder.decode(bytes.subarray(pointer, pointer + view.getUint32(area + 4, true)));
		},
		takeBytes: (values: Uint8Array) => {
			const pointer = realloc(0, 0, 1, values.length);
			renew();
			bytes.set(values, pointer);
			return take(pointer, values.length) >>> 0;
		},
		giveBytes: (n: number) => {
			const area = give(n);
			renew();
			const pointer = view.getUint32(area, true);
			return bytes.slice(pointer, pointer + view.getUint32(area + 4, true));
		},
		takeWords: (values: Uint32Array) => {
			const pointer = realloc(0, 0, 4, values.length * 4);
			renew();
			new Uint32Array(memory.buffer, pointer, values.length).set(values);
			return take(pointer, values.length) >>> 0;
		},
		giveWords: (n: number) => {
			const area = give(n);
			renew();
			return new Uint32Array(memory.buffer, view.getUint32(area, true), view.getUint32(area + 4, true)).slice();
		},
		takePairs: (values: readonly Pair[]) => {
			const pointer = realloc(0, 0, 4, values.length * 8);
			renew();
			for (let i = 0, at = pointer; i < values.length; i++, at += 8) {
				const { x, y } = values[i]!;
				view.setUint32(at, x, true);
				view.setUint32(at + 4, y, true);
			}
			return take(pointer, values.length) >>> 0;
		},
		givePairs: (n: number) => {
			const area = give(n);
			renew();
			const pairs: Pair[] = [];
			const end = view.getUint32(area + 4, true);
			for (let i = 0, at = view.getUint32(area, true); i < end; i++, at += 8) {
				pairs.push({ x: view.getUint32(at, true), y: view.getUint32(at + 4, true) });
			}
			return pairs;
		},
	};
}
