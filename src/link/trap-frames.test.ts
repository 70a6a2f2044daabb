/** Frames of traps against what V8 says when it runs the original module, as it was built, by itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { type Component, decodeComponent } from "../component/mod.ts";
import { CompileCache, webAssembly } from "../engine/mod.ts";
import { renderError, Trap, type TrapFrame } from "../fault/mod.ts";
import { instantiate } from "./instance/instantiate.ts";
import { linkComponent, type LinkOptions, loadComponent } from "./link.ts";

const METERINGS: readonly NonNullable<LinkOptions["metering"]>[] = ["off", "trap"];

/** A guest with traps in every kind of place: `at` chooses. Loops, entries of recursive functions and what grows are rewritten. */
const GUEST = `(module $guest
	(type $t (func (param i32)))
	(memory 1)
	(table 8 funcref)
	(elem (i32.const 1) $in_loop)
	(global $calls (mut i32) (i32.const 0))
	(data "some bytes that no one drops")
	(func $before (param i32) (nop))
	(func $in_loop (type $t) (local i32)
		(loop $again
			(local.set 1 (i32.add (local.get 1) (i32.const 1)))
			(if (i32.eq (local.get 1) (i32.const 3)) (then unreachable))
			(br $again)))
	(func $behind_loop (type $t)
		(loop (nop)) (loop (loop (nop)))
		(drop (i32.load (i32.const 70000))))
	(func $recursive (type $t)
		(if (i32.eqz (local.get 0)) (then (drop (i32.div_s (i32.const 1) (i32.const 0)))))
		(call $recursive (i32.sub (local.get 0) (i32.const 1))))
	(func $odd (type $t)
		(if (i32.eqz (local.get 0)) (then (drop (i64.trunc_f64_s (f64.const nan)))))
		(call $even (i32.sub (local.get 0) (i32.const 1))))
	(func $even (type $t) (loop (call $odd (local.get 0))))
	(func $indirect (type $t) (loop (call_indirect (type $t) (i32.const 9) (i32.const 1))))
	(func $no_element (type $t) (loop (call_indirect (type $t) (i32.const 9) (i32.const 7))))
	(func $sizes (type $t)
		(drop (memory.size)) (drop (memory.grow (i32.const 0))) (drop (memory.size))
		(i32.store (i32.const -4) (memory.size)))
	(func $fills (type $t)
		(memory.fill (i32.const 0) (i32.const 1) (i32.const 100))
		(memory.fill (i32.const 0) (i32.const 1) (i32.const 70000)))
	(func $copies (type $t)
		(memory.copy (i32.const 0) (i32.const 8) (i32.const 16))
		(loop (memory.copy (i32.const 65530) (i32.const 0) (i32.const 16))))
	(func $initialises (type $t) (memory.init 0 (i32.const 65530) (i32.const 0) (i32.const 16)))
	(func $last (type $t) unreachable)
	(func (export "go") (param $which i32) (param $argument i32)
		(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
		(if (i32.eq (local.get $which) (i32.const 1)) (then (call $in_loop (local.get $argument))))
		(if (i32.eq (local.get $which) (i32.const 2)) (then (call $behind_loop (local.get $argument))))
		(if (i32.eq (local.get $which) (i32.const 3)) (then (call $recursive (local.get $argument))))
		(if (i32.eq (local.get $which) (i32.const 4)) (then (call $odd (local.get $argument))))
		(if (i32.eq (local.get $which) (i32.const 5)) (then (call $indirect (local.get $argument))))
		(if (i32.eq (local.get $which) (i32.const 6)) (then (call $no_element (local.get $argument))))
		(if (i32.eq (local.get $which) (i32.const 7)) (then (call $sizes (local.get $argument))))
		(if (i32.eq (local.get $which) (i32.const 8)) (then (call $fills (local.get $argument))))
		(if (i32.eq (local.get $which) (i32.const 9)) (then (call $copies (local.get $argument))))
		(if (i32.eq (local.get $which) (i32.const 10)) (then (call $initialises (local.get $argument))))
		(call $last (local.get $argument))))`;

const component = (module: string): string => `(component
	(core module $empty)
	(core ${module.slice(1)}
	(core instance $i (instantiate 1))
	(func (export "go") (param "which" u32) (param "argument" u32) (canon lift (core func $i "go"))))`;

/** What the engine says of each frame, by V8's own account of the untouched module. */
type Plain = readonly [name: string | null | undefined, index: number, offset: number | undefined];

