import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CodeReader, decodeModule, encodeModule } from "../../wasm/mod.ts";
import { verifyRewriting } from "../verify/verify.ts";
import { surveyCode } from "../survey.ts";
import { meterModule } from "./meter.ts";
import { findTurns } from "./turns.ts";

const step = "(local.tee 0 (i32.sub (local.get 0) (i32.const 1)))";
// Not one that is run in strips, whose cost is promised apart
const inner = `(loop $i (br_if $i (i32.eqz ${step})))`;

/** Loops, and which of them need no check of their own. */
const BODIES: readonly (readonly [name: string, body: string, without: readonly number[]])[] = [
	["a loop", inner, [0]],
	["a loop in a loop", `(loop $o ${inner} (br_if $o ${step}))`, [1, 0]],
	["three loops", `(loop $a (loop $b ${inner} (br_if $b ${step})) (br_if $a ${step}))`, [1, 1, 0]],
	["a loop that is passed by", `(loop $o (if (local.get 0) (then ${inner})) (br_if $o ${step}))`, [0, 0]],
	["a loop in each arm", `(loop $o (if (local.get 0) (then ${inner}) (else ${inner})) (br_if $o ${step}))`, [1, 0, 0]],
	["a turn that comes before", `(loop $o (br_if $o ${step}) ${inner} (br_if $o ${step}))`, [0, 0]],
	["a branch past it", `(loop $o (block $b (br_if $b (local.get 0)) ${inner}) (br_if $o ${step}))`, [0, 0]],
	["a loop that is never reached", `(loop $o (br $o) ${inner})`, [0, 0]],
	["one that comes back from within", `(loop $o (loop $i (br_if $o ${step}) (br_if $i ${step})))`, [1, 0]],
	["exceptions", `(loop $o (block $h (try_table (catch_all $h) ${inner})) (br_if $o ${step}))`, [0, 0]],
];

const moduleOf = (body: string): Promise<Uint8Array> => parse(`(module (func (export "f") (param i32) ${body}))`);

suite("loops of which each turn passes the check of another", () => {
	for (const [name, body, without] of BODIES) {
		test(name, async () => {
			const original = await moduleOf(body);
			const module = decodeModule(original);
			assert.deepEqual([...findTurns(new CodeReader(module.code), 0, without.length)], without);
			const metered = meterModule(module, surveyCode(module), "yield", undefined, undefined);
			assert.ok(metered);
			verifyRewriting(original, encodeModule(metered.module), { metering: "yield", contracts: metered.contracts });
		});
	}

	for (const [name, body] of [3, 5, 6].flatMap((i) => BODIES.slice(i, i + 1))) {
		test(`${name}: without its check it is refused`, async () => {
			const original = await moduleOf(body);
			const module = decodeModule(original);
			const metered = meterModule(module, surveyCode(module), "yield", undefined, undefined);
			assert.ok(metered);
			const { code } = metered.module;
			const bytes = Buffer.from(code.bytes);
			// What stands at the head of the first loop, a call of the slow path, goes: its length is given anew
			const check = Buffer.from([0x41, 0, 0x2d, 0x40, 0, 0, 0x04, 0x40, 0x10, 1, 0x0b]);
			const at = bytes.indexOf(check);
			assert.ok(at > 0);
			const cut = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + check.length)]);
			const behind = (position: number): number => (position > at ? position - check.length : position);
			const changed = {
				bytes: new Uint8Array(cut),
				offset: 0,
				starts: code.starts.map(behind),
				ends: code.ends.map(behind),
			};
			const forged = encodeModule({ ...metered.module, code: changed });
			assert.throws(() => verifyRewriting(original, forged, { metering: "yield", contracts: metered.contracts }), {
				message: /has no check/,
			});
		});
	}
});
