import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { revive } from "../instance.fixture.ts";
import { rewriteModule } from "../rewrite.ts";
import { arrayChunk } from "./array-bodies.ts";

const { WebAssembly } = globalThis as any;

type Exports = Record<string, any>;
type Call = readonly [fn: string, ...args: readonly number[]];

interface Element {
	readonly name: string;
	readonly storage: string;
	readonly width: number;
	/** A value of an i32, and an i32 of a value, which is on the stack. */
	readonly make: (value: string) => string;
	readonly read: string;
	/** The instruction that reads an element. */
	readonly get?: string;
	/** Whether data can be its elements, or functions; neither. */
	readonly segment?: "data" | "elem";
}

const ELEMENTS: readonly Element[] = [
	{ name: "i8", storage: "i8", width: 1, make: (v) => v, read: "", get: "array.get_u", segment: "data" },
	{ name: "i16", storage: "i16", width: 2, make: (v) => v, read: "", get: "array.get_u", segment: "data" },
	{ name: "i32", storage: "i32", width: 4, make: (v) => v, read: "", segment: "data" },
	{
		name: "f64",
		storage: "f64",
		width: 8,
		make: (v) => `(f64.reinterpret_i64 (i64.extend_i32_u ${v}))`,
		read: "i64.reinterpret_f64 i32.wrap_i64",
		segment: "data",
	},
	{
		name: "v128",
		storage: "v128",
		width: 16,
		make: (v) => `(i32x4.splat ${v})`,
		read: "i32x4.extract_lane 2",
		segment: "data",
	},
	{
		name: "structures",
		storage: "(ref null $s)",
		width: 8,
		make: (v) => `(struct.new $s ${v})`,
		read: "struct.get $s 0",
	},
	{
		name: "structures, none of them null",
		storage: "(ref $s)",
		width: 8,
		make: (v) => `(struct.new $s ${v})`,
		read: "struct.get $s 0",
	},
	{
		name: "functions",
		storage: "funcref",
		width: 8,
		make: (v) => `(table.get $f (i32.rem_u ${v} (i32.const 7)))`,
		read: "call $which",
		segment: "elem",
	},
];

const sizeOf = ({ width }: Element): number => 2 * arrayChunk(width) + 700;
/** Of a segment that is longer than a piece, and of one that is not. */
const longOf = (element: Element): number => sizeOf(element) - 50;

function guest(element: Element): string {
	const { storage, width, make, read, get = "array.get", segment } = element;
	const size = sizeOf(element);
	const data = (count: number): string =>
		Array.from(
			{ length: count * width },
			(_, i) => `\\${((i * 7 + (i >> 8)) & 0x7f).toString(16).padStart(2, "0")}`,
		).join("");
	const functions = (count: number): string => Array.from({ length: count }, (_, i) => `$f${(i * i) % 7}`).join(" ");
	const segments = { data, elem: functions };
	const given = (count: number): string =>
		segment === "elem" ? `func ${segments.elem(count)}` : `"${segments.data(count)}"`;
	const at = [0, 1, 2, 3, 4].map((i) => `(local.get ${i})`);
	return `(module
		(type $s (struct (field i32))) (type $a (array (mut ${storage}))) (type $b (array (mut ${storage})))
		${Array.from({ length: 7 }, (_, i) => `(func $f${i} (export "f${i}"))`).join(" ")}
		(table $f 7 funcref) (elem (table $f) (i32.const 0) func $f0 $f1 $f2 $f3 $f4 $f5 $f6)
		(func $which (param funcref) (result i32) (local i32)
			(loop $l (table.set $g (i32.const 0) (local.get 0))
				(if (ref.is_null (local.get 0)) (then (return (i32.const 99))))
				(local.set 1 (i32.add (i32.mul (local.get 1) (i32.const 3)) (i32.const 1)))
				(br_if $l (i32.lt_u (local.get 1) (i32.const 4))))
			(local.get 1))
		(table $g 1 funcref)
		(global $x (mut (ref null $a)) (ref.null $a)) (global $y (mut (ref null $a)) (ref.null $a))
		(func $array (param i32) (result (ref null $a))
			(if (result (ref null $a)) (i32.eqz (local.get 0)) (then (global.get $x))
				(else (if (result (ref null $a)) (i32.eq (local.get 0) (i32.const 1)) (then (global.get $y)) (else (ref.null $a))))))
		(func (export "init") (local $i i32)
			(global.set $x (array.new $a ${make("(i32.const 1)")} (i32.const ${size})))
			(global.set $y (array.new $a ${make("(i32.const 2)")} (i32.const ${size})))
			(loop $l
				(array.set $a (global.get $x) (local.get $i) ${make("(i32.mul (local.get $i) (i32.const 0x9e3779b1))")})
				(array.set $a (global.get $y) (local.get $i) ${make("(i32.mul (local.get $i) (i32.const 0x85ebca6b))")})
				(br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const ${size})))))
		(func (export "hash") (param i32) (result i32) (local $i i32) (local $h i32)
			(loop $l
				(local.set $h (i32.mul (i32.xor (i32.rotl (local.get $h) (i32.const 5))
					(${get} $a (call $array (local.get 0)) (local.get $i)) ${read}) (i32.const 0x01000193)))
				(br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const ${size}))))
			(local.get $h))
		(func (export "fill") (param i32 i32 i32 i32) (array.fill $a (call $array ${at[0]}) ${at[1]} ${make(at[2]!)} ${at[3]}))
		(func (export "copy") (param i32 i32 i32 i32 i32) (array.copy $a $a (call $array ${at[0]}) ${at[1]} (call $array ${at[2]}) ${at[3]} ${at[4]}))
		(func (export "other") (param i32 i32 i32) (array.copy $b $a (array.new $b ${make("(i32.const 3)")} (i32.const ${size})) ${at[0]} (global.get $x) ${at[1]} ${at[2]}))
		${
			segment === undefined
				? ""
				: `(${segment} $long ${given(longOf(element))}) (${segment} $short ${given(40)})
			(func (export "long") (param i32 i32 i32 i32) (array.init_${segment} $a $long (call $array ${at[0]}) ${at[1]} ${at[2]} ${at[3]}))
			(func (export "short") (param i32 i32 i32 i32) (array.init_${segment} $a $short (call $array ${at[0]}) ${at[1]} ${at[2]} ${at[3]}))
			(func (export "drop") (${segment}.drop $long) (${segment}.drop $short))`
		})`;
}

