import { deepEqual, equal, throws } from "node:assert/strict";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { decodeModule } from "../wasm/mod.ts";
import { checkCompileWeight, MAX_COMPILE_WEIGHT } from "./compile-weight.ts";
import { rewriteModule } from "./rewrite.ts";

const times = (count: number, text: string): string => Array(count).fill(text).join(" ");
const I32S = times(999, "i32");
const TYPES = `(type $shift (func (param i32 ${I32S}) (result ${I32S}))) (type $pair (struct (field i32) (field i32)))
	(type $many (struct ${times(9999, "(field i32)")})) (type $ints (array (mut i32))) (type $empty (func))`;
const moduleOf = (locals: number, body: string): string =>
	`(module ${TYPES} (memory 1) (table 1 funcref) (tag $tag (param i32)) (elem declare func $leaf) (func $leaf) (func $results (result i32 ${I32S}) unreachable)
		(func (export "f") (param i32) (local ${times(locals, "i32")}) ${body}))`;

/** Each weighs some more than is allowed with this count, and some less with half of it. */
const HEAVY: Readonly<Record<string, readonly [locals: number, count: number, body: (n: number) => string]>> = {
	"ifs and locals": [49_000, 180, (n) => times(n, "(if (local.get 0) (then))")],
	"ifs in ifs": [49_000, 180, (n) => `${times(n, "local.get 0 if")} ${times(n, "end")}`],
	"blocks that are left": [49_000, 120, (n) => times(n, "(block (br_if 0 (local.get 0)))")],
	"loops in loops": [49_000, 180, (n) => `${times(n, "loop")} ${times(n, "end")}`],
	"a br_table to many blocks": [
		49_000,
		120,
		(n) =>
			`${times(n, "block")} (br_table ${Array.from({ length: n }, (_, i) => i).join(" ")} (local.get 0)) ${times(n, "end")}`,
	],
	"blocks that catch": [49_000, 80, (n) => times(n, "(block (try_table (catch_all 0) (call $leaf)))")],
	"legacy blocks that catch": [49_000, 120, (n) => times(n, "try call $leaf catch_all end")],
	"ifs and a high stack": [
		0,
		240,
		(n) => `${times(40_000, "local.get 0")} ${times(n, "(if (local.get 0) (then))")} ${times(40_000, "drop")}`,
	],
	"blocks with many parameters": [
		0,
		3_000,
		(n) => `${times(1000, "local.get 0")} ${times(n, "(block (type $shift) br 0) local.get 0")} ${times(1000, "drop")}`,
	],
	"calls with many results": [0, 280, (n) => times(n, `call $results ${times(1000, "drop")}`)],
	"calls and locals": [49_000, 1_600, (n) => times(n, "call $leaf")],
	"growth and locals": [49_000, 1_600, (n) => times(n, "(drop (memory.grow (local.get 0)))")],
	"calls through a table": [0, 200_000, (n) => times(n, "(call_indirect (i32.const 0))")],
	"calls through references": [0, 200_000, (n) => times(n, "(call_ref $empty (ref.func $leaf))")],
	growth: [0, 650_000, (n) => `local.get 0 ${times(n, "memory.grow")} drop`],
	"structures of many fields": [0, 1_700, (n) => times(n, "(drop (struct.new_default $many))")],
};

for (const [name, [locals, count, body]] of Object.entries(HEAVY)) {
	test(`${name}: V8 would make too much of it`, async () => {
		checkCompileWeight(decodeModule(await parse(moduleOf(locals, body(count / 2)))));
		const heavy = decodeModule(await parse(moduleOf(locals, body(count))));
		throws(() => checkCompileWeight(heavy), { code: "binary/limit" });
	});
}

test("many functions of which V8 would make much weigh together, whatever else the module has; what is light weighs nothing", async () => {
	const moduleOfMany = async (heavy: number, light: number) => {
		const body = `(local ${times(4_000, "i32")}) ${times(100, "(block (br_if 0 (local.get 0)))")}`;
		const ways = times(20, "(if (local.get 0) (then (call 0 (local.get 0))))");
		const functions = [`(func (param i32) ${body})`, `(func (param i32) (local i32 i32) ${ways})`];
		return decodeModule(await parse(`(module ${times(light, functions[1]!)} ${times(heavy, functions[0]!)})`));
	};
	checkCompileWeight(await moduleOfMany(12, 200));
	const expected = { code: "binary/limit", message: /its functions, up to \d+, have too many locals/ };
	for (const light of [0, 200]) {
		const many = await moduleOfMany(30, light);
		throws(() => checkCompileWeight(many), expected);
	}
});

