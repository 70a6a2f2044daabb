import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { decodeModule, encodeModule } from "../../wasm/mod.ts";
import { TestEngine } from "./engine.fixture.ts";

const GIVEN = 1_000_000n;

/** Functions that are given the fuel: what they do is given as the fields before the one that calls `$f`; and the fuel that is used. */
const PROGRAMS = [
	["no locals", `(func $f (param i32) (result i32) (i32.mul (call $h (local.get 0)) (i32.const 3)))`, 27, 7],
	[
		"one local",
		`(func $f (param i32) (result i32) (local i32) (local.set 1 (call $h (local.get 0))) (i32.add (local.get 1) (local.get 0)))`,
		18,
		9,
	],
	[
		"locals of several types, the first alone of its own",
		`(func $f (param i32) (result i32) (local f64 i32 i64) (local.set 1 (f64.convert_i32_s (call $h (local.get 0))))
			(local.set 2 (i32.const 4)) (i32.add (i32.trunc_f64_s (local.tee 1 (f64.add (local.get 1) (f64.const 0.5)))) (local.get 2)))`,
		13,
		16,
	],
	[
		"many locals",
		`(func $f (param i32) (result i32) (local ${"i32 ".repeat(300)}) (local.set 1 (call $h (local.get 0))) (local.set 300 (i32.const 5))
			(i32.sub (local.get 1) (local.get 300)))`,
		4,
		11,
	],
	[
		"ways out of its own block and returns",
		`(func $f (param i32) (result i32) (local i32) (drop (br_if 0 (i32.const 1) (i32.eqz (call $h (local.get 0)))))
			(if (i32.const 1) (then (return (i32.const 2)))) (i32.const 3) (return) (drop (call $h (i32.const 1))))`,
		2,
		11,
	],
	[
		"lengths",
		`(func $f (param i32) (result i32) (local i32) (local.set 1 (call $h (local.get 0))) (memory.fill (i32.const 0) (i32.const 7) (i32.const 640))
			(i32.load8_u (local.get 1)))`,
		7,
		22,
	],
	[
		"what is never reached",
		`(func $f (param i32) (result i32) (return (call $h (local.get 0))) (call $h) (return))`,
		9,
		5,
	],
] as const;

suite("functions that are given the fuel", () => {
	for (const [what, fields, result, used] of PROGRAMS) {
		test(what, async () => {
			const text = `(module (memory 1) (global $g (mut i32) (i32.const 0)) (func $h (param i32) (result i32) (local.get 0) (loop))
				${fields} (func (export "run") (result i32) (call $f (i32.const 9))))`;
			const engine = new TestEngine();
			const { run } = await engine.load(text, "fuel");
			assert.equal(engine.threaded, 2);
			engine.fuel = GIVEN;
			assert.equal(run(), result);
			assert.equal(GIVEN - engine.fuel, BigInt(used));
		});
	}

	test("declarations of no locals are passed over", async () => {
		const text = `(module (func $f (param i32) (result i32) (local f32 i32) (loop) (local.tee 2 (local.get 0))) (func (export "run") (result i32) (call $f (i32.const 9))))`;
		const module = decodeModule(await parse(text));
		const { code } = module;
		// 2 runs of one, to 3 of which the first is of none
		const at = code.starts[0] ?? 0;
		assert.deepEqual([...code.bytes.subarray(at, at + 5)], [2, 1, 0x7d, 1, 0x7f]);
		const bytes = Uint8Array.from([...code.bytes.subarray(0, at), 3, 0, 0x7c, ...code.bytes.subarray(at + 1)]);
		const moved = (places: Uint32Array, from: number): Uint32Array =>
			places.map((place, i) => (i >= from ? place + 2 : place));
		const starts = moved(code.starts, 1);
		const changed = { ...module, code: { ...code, bytes, starts, ends: moved(code.ends, 0) } };
		const engine = new TestEngine();
		const { run } = engine.instantiate(encodeModule(changed), "fuel");
		engine.fuel = GIVEN;
		assert.deepEqual([engine.threaded, run(), GIVEN - engine.fuel], [1, 9, 4n]);
	});
});
