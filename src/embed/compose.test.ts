import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import path from "node:path";
import { suite, test } from "node:test";

import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";

import { LimitExceeded, SkerryError } from "../fault/mod.ts";
import { type Composition, Engine } from "./mod.ts";

const engine = new Engine();
const assemble = async (wat: string): Promise<Uint8Array> => new Uint8Array(await parse(wat));

/** Exports `count`, which counts its calls, as the interface `name`. */
const counter = (name: string): string => `(component
	(core module $m (global $n (mut i32) (i32.const 0))
		(func (export "f") (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))
	(core instance $i (instantiate $m))
	(func $f (result u32) (canon lift (core func $i "f")))
	(instance $o (export "count" (func $f))) (export "${name}" (instance $o)))`;

/** Calls what it imports under each name, and gives the sum; loops when that is 7. */
const summer = (...names: readonly string[]): string => `(component
	${names.map((name, i) => `(import "${name}" (instance $i${i} (export "count" (func (result u32))))) (alias export $i${i} "count" (func $f${i})) (core func $c${i} (canon lower (func $f${i})))`).join("\n")}
	(core module $m ${names.map((_, i) => `(import "" "f${i}" (func $f${i} (result i32)))`).join(" ")}
		(func (export "sum") (result i32) (local $s i32)
			${names.map((_, i) => `(local.set $s (i32.add (local.get $s) (call $f${i})))`).join(" ")}
			(loop $on (br_if $on (i32.eq (local.get $s) (i32.const 7))))
			(local.get $s)))
	(core instance $i (instantiate $m (with "" (instance ${names.map((_, i) => `(export "f${i}" (func $c${i}))`).join(" ")}))))
	(func (export "sum") (result u32) (canon lift (core func $i "sum"))))`;

suite("a composition", () => {
	test("is called, kept and reset as one component", async () => {
		const composition: Composition = {
			nodes: {
				app: await assemble(summer("a:b/one@1.2.0", "a:b/two")),
				one: await assemble(counter("a:b/one@1.4.0")),
				two: await assemble(counter("a:b/two")),
			},
			edges: [
				{ node: "app", import: "a:b/one", from: "one" },
				{ node: "app", from: "two" },
			],
		};
		const whole = await engine.compose(composition);
		assert.deepEqual([whole.kind, whole.imports, whole.exportNames], ["component", [], ["sum"]]);
		for (let i = 0; i < 20; i++) assert.equal(await whole.exports["sum"](), 2, "each call begins anew");
		using sandbox = whole.instantiate();
		assert.deepEqual([await sandbox.exports["sum"](), await sandbox.exports["sum"]()], [2, 4]);
	});

	test("takes what no edge gives from the host, and is bounded as a whole", async () => {
		const nodes = { app: await assemble(summer("a:b/one", "a:b/two")), one: await assemble(counter("a:b/one")) };
		const edges = [{ node: "app", from: "one" }];
		const whole = await engine.compose(
			{ nodes, edges },
			{ imports: { "a:b/two": { count: () => 6 } }, limits: { cpu: 30 } },
		);
		assert.deepEqual(whole.imports, ["a:b/two"]);
		await assert.rejects(whole.exports["sum"](), LimitExceeded);
		const missing: unknown = await engine.compose({ nodes, edges }).catch((error: unknown) => error);
		assert.ok(missing instanceof SkerryError && missing.code === "link/missing-imports");
	});

	test("names the node whose bytes are no component", async () => {
		const nodes = { app: new Uint8Array(4), other: await assemble(counter("a:b/one")) };
		const error: unknown = await engine.compose({ nodes, edges: [] }).catch((reason: unknown) => reason);
		assert.ok(error instanceof SkerryError);
		assert.deepEqual([error.code, error.place?.file], ["binary/not-wasm", "app"]);
	});

	test("gives a component another WASI than the host's", async () => {
		// Says its first argument's length; what it imports is WASI's own interface.
		const app = await assemble(`(component
			(import "wasi:cli/environment@0.2.0" (instance $e
				(export "get-arguments" (func (result (list string))))
				(export "initial-cwd" (func (result (option string))))))
			(core module $libc (memory (export "memory") 1) (global $p (mut i32) (i32.const 64))
				(func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
					(local.set $at (i32.and (i32.add (global.get $p) (i32.const 7)) (i32.const -8)))
					(global.set $p (i32.add (local.get $at) (local.get 3))) (local.get $at)))
			(core instance $libc (instantiate $libc))
			(alias core export $libc "realloc" (core func $realloc))
			(alias core export $libc "memory" (core memory $memory))
			(alias export $e "get-arguments" (func $args))
			(core func $args (canon lower (func $args) (memory $memory) (realloc $realloc)))
			(core module $m (import "l" "memory" (memory 1)) (import "" "args" (func $args (param i32)))
				(func (export "count") (result i32) (call $args (i32.const 8)) (i32.load (i32.const 12))))
			(core instance $i (instantiate $m (with "l" (instance $libc)) (with "" (instance (export "args" (func $args))))))
			(func (export "count") (result u32) (canon lift (core func $i "count"))))`);
		const virtual = await assemble(`(component
			(core module $m (memory (export "memory") 1)
				(data (i32.const 16) "\\40\\00\\00\\00\\03\\00\\00\\00\\40\\00\\00\\00\\03\\00\\00\\00") (data (i32.const 64) "abc")
				(func (export "args") (result i32)
					(i32.store (i32.const 8) (i32.const 16)) (i32.store (i32.const 12) (i32.const 2)) (i32.const 8))
				(func (export "cwd") (result i32) (i32.const 32)))
			(core instance $i (instantiate $m))
			(func $args (result (list string)) (canon lift (core func $i "args") (memory (core memory $i "memory"))))
			(func $cwd (result (option string)) (canon lift (core func $i "cwd") (memory (core memory $i "memory"))))
			(instance $o (export "get-arguments" (func $args)) (export "initial-cwd" (func $cwd)))
			(export "wasi:cli/environment@0.2.3" (instance $o)))`);
		const wasi = { args: ["one"] };
		const plain = await engine.load(app, { wasi });
		assert.equal(await plain.exports["count"](), 1);
		const edges = [{ node: "app", import: "wasi:cli/environment", from: "virtual" }];
		const whole = await engine.compose({ nodes: { app, virtual }, edges }, { wasi });
		assert.deepEqual(whole.imports, []);
		assert.equal(await whole.exports["count"](), 2);
	});
});