/** Straight code, whose stack is never high: however long it is, it is compiled in its order. */
const STRAIGHT = [
	"local.get 0 local.set 0",
	"(local.set 0 (i32.add (local.get 0) (i32.mul (i32.const 3) (local.get 0))))",
	"(drop (select (local.get 0) (i32.const 1) (i32.const 2)))",
	"(i32.store (local.get 0) (i32.load (local.get 0)))",
	"(memory.fill (i32.const 0) (i32.const 0) (local.get 0))",
	"(memory.copy (i32.const 0) (i32.const 0) (local.get 0))",
	"(table.set (i32.const 0) (table.get (i32.const 0)))",
	"(drop (table.grow (ref.null func) (i32.const 0)))",
	"(table.copy (i32.const 0) (i32.const 0) (i32.const 0))",
	"(table.fill (i32.const 0) (ref.func $leaf) (i32.const 0))",
	"(drop (struct.new $pair (local.get 0) (local.get 0)))",
	"(drop (struct.get $pair 1 (struct.new_default $pair)))",
	"(drop (array.len (array.new $ints (i32.const 1) (i32.const 1))))",
	"(array.set $ints (array.new_fixed $ints 2 (local.get 0) (local.get 0)) (i32.const 0) (i32.const 0))",
	"(array.fill $ints (array.new_default $ints (i32.const 1)) (i32.const 0) (i32.const 0) (i32.const 0))",
	"(array.copy $ints $ints (ref.null $ints) (i32.const 0) (ref.null $ints) (i32.const 0) (i32.const 0))",
	"(drop (ref.cast (ref null $pair) (ref.null any)))",
	"(block (br_if 0 (local.get 0)))",
	"(block (result i32) (br_if 0 (local.get 0) (local.get 0))) drop",
	"(if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.const 2))) drop",
	"(block (result (ref null $pair)) (br_on_non_null 0 (ref.null $pair)) (ref.null $pair)) drop",
	"(block (br_table 0 0 (local.get 0)))",
	"(if (local.get 0) (then (return)))",
	"(if (local.get 0) (then (throw $tag (local.get 0))))",
	"(call $leaf)",
	"(call_indirect (i32.const 0))",
	"try call $leaf catch $tag drop end",
	"(block (result i32) (try_table (catch $tag 0) (call $leaf)) (i32.const 1)) drop",
	"(v128.store (i32.const 0) (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (v128.const i64x2 0 0) (v128.const i64x2 0 0)))",
	"(drop (i32.atomic.rmw.cmpxchg (i32.const 0) (i32.const 0) (i32.const 0)))",
];

const BRANCH = "(block (br_if 0 (local.get 0)))";

test("what is straight leaves the stack as it was: it may be as long as it likes, and weighs the more for what is left on the stack", async () => {
	const load = async (body: string) => {
		const bytes = await parse(moduleOf(4, body).replace("(func $leaf)", `(func $leaf (export "leaf"))`));
		equal((globalThis as any).WebAssembly.validate(bytes), true, body.slice(0, 200));
		return decodeModule(bytes);
	};
	for (const text of STRAIGHT) {
		checkCompileWeight(await load(times(20_000, `${text} ${BRANCH}`)));
		const left = await load(`${times(5_000, `local.get 0 ${text} ${BRANCH}`)} ${times(5_000, "drop")}`);
		throws(() => checkCompileWeight(left), { code: "binary/limit" }, text);
	}
});

test("a module with such a function is refused in every metering, with the function and where it is", async () => {
	const bytes = await parse(moduleOf(49_000, times(1000, "(if (local.get 0) (then))")));
	for (const metering of ["off", "trap", "yield", "fuel"] as const) {
		throws(
			() => rewriteModule(bytes, 100, { metering, verify: true }),
			(error: any) => {
				deepEqual([error.code, typeof error.place.offset], ["binary/limit", "number"]);
				equal(error.message.includes(`function 2 has too many locals`), true);
				equal(error.message.endsWith(`more than ${MAX_COMPILE_WEIGHT}`), true);
				return true;
			},
		);
	}
});
