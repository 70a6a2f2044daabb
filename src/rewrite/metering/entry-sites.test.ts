import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { decodeModule, encodeModule, type Module } from "../../wasm/mod.ts";
import { surveyCode } from "../survey.ts";
import { verifyRewriting } from "../verify/verify.ts";
import { TestEngine } from "./engine.fixture.ts";
import { type Metering, meterModule } from "./meter.ts";

const self = "(call $f (i32.sub (local.get 0) (i32.const 1)))";

/** Bodies of a function `$f` of one `i32` that calls itself, and how many checks it has. */
const BODIES: readonly (readonly [name: string, body: string, checks: number])[] = [
	["a call at once", self, 1],
	["leaves", `(br_if 0 (i32.eqz (local.get 0))) ${self} ${self}`, 1],
	["a call in one arm", `(if (local.get 0) (then ${self}))`, 1],
	["calls in both arms", `(if (local.get 0) (then ${self}) (else ${self}))`, 2],
	["a call behind one in an arm", `(if (local.get 0) (then ${self})) ${self}`, 2],
	["a call behind calls in both arms", `(if (local.get 0) (then ${self}) (else ${self})) ${self}`, 2],
	["a way past the call", `(block $b (br_if $b (local.get 0)) ${self}) ${self}`, 2],
	["a table of ways", `(block $b (block $a (br_table $a $b (local.get 0))) ${self}) ${self}`, 2],
	["a loop around it, which is checked", `(loop $l ${self} (br_if $l (local.get 0)))`, 1],
	["a loop before it", `(loop $l (br_if $l (local.tee 0 (i32.shr_u (local.get 0) (i32.const 1))))) ${self}`, 1],
	["a loop that may be passed by", `(if (local.get 0) (then (loop $l (br_if $l (i32.const 0))))) ${self}`, 2],
	["a call of something else before it", `(call $leaf) (br_if 0 (local.get 0)) ${self}`, 1],
	["a handler", `(block $h (try_table (catch_all $h) (br_if $h (local.get 0)) ${self})) ${self}`, 2],
	[
		"a handler of what is thrown before a check",
		`(block $h (try_table (catch_all $h) (call $leaf) ${self})) ${self}`,
		2,
	],
	["an old handler", `nop (if (local.get 0) (then (call $leaf) ${self}) (else ${self}))`, 2],
	["a tail call", `(br_if 0 (local.get 0)) (return_call $f (local.get 0))`, 1],
	["what never runs", `(return) ${self}`, 0],
];

const textOf = (body: string): string => `(module (func $leaf) (func $f (export "f") (param i32) ${body}))`;

/** `nop local.get if … else` as `nop nop nop try … catch_all`, of which there is no text. */
function toLegacy(bytes: Uint8Array): Uint8Array {
	const [at] = placesOf(bytes, [0x01, 0x20, 0, 0x04, 0x40]);
	if (at !== undefined) {
		bytes.set([0x01, 0x01, 0x01, 0x06], at);
		bytes[bytes.indexOf(0x05, at)] = 0x19;
	}
	return bytes;
}

async function meterText(
	text: string,
	metering: Metering,
): Promise<{ readonly original: Uint8Array; readonly module: Module }> {
	const original = toLegacy(await parse(text));
	const decoded = decodeModule(original);
	const metered = meterModule(decoded, surveyCode(decoded), metering, undefined, undefined);
	return { original, module: metered?.module ?? decoded };
}

/** Where these bytes are. */
function placesOf(bytes: Uint8Array, wanted: readonly number[]): number[] {
	return [...bytes.keys()].filter((at) => wanted.every((byte, i) => bytes[at + i] === byte));
}

/** The code without `size` bytes at `at`. */
function cut({ code, ...module }: Module, at: number, size: number): Uint8Array {
	const bytes = Uint8Array.from([...code.bytes.subarray(0, at), ...code.bytes.subarray(at + size)]);
	const behind = (position: number): number => (position > at ? position - size : position);
	return encodeModule({
		...module,
		code: { bytes, offset: 0, starts: code.starts.map(behind), ends: code.ends.map(behind) },
	});
}

const CONDITION = [0x41, 0, 0x2d, 0x40, 0, 0, 0x04, 0x40];
const CHECKS = {
	trap: [...CONDITION, 0x41, 0, 0x41, 0x80, 2, 0x36, 0x42, 0, 0, 0x00, 0x0b],
	yield: [...CONDITION, 0x10, 2, 0x0b],
} as const;

suite("cycles of calls are checked before they call", () => {
	for (const metering of ["trap", "yield"] as const) {
		for (const [name, body, checks] of BODIES) {
			test(`${metering}: ${name}`, async () => {
				const { original, module } = await meterText(textOf(body), metering);
				const { bytes } = module.code;
				const places = placesOf(bytes, CHECKS[metering]);
				// Of a loop that calls nothing the slow path stands outside; what only traps is checked at the entry for all calls
				const isOutlined = /^a loop (before|that)/.test(name);
				const count =
					metering === "yield"
						? checks - (isOutlined ? 1 : 0)
						: name.startsWith("a loop")
							? checks
							: Math.min(checks, 1);
				if (checks === 0) {
					assert.equal(places.length, 0);
					return;
				}
				assert.equal(places.length, count);
				verifyRewriting(original, encodeModule(module), { metering });
				for (const at of places) {
					const forged = cut(module, at, CHECKS[metering].length);
					assert.throws(() => verifyRewriting(original, forged, { metering }), { message: /has no check/ });
				}
			});
		}
	}

	for (const metering of ["trap", "yield"] as const) {
		test(`${metering}: calls that double at each level are checked now and then, and none of these can be left out`, async () => {
			const levels = Array.from(
				{ length: 60 },
				(_, i) => `(func ${i === 59 ? "" : `(call ${i + 1}) (call ${i + 1})`})`,
			);
			const { original, module } = await meterText(`(module ${levels.join(" ")})`, metering);
			const check = metering === "trap" ? CHECKS.trap : [...CONDITION, 0x10, levels.length, 0x0b];
			const places = placesOf(module.code.bytes, check);
			assert.ok(places.length >= 3 && places.length <= 8, `${places.length} checks`);
			verifyRewriting(original, encodeModule(module), { metering });
			// Above the first one are few levels: without it they may be within what the proof allows
			for (const at of places.slice(1)) {
				const forged = cut(module, at, check.length);
				assert.throws(() => verifyRewriting(original, forged, { metering }), { message: /without a check/ });
			}
		});
	}

	test("leaves pass none, and what calls does", async () => {
		const engine = new TestEngine();
		const guest = await parse(textOf(`(br_if 0 (i32.eqz (local.get 0))) ${self} ${self}`));
		const exports = engine.instantiate(guest, "yield");
		engine.raise();
		exports["f"](0);
		assert.equal(engine.polls, 0, "nobody has looked");
		assert.throws(() => exports["f"](1), { message: "unreachable" });
		assert.equal(engine.polls, 1);
	});
});
