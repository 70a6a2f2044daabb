import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { revive } from "../instance.fixture.ts";
import { rewriteModule } from "../rewrite.ts";

const AS_IT_IS = { metering: "off", verify: true } as const;

suite("findState", () => {
	test("exports memories and mutable globals that the module defines, and nothing that it imports", async () => {
		const bytes = await parse(`(module
			(import "" "i" (global (mut i32)))
			(memory 1) (memory 2)
			(global i32 (i32.const 1)) (global (mut i64) (i64.const 7)) (global (mut f64) (f64.const 0.5))
			(func (export "skerry:memory:0")))`);
		const rewritten = rewriteModule(bytes, 0, AS_IT_IS);
		assert.deepEqual(rewritten.state, {
			memories: ["skerry:memory:0'", "skerry:memory:1"],
			globals: ["skerry:global:2", "skerry:global:3"],
			tables: [],
		});
		const { exports, memories } = await revive(rewritten, {
			imports: { "": { i: new (globalThis as any).WebAssembly.Global({ value: "i32", mutable: true }, 5) } },
		});
		assert.deepEqual(Object.keys(exports).sort(), [
			"skerry:global:2",
			"skerry:global:3",
			"skerry:memory:0",
			"skerry:memory:0'",
			"skerry:memory:1",
		]);
		assert.equal(exports["skerry:memory:1"], memories[1]);
		assert.equal(exports["skerry:memory:1"].buffer.byteLength, 131_072);
		assert.equal(exports["skerry:global:2"].value, 7n);
		assert.equal(exports["skerry:global:3"].value, 0.5);
	});

	test("leaves a module without state as it is", async () => {
		const bytes = await parse(`(module (table 1 funcref) (elem (i32.const 0) $f) (func $f (export "f")))`);
		const result = rewriteModule(bytes, 0, AS_IT_IS);
		assert.equal(result.bytes, bytes);
		assert.deepEqual(result.state, { memories: [], globals: [], tables: [] });
	});

	test("exports mutable globals up to their bound", async () => {
		const globals = (count: number): string =>
			"(global (mut i32) (i32.const 1)) (global i32 (i32.const 2))".repeat(count);
		const within = rewriteModule(await parse(`(module ${globals(10_000)})`), 0, AS_IT_IS);
		assert.equal(typeof within.state === "object" && within.state.globals.length, 10_000);
		assert.equal(within.initial.globals.length, 10_000);
		const bytes = await parse(`(module ${globals(10_001)})`);
		const beyond = rewriteModule(bytes, 0, AS_IT_IS);
		assert.equal(beyond.state, "it has more than 10000 mutable globals");
		assert.deepEqual(beyond.initial.globals, []);
		assert.equal(beyond.bytes, bytes);
	});

	for (const { name, text, why } of [
		{ name: "a mutable vector", text: `(global (mut v128) (v128.const i64x2 0 0))`, why: /references or vectors/ },
		{ name: "a mutable reference", text: `(global (mut externref) (ref.null extern))`, why: /references or vectors/ },
		{
			name: "an immutable reference to what is mutable",
			text: `(type $s (struct (field (mut i32)))) (global (ref $s) (struct.new $s (i32.const 1)))`,
			why: /references or vectors/,
		},
		{
			name: "a table of structures",
			text: `(type $s (struct (field (mut i32)))) (table 1 (ref null $s))`,
			why: /structures in tables/,
		},
		{
			name: "a structure behind an externref",
			text: `(type $s (struct (field (mut i32)))) (global externref (extern.convert_any (struct.new $s (i32.const 1))))`,
			why: /structures in constants/,
		},
		{
			name: "a structure in a table of externref",
			text: `(type $s (struct (field (mut i32))))
				(table 1 externref (extern.convert_any (struct.new_default $s)))`,
			why: /structures in constants/,
		},
		{
			name: "a structure in an element segment",
			text: `(type $s (struct (field (mut i32)))) (elem (ref $s) (struct.new $s (i32.const 1)))`,
			why: /structures in constants/,
		},
		{
			name: "structures in a table of another's that it changes",
			text: `(type $s (struct)) (import "" "t" (table 1 (ref null $s))) (func (table.set (i32.const 0) (ref.null $s)))`,
			why: /structures in tables/,
		},
		{ name: "a shared memory", text: `(memory 1 2 shared)`, why: /shared/ },
	]) {
		test(`says why a module cannot be put back: ${name}`, async () => {
			const bytes = await parse(`(module ${text})`);
			const result = rewriteModule(bytes, 0, AS_IT_IS);
			assert.ok(typeof result.state === "string");
			assert.match(result.state, why);
		});
	}

	for (const [name, code] of [
		["table.set", "(table.set 1 (i32.const 0) (ref.null func))"],
		["table.grow", "(drop (table.grow 1 (ref.null func) (i32.const 1)))"],
		["table.fill", "(table.fill 1 (i32.const 0) (ref.null func) (i32.const 1))"],
		["table.copy", "(table.copy 1 0 (i32.const 0) (i32.const 0) (i32.const 1))"],
		["table.init", "(table.init 1 $e (i32.const 0) (i32.const 0) (i32.const 0))"],
	] as const) {
		test(`exports a table that the module changes, an imported one too: ${name}`, async () => {
			for (const first of [
				'(import "" "t" (table 1 funcref)) (table 1 funcref)',
				"(table 1 funcref) (table 1 funcref)",
			]) {
				const bytes = await parse(`(module ${first} (elem $e func) (func ${code}))`);
				const { state } = rewriteModule(bytes, 0, AS_IT_IS);
				assert.deepEqual(state, {
					memories: [],
					globals: [],
					tables: ["skerry:table:1"],
					tablesChanged: "skerry:tables",
				});
			}
		});
	}

	test("an immutable reference to a function has no state", async () => {
		const bytes = await parse(`(module (func $f) (elem declare func $f) (global funcref (ref.func $f)))`);
		assert.deepEqual(rewriteModule(bytes, 0, AS_IT_IS).state, { memories: [], globals: [], tables: [] });
	});
});