function callsOf(element: Element): Call[] {
	const [chunk, size] = [arrayChunk(element.width), sizeOf(element)];
	const lengths = [0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 2 * chunk + 1];
	const unit = element.segment === "data" ? element.width : 1;
	const inits = (n: number): Call[] =>
		element.segment === undefined
			? []
			: [
					["long", 0, 3, 0, n],
					["long", 1, size - n, (longOf(element) - n) * unit, n],
					["long", 0, 0, (longOf(element) + 1 - n) * unit, n],
					["long", 0, size + 1 - n, 0, n],
					["long", 0, 0, -1, n],
					["long", 2, 0, 0, n],
					["short", 1, 5, 0, Math.min(n, 40)],
					["short", 1, 5, 0, n + 41],
				];
	const within = (n: number): Call[] => [
		["fill", 0, 17, n, n],
		["fill", 1, size - n, 5, n],
		["copy", 0, 3, 0, 0, n],
		["copy", 0, 0, 0, 3, n],
		["copy", 1, chunk / 2, 1, 7, Math.min(n, size - chunk / 2)],
		["copy", 1, 7, 1, chunk / 2, Math.min(n, size - chunk / 2)],
		["copy", 0, 11, 1, 2, n],
		["other", 5, 1, n],
	];
	const beyond = (n: number): Call[] => [
		["fill", 0, size - n + 1, 9, n],
		["fill", 0, -1, 9, n],
		["fill", 2, 0, 9, n],
		["copy", 0, size - n + 1, 1, 0, n],
		["copy", 0, 0, 1, size - n + 1, n],
		["copy", 0, -1, 0, 0, n],
		["copy", 0, 0, 0, -1, n],
		["copy", 2, 0, 0, 0, n],
		// Where both are wrong, V8 names the other first
		["copy", 0, 0, 2, 0, Math.min(n >>> 0, size)],
	];
	return [
		...lengths.flatMap((n) => [...within(n), ...inits(n)]),
		...[...lengths, size, size + 1, -1].flatMap(beyond),
		...(element.segment === undefined ? [] : [["drop"] as Call, ...[0, 1, chunk + 1].flatMap(inits)]),
	];
}

function outcome(exports: Exports, [fn, ...args]: Call): unknown {
	try {
		return exports[fn](...args);
	} catch (error) {
		assert.ok(error instanceof WebAssembly.RuntimeError, String(error));
		return (error as Error).message;
	}
}

suite("bulk operations on arrays, in pieces, do what they did", () => {
	for (const element of ELEMENTS) {
		for (const metering of ["off", "trap"] as const) {
			test(`${element.name}, metering ${metering}`, async () => {
				const bytes = await parse(guest(element));
				const { exports: plain } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
				const { exports: lifted } = await revive(rewriteModule(bytes, 0, { metering, verify: true }));
				for (const exports of [plain, lifted]) exports["init"]();
				let traps = 0;
				for (const call of callsOf(element)) {
					const text = call.map(String).join(" ");
					const due = outcome(plain, call);
					if (typeof due === "string") traps++;
					assert.deepEqual(outcome(lifted, call), due, text);
					for (const array of [0, 1]) assert.equal(lifted["hash"](array), plain["hash"](array), text);
				}
				assert.ok(traps > 50, String(traps));
			});
		}
	}
});
