import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CodeReader, decodeModule, encodeModule, type Module } from "../../wasm/mod.ts";
import { surveyCode } from "../survey.ts";
import { verifyRewriting } from "../verify/verify.ts";
import { findLatches } from "./latches.ts";
import { meterModule } from "./meter.ts";

const step = "(local.tee 0 (i32.sub (local.get 0) (i32.const 1)))";
const inner = `(loop $i (br_if $i ${step}))`;

/** Loops, which of them end with their only way back and are left nowhere else, and how many checks the body gets. */
const BODIES: readonly (readonly [name: string, body: string, fit: readonly number[], checks: number])[] = [
	["a loop", inner, [1], 1],
	["a loop in a loop", `(loop $o ${inner} (br_if $o ${step}))`, [1, 1], 1],
	["a loop that may be passed by", `(loop $o (if (local.get 0) (then ${inner})) (br_if $o ${step}))`, [1, 1], 2],
	["two loops", `${inner} ${inner}`, [1, 1], 2],
	["a loop that always comes back", `(loop $o (drop ${step}) (br $o))`, [0], 1],
	["a loop that never comes back", `(loop (drop ${step}))`, [0], 1],
	["two ways back", `(loop $o (br_if $o ${step}) (br_if $o ${step}))`, [0], 1],
	["a way back that is not the last", `(loop $o (br_if $o ${step}) (drop ${step}))`, [0], 1],
	["a way back from a block", `(loop $o (block (br_if $o ${step})))`, [0], 1],
	["a way back through a table", `(loop $o (block (br_table 0 $o ${step})))`, [0], 1],
	["a way out", `(block $b (loop $o (br_if $b ${step}) (br_if $o ${step})))`, [0], 1],
	[
		"a way out of the inner only",
		`(loop $o (block $b (loop $i (br_if $b ${step}) (br_if $i ${step}))) (br_if $o ${step}))`,
		[1, 0],
		1,
	],
	[
		"a way out of both",
		`(block $b (loop $o (loop $i (br_if $b ${step}) (br_if $i ${step})) (br_if $o ${step})))`,
		[0, 0],
		1,
	],
	["a return", `(loop $o (if (local.get 0) (then (return))) (br_if $o ${step}))`, [0], 1],
	["a branch to the function's end", `(loop $o (br_if 1 ${step}) (br_if $o ${step}))`, [0], 1],
	["a way back to the outer from the inner", `(loop $o (loop $i (br_if $o ${step}) (br_if $i ${step})))`, [0, 0], 1],
	["handlers", `(block $h (try_table (catch_all $h) ${inner}))`, [0], 1],
];

const moduleOf = async (body: string): Promise<Module> =>
	decodeModule(await parse(`(module (func (export "f") (param i32) ${body}))`));

/** What kind `page` puts in, of memory 0. */
const TOUCH = Buffer.from([0x41, 0x80, 0x80, 0x04, 0x2d, 0x40, 0, 0, 0x1a]);

const placesOf = (code: Buffer): readonly number[] => {
	const places: number[] = [];
	for (let at = code.indexOf(TOUCH); at >= 0; at = code.indexOf(TOUCH, at + 1)) places.push(at);
	return places;
};

suite("loops that are checked where they come back", () => {
	for (const [name, body, fit, checks] of BODIES) {
		test(`${name}: which, and the proof takes it, and refuses it with one check less`, async () => {
			const module = await moduleOf(body);
			const original = encodeModule(module);
			const found = new Uint8Array(fit.length);
			findLatches(new CodeReader(module.code), 0, found);
			assert.deepEqual([...found], fit);
			const metered = meterModule(module, surveyCode(module), "trap", undefined, undefined, "page");
			assert.ok(metered);
			const options = { metering: "trap", check: "page", contracts: metered.contracts } as const;
			verifyRewriting(original, encodeModule(metered.module), options);
			const { code } = metered.module;
			const bytes = Buffer.from(code.bytes);
			const places = placesOf(bytes);
			assert.equal(places.length, checks);
			for (const at of places) {
				const less = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + TOUCH.length)]);
				const behind = (position: number): number => (position > at ? position - TOUCH.length : position);
				const changed = {
					bytes: new Uint8Array(less),
					offset: 0,
					starts: code.starts.map(behind),
					ends: code.ends.map(behind),
				};
				const forged = encodeModule({ ...metered.module, code: changed });
				assert.throws(() => verifyRewriting(original, forged, options), {
					message: /has no check|runs (for too long|longer)/,
				});
			}
		});
	}
});
