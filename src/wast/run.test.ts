import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { createLinuxPageMapper } from "../engine/mod.ts";
import { runWast, type WastOptions } from "./run.ts";

const CORE = `(module
	(memory (export "memory") 4) (global $n (mut i32) (i32.const 0))
	(func (export "next") (result i32)
		(global.set $n (i32.add (global.get $n) (i32.const 1)))
		(i32.store (i32.const 70000) (global.get $n)) (i32.load (i32.const 70000)))
	(func (export "trap") unreachable)
	(func (export "nan") (result f32) (f32.const nan:0x200000)))
(assert_return (invoke "next") (i32.const 1))
(assert_return (invoke "next") (i32.const 2))
(assert_return (invoke "next") (i32.const 2))
(assert_trap (invoke "trap") "unreachable")
(assert_trap (invoke "trap") "out of bounds memory access")
(assert_return (invoke "nan") (f32.const nan:0x200000))
(assert_invalid (module (func (result i32))) "type mismatch")
(assert_malformed_custom (module binary "\\00asm\\01\\00\\00\\00") "why")
(thread $t)`;

const COMPONENT = `(component (core module $m (func (export "f") (result i32) (i32.const 7)))
	(core instance $i (instantiate $m))
	(func (export "f") (result u32) (canon lift (core func $i "f"))))
(assert_return (invoke "f") (u32.const 7))
(assert_return (invoke "f") (u32.const 8))`;

async function outcomes(text: string, options?: WastOptions): Promise<[line: number, status: string, why: string][]> {
	return (await runWast(text, options)).outcomes.map(({ line, status, why }) => [line, status, why]);
}

const noCow = typeof createLinuxPageMapper() === "string" ? "no copy-on-write here" : false;

suite("scripts", () => {
	for (const metering of ["trap", "off"] as const) {
		for (const strategy of ["fresh", "copy", "cow"] as const) {
			test(`of core modules: ${metering}, ${strategy}`, { skip: strategy === "cow" && noCow }, async () => {
				const result = await runWast(CORE, { metering, strategy });
				const failed = result.outcomes.filter(({ status }) => status !== "passed");
				assert.deepEqual(
					failed.map(({ line, status, why }) => [line, status, why]),
					[
						[10, "failed", "result 0 is another: 03000000000000000000000000000000"],
						[12, "failed", 'trapped with "unreachable", expected "out of bounds memory access"'],
						[15, "skipped", "custom sections that are wrong are kept, as the specification allows"],
						[16, "failed", "the runner does not know thread"],
					],
				);
				assert.equal(result.outcomes.length, 10);
				const mapped = strategy === "cow" ? 1 : 0;
				assert.deepEqual(result.resets, { reset: strategy === "fresh" ? 0 : 1, discarded: 0, mapped });
			});
		}
	}

	test("of components", async () => {
		assert.deepEqual(await outcomes(COMPONENT), [
			[1, "passed", ""],
			[4, "passed", ""],
			[5, "failed", "returned 7, expected 8"],
		]);
	});

	test("that are none", async () => {
		assert.deepEqual(await outcomes(""), []);
		await assert.rejects(runWast("(module"), { code: "wast/malformed", place: { line: 1 } });
		await assert.rejects(runWast('\n(module "'), { code: "wast/malformed", place: { line: 2 } });
	});
});
