import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { rewriteModule, type RewriteOptions } from "./rewrite.ts";

const TRAP: RewriteOptions = { metering: "trap", check: "page", verify: true };

async function briefOf(fields: string, options: RewriteOptions = TRAP): Promise<readonly string[]> {
	return rewriteModule(new Uint8Array(await parse(`(module ${fields})`)), 0, options).brief;
}

/** A loop beside what is looked at, so that there is a flag. */
const BESIDE = `(memory 1) (table $t 2 funcref) (type $v (func)) (global $g (mut i32) (i32.const 0)) (tag $e)
	(func $spacious (local ${"i64 ".repeat(40_000)}))
	(type $values (func (param ${"i32 ".repeat(100)}) (result ${"i32 ".repeat(100)})))
	(func $moves ${"(i32.const 0)".repeat(100)} ${"(block (type $values))".repeat(3)} ${"(drop)".repeat(100)})
	(func $leaf (result i32) (i32.load (i32.const 4)))
	(func (export "beside") (loop $again (br_if $again (global.get $g))))`;

const CASES: readonly (readonly [what: string, body: string, isBrief: boolean])[] = [
	["numbers", "(global.set $g (i32.add (global.get $g) (i32.const 1)))", true],
	[
		"blocks and branches",
		"(block $b (br_table $b $b (if (result i32) (global.get $g) (then (return)) (else (i32.const 0)))))",
		true,
	],
	["vectors", "(drop (i32x4.extract_lane 0 (i32x4.splat (i32.const 1))))", true],
	["memory", "(i32.store (i32.const 8) (i32.load (i32.const 16)))", true],
	["a trap", "unreachable", true],
	["a call by name", "(drop (call $leaf))", true],
	["12 calls, each of which may be the first", "(drop (call $leaf))".repeat(12), true],
	["13 such calls", "(drop (call $leaf))".repeat(13), false],
	["many locals, in one function", "(call $spacious)", true],
	["many locals, in two functions", "(call $spacious) (call $spacious)", false],
	["three blocks of 100 values", "(call $moves)", true],
	["the same twice", "(call $moves) (call $moves)", false],
	["a loop", "(loop)", false],
	["a call of the host", "(call $host)", false],
	["a call of what calls the host", "(call $visitor)", false],
	["a call through a table", "(call_indirect (type $v) (i32.const 0))", false],
	["a tail call of what has a loop", "(return_call $loops)", false],
	["itself", "(call $self)", false],
	["two that call each other", "(call $one)", false],
	["growth", "(drop (memory.grow (i32.const 0)))", false],
	["the size of memory", "(drop (memory.size))", true],
	["filling", "(memory.fill (i32.const 0) (i32.const 0) (i32.const 1))", false],
	["atomics", "(drop (i32.atomic.load (i32.const 0)))", false],
	["tables", "(table.set $t (i32.const 0) (ref.null func))", false],
	["exceptions", "(throw $e)", false],
];

test("what is brief is told of each function by what it can come to", async () => {
	for (const [what, body, isBrief] of CASES) {
		const found = await briefOf(`(import "host" "f" (func $host)) ${BESIDE}
			(func $visitor (call $host))
			(func $loops (loop $again (br_if $again (global.get $g))))
			(func $one (call $two)) (func $two (call $one))
			(func $self (export "it") ${body}) (export "host" (func $host))`);
		assert.deepEqual(found, isBrief ? ["it"] : [], what);
	}
});

test("many calls within each other are as much as all that runs in them", async () => {
	const functions = Array.from(
		{ length: 20 },
		(_, i) => `(func $f${i} (export "${i}") (call $f${i + 1}) (call $f${i + 1}))`,
	);
	const found = await briefOf(`${functions.join("\n")} (func $f20 (export "20"))`);
	// Of each a fifth of its first compilation counts, too: 9,726 of `17`, 20,190 of `16`
	assert.deepEqual(found.toSorted(), ["17", "18", "19", "20"]);
});

test("none is where instructions are counted; without metering they are the same", async () => {
	const fields = `${BESIDE} (func (export "it") (global.set $g (i32.const 1)))`;
	assert.deepEqual(await briefOf(fields, { metering: "fuel", verify: true }), []);
	for (const metering of ["off", "trap", "yield"] as const)
		assert.deepEqual(await briefOf(fields, { metering, verify: true }), ["it"], metering);
	assert.deepEqual(await briefOf('(func (export "it"))'), ["it"], "where nothing is to be stopped");
});