function plainFrames(module: Uint8Array, args: readonly number[]): Plain[] {
	const { Instance, Module, RuntimeError } = webAssembly();
	const instance = new Instance(new Module(module), {});
	try {
		(instance.exports["go"] as (...args: readonly number[]) => void)(...args);
	} catch (error) {
		assert.ok(error instanceof RuntimeError, String(error));
		const lines = (error.stack ?? "").matchAll(
			/at (?:guest\.?(\S+)? \()?wasm:\/\/wasm\/[^:]*:wasm-function\[(\d+)\]:0x([0-9a-f]+)/g,
		);
		return [...lines].map(([, name, index, offset]) => [
			name ?? "go",
			Number(index),
			Number.parseInt(offset ?? "", 16),
		]);
	}
	return assert.fail("the original returned");
}

function modulesOf({ definitions }: Component): { bytes: Uint8Array; offset: number }[] {
	return definitions.flatMap((item) => (item.kind === "core module" ? [item] : []));
}

async function trapOf(
	bytes: Uint8Array,
	metering: (typeof METERINGS)[number],
	args: readonly number[],
	name = "go",
): Promise<Trap> {
	const linked = await linkComponent(loadComponent(bytes), { interfaces: [] }, new CompileCache(), { metering });
	try {
		await instantiate(linked, undefined).function([name])?.call(args);
	} catch (error) {
		assert.ok(error instanceof Trap, String(error));
		return error;
	}
	return assert.fail("it returned");
}

for (const metering of METERINGS) {
	for (let which = 0; which <= 10; which++) {
		test(`metering ${metering}: trap ${which} is where it is in the original`, async () => {
			const bytes = new Uint8Array(await parse(component(GUEST)));
			const [, module] = modulesOf(decodeComponent(bytes));
			assert.ok(module !== undefined);
			const expected = plainFrames(module.bytes, [which, 3]);
			const trap = await trapOf(bytes, metering, [which, 3]);
			assert.ok(expected.length >= 2);
			assert.deepEqual(
				trap.frames.map(({ name, index, offset }): Plain => [name, index, offset]),
				expected,
			);
			for (const frame of trap.frames) {
				assert.deepEqual([frame.module, frame.moduleOffset], ["guest", module.offset]);
				// The file's byte there is that of the module: an opcode
				assert.equal(bytes[module.offset + (frame.offset ?? 0)], module.bytes[frame.offset ?? 0]);
			}
		});
	}
}

/** One component's function called by another's through the host's trampolines, then within it from one core module into the next. */
const CHAIN = `(component
	(component $inner
		(core module $deep (func $boom (export "boom") (loop unreachable)))
		(core module $outer (import "d" "boom" (func $boom)) (func $step (loop (call $boom))) (func (export "f") (call $step)))
		(core instance $d (instantiate $deep))
		(core instance $o (instantiate $outer (with "d" (instance $d))))
		(func (export "f") (canon lift (core func $o "f"))))
	(component $user
		(import "f" (func $f))
		(core func $low (canon lower (func $f)))
		(core module $m (import "" "f" (func $f)) (func $caller (export "g") (loop nop) (call $f)))
		(core instance $i (instantiate $m (with "" (instance (export "f" (func $low))))))
		(func (export "g") (canon lift (core func $i "g"))))
	(instance $a (instantiate $inner))
	(instance $b (instantiate $user (with "f" (func $a "f"))))
	(alias export $b "g" (func $g))
	(export "g" (func $g)))`;

test("frames across modules and components, each in its own module; trampolines in between are left out", async () => {
	const bytes = new Uint8Array(await parse(CHAIN));
	const { stackTraceLimit } = Error;
	Error.stackTraceLimit = 50;
	const { frames } = await trapOf(bytes, "trap", [], "g").finally(() => {
		Error.stackTraceLimit = stackTraceLimit;
	});
	const nested = decodeComponent(bytes).definitions.flatMap((item) =>
		item.kind === "component" ? modulesOf(item.component) : [],
	);
	const [deep, outer, user] = nested.map(({ offset }) => offset);
	assert.deepEqual(
		frames.map(({ name, module, moduleOffset }) => [name, module, moduleOffset]),
		[
			["boom", "deep", deep],
			["step", "outer", outer],
			["f", "outer", outer],
			["caller", "m", user],
		],
	);
	// The opcodes there: unreachable, and calls
	const opcodes = frames.map(({ offset = 0, moduleOffset = 0 }) => bytes[moduleOffset + offset]);
	assert.deepEqual(opcodes, [0x00, 0x10, 0x10, 0x10]);
});

test("a start function's trap has frames too", async () => {
	const text = "(component (core module $m (func $begin unreachable) (start $begin)) (core instance (instantiate $m)))";
	const bytes = new Uint8Array(await parse(text));
	const linked = await linkComponent(loadComponent(bytes), { interfaces: [] }, new CompileCache());
	assert.throws(
		() => instantiate(linked, undefined),
		(error) => {
			assert.ok(error instanceof Trap);
			assert.deepEqual(
				error.frames.map(({ name, index }) => [name, index]),
				[["begin", 0]],
			);
			return true;
		},
	);
});

test("one module in two components: each frame knows which", async () => {
	const module = '(core module $m (func $f (export "f") unreachable))';
	const wrap = (name: string): string =>
		`(component $${name} ${module} (core instance $i (instantiate $m)) (func (export "f") (canon lift (core func $i "f"))))`;
	const text = `(component ${wrap("a")} ${wrap("b")} (instance $a (instantiate $a)) (instance $b (instantiate $b))
		(export "a" (func $a "f")) (export "b" (func $b "f")))`;
	const bytes = new Uint8Array(await parse(text));
	const offsets = await Promise.all(["a", "b"].map(async (name) => (await trapOf(bytes, "trap", [], name)).frames));
	const [[first], [second]] = offsets as [TrapFrame[], TrapFrame[]];
	assert.equal(first?.offset, second?.offset);
	assert.ok((first?.moduleOffset ?? 0) < (second?.moduleOffset ?? 0));
});

test("names that a guest chose to harm a terminal are shown, not obeyed", async () => {
	const name = "a\\1b[2Jb\\e2\\80\\aec\\0ad\\c2\\9be";
	const text = component(
		`(module (func $f (@name "${name}") unreachable) (func (export "go") (param i32 i32) call $f))`,
	);
	const trap = await trapOf(new Uint8Array(await parse(text)), "trap", [0, 0]);
	assert.equal(trap.frames[0]?.name, "a\u001b[2Jb\u202ec\nd\u009be");
	const rendered = renderError(trap);
	assert.match(
		rendered,
		/^ {4}in a\\u\{1b\}\[2Jb\\u\{202e\}c\\u\{a\}d\\u\{9b\}e at 0x[0-9a-f]+, in the component at 0x/m,
	);
	assert.match(rendered, /^ {2}that is: the guest gave up by itself/m);
});
