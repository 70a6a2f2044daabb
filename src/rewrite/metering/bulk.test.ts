import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { decodeModule, encodeModule } from "../../wasm/mod.ts";
import { surveyCode } from "../survey.ts";
import { verifyRewriting } from "../verify/verify.ts";
import { TestEngine } from "./engine.fixture.ts";
import { meterModule } from "./meter.ts";

const { WebAssembly } = globalThis as any;

const FIELDS = `(memory $m 4) (memory $w i64 4) (data $d "${"x".repeat(200)}")
	(table $t 300 funcref) (table $u i64 300 funcref) (elem $e func ${"$g ".repeat(100)})
	(type $a (array (mut i8))) (type $r (array (mut funcref))) (func $g)`;

/** Instructions by length `(local.get 0)`; what they take beside it are constants that are the rest of `operands`. */
const BULK: readonly (readonly [what: string, body: string, operands: number, length: number, more: number])[] = [
	["memory.fill", `(memory.fill $m (i32.const 1) (i32.const 2) (local.get 0))`, 3, 130_000, 2031],
	["memory.fill of less than 64 bytes", `(memory.fill $m (i32.const 1) (i32.const 2) (local.get 0))`, 3, 63, 0],
	[
		"memory.fill of 64 bits",
		`(memory.fill $w (i64.const 1) (i32.const 2) (i64.extend_i32_u (local.get 0)))`,
		4,
		640,
		10,
	],
	["memory.copy", `(memory.copy $m $m (i32.const 1) (i32.const 9) (local.get 0))`, 3, 6400, 100],
	["memory.copy between two", `(memory.copy $w $m (i64.const 1) (i32.const 9) (local.get 0))`, 3, 6400, 100],
	[
		"memory.copy of 64 bits",
		`(memory.copy $w $w (i64.const 1) (i64.const 9) (i64.extend_i32_u (local.get 0)))`,
		4,
		6400,
		100,
	],
	["memory.init", `(memory.init $m $d (i32.const 1) (i32.const 2) (local.get 0))`, 3, 192, 3],
	["table.fill", `(table.fill $t (i32.const 1) (ref.null func) (local.get 0))`, 3, 250, 250],
	[
		"table.fill of 64 bits",
		`(table.fill $u (i64.const 1) (ref.null func) (i64.extend_i32_u (local.get 0)))`,
		4,
		250,
		250,
	],
	["table.copy", `(table.copy $t $t (i32.const 1) (i32.const 2) (local.get 0))`, 3, 250, 250],
	["table.copy between two", `(table.copy $t $u (i32.const 1) (i64.const 2) (local.get 0))`, 3, 250, 250],
	["table.init", `(table.init $t $e (i32.const 1) (i32.const 2) (local.get 0))`, 3, 90, 90],
	["array.new", `(drop (array.new $a (i32.const 1) (local.get 0)))`, 2, 90, 90],
	["array.new_default", `(drop (array.new_default $a (local.get 0)))`, 1, 90, 90],
	["array.new_data", `(drop (array.new_data $a $d (i32.const 1) (local.get 0)))`, 2, 90, 90],
	["array.new_elem", `(drop (array.new_elem $r $e (i32.const 1) (local.get 0)))`, 2, 90, 90],
	[
		"array.fill",
		`(array.fill $a (array.new_default $a (i32.const 0)) (i32.const 0) (i32.const 1) (local.get 0))`,
		5,
		0,
		0,
	],
	[
		"nothing where it never runs",
		`(if (i32.const 0) (then (memory.fill (i32.const 1) (i32.const 2) (local.get 0))))`,
		1,
		640,
		0,
	],
];

suite("what is paid by its length", () => {
	for (const [what, body, operands, length, more] of BULK) {
		test(`${what}: ${more} for ${length}`, async () => {
			for (const slice of [1n << 40n, 7n]) {
				const engine = new TestEngine();
				let handed = slice;
				engine.poll = () => {
					while (engine.fuel < 0n) {
						engine.fuel += slice;
						handed += slice;
					}
					return 0;
				};
				const { f } = await engine.load(`(module ${FIELDS} (func (export "f") (param i32) ${body}))`, "fuel");
				engine.fuel = slice;
				f(length);
				assert.equal(handed - engine.fuel, BigInt(operands + 1 + more));
			}
		});
	}

	test("in a loop, in a function that its caller would have paid for, in a handler", async () => {
		const engine = new TestEngine();
		const { f } = await engine.load(
			`(module (memory 1) (tag $e)
				(func $wipe (param i32) (memory.fill (i32.const 0) (i32.const 7) (local.get 0)))
				(func (export "f") (param i32) (local $i i32)
					(loop $l (call $wipe (local.get 0)) (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3))))
					(block $h (try_table (catch_all $h) (call $wipe (local.get 0)) (throw $e)))))`,
			"fuel",
		);
		const given = 1n << 40n;
		const run = (length: number): bigint => {
			engine.fuel = given;
			f(length);
			return given - engine.fuel;
		};
		assert.equal(run(6400) - run(0), 4n * 100n);
	});

	test("what traps costs nothing by its length", async () => {
		const engine = new TestEngine();
		const { f } = await engine.load(
			`(module (memory 1) (func (export "f") (memory.fill (i32.const 0) (i32.const 0) (i32.const -1))))`,
			"fuel",
		);
		engine.fuel = 1000n;
		assert.throws(() => f(), WebAssembly.RuntimeError);
		assert.ok(engine.fuel >= 996n);
	});

	test("the proof demands each payment, as it is", async () => {
		const original = await parse(
			`(module (memory 1) (table 9 funcref) (func (export "f") (param i32)
				(memory.fill (i32.const 0) (i32.const 0) (local.get 0))
				(table.fill (i32.const 0) (ref.null func) (local.get 0))))`,
		);
		const module = decodeModule(original);
		const metered = meterModule(module, surveyCode(module), "fuel", undefined, undefined);
		assert.ok(metered !== undefined);
		const rewritten = encodeModule(metered.module);
		const verify = (bytes: Uint8Array): void => {
			verifyRewriting(original, bytes, { metering: "fuel", ledger: metered.ledger, contracts: metered.contracts });
		};
		verify(rewritten);
		// local.get $fuel, local.get $length, then 64 of a memory or nothing; local.tee $length
		const paid = [0x20, 1, 0x20, 2];
		const at = rewritten.findIndex((_, i) => paid.every((byte, k) => rewritten[i + k] === byte));
		const tee = rewritten.findIndex((_, i) => [0x22, 2, 0xa7].every((byte, k) => rewritten[i + k] === byte));
		assert.ok(at > 0 && tee > 0);
		for (const [place, byte] of [
			[at + 3, 0],
			[at + 5, 7],
			[at + 6, 0x86],
			[at + 7, 0x7c],
			[tee, 0x21],
			[tee + 1, 1],
		] as const) {
			const changed = rewritten.slice();
			changed[place] = byte;
			assert.throws(() => verify(changed), { code: "engine/verification" }, `${place - at}`);
		}
	});
});