test(
	"a real component is fed by another one",
	{
		skip: existsSync(path.resolve(import.meta.dirname, "../../../shared/suites/runtime-types"))
			? false
			: "1 component is absent",
	},
	async () => {
		const file = path.resolve(import.meta.dirname, "../../../shared/suites/runtime-types/adder.component.wasm");
		const app = await assemble(`(component
		(import "docs:adder/add@0.1.0" (instance $a (export "add" (func (param "x" u32) (param "y" u32) (result u32)))))
		(alias export $a "add" (func $add)) (core func $low (canon lower (func $add)))
		(core module $m (import "" "add" (func $add (param i32 i32) (result i32)))
			(func (export "twice") (param i32) (result i32) (call $add (local.get 0) (local.get 0))))
		(core instance $i (instantiate $m (with "" (instance (export "add" (func $low))))))
		(func (export "twice") (param "x" u32) (result u32) (canon lift (core func $i "twice"))))`);
		const nodes = { app, adder: file };
		const whole = await engine.compose({ nodes, edges: [{ node: "app", from: "adder" }] });
		assert.equal(await whole.exports["twice"](21), 42);
	},
);

suite("sources", () => {
	const bytes = assemble(counter("a:b/one"));
	const chunks = async function* (): AsyncGenerator<Uint8Array> {
		const all = await bytes;
		for (let i = 0; i < all.length; i += 50) yield all.subarray(i, i + 50);
	};

	test("streams and responses", async () => {
		for (const source of [
			chunks(),
			ReadableStream.from(chunks()),
			new Response((await bytes) as Uint8Array<ArrayBuffer>),
		]) {
			const component = await engine.load(source as AsyncIterable<Uint8Array>);
			assert.equal(await component.exports["a:b/one"].count(), 1);
		}
	});

	test("what is none", async () => {
		for (const [source, code] of [
			[new Response("gone", { status: 404 }), "cli/file-not-found"],
			[new Response(null), "binary/not-wasm"],
			[ReadableStream.from(["text"]), "call/bad-value"],
		] as const) {
			const error: unknown = await engine.load(source as unknown as Uint8Array).catch((reason: unknown) => reason);
			assert.ok(error instanceof SkerryError, String(error));
			assert.equal(error.code, code);
		}
	});
});
