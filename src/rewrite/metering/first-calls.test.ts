import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { decodeModule, encodeModule, type Module } from "../../wasm/mod.ts";
import { surveyCode } from "../survey.ts";
import { verifyRewriting } from "../verify/verify.ts";
import { type Metering, type MeteredModule, meterModule } from "./meter.ts";

/** What `trap` looks at and does. */
const CHECK = [0x41, 0, 0x2d, 0x40, 0, 0, 0x04, 0x40, 0x41, 0, 0x41, 0x80, 2, 0x36, 0x42, 0, 0, 0x00, 0x0b];
const REFUSED = { code: "engine/verification", message: /is promised|without a check/ };

const functions = (count: number, of: (i: number) => string): string =>
	Array.from({ length: count }, (_, i) => of(i)).join(" ");
const calls = (count: number, of = "$c"): string => functions(count, (i) => `(call ${of}${i})`);
const small = (count: number): string => functions(count, (i) => `(func $c${i} (nop))`);
/** Of some bytes, of which nothing runs. */
const skipped = (bytes: number): string => `(block $b (br $b) ${"(nop)".repeat(bytes)})`;

/** What is called for the first time in a row, and how many checks there are with `trap`. */
const SHAPES: readonly (readonly [what: string, fields: string, checks: number])[] = [
	["a few small functions", `${small(150)} (func (loop) ${calls(150)})`, 1],
	["many small functions", `${small(2100)} (func (loop) ${calls(2100)})`, 5],
	["one small function again and again", `${small(1)} (func (loop) ${"(call $c0)".repeat(2100)})`, 5],
	[
		"functions that each call some",
		`${small(40)} ${functions(40, (i) => `(func $d${i} ${calls(40)})`)} (func (loop) ${calls(40, "$d")})`,
		4,
	],
	[
		"a chain",
		`${small(600)} ${functions(600, (i) => `(func $d${i} ${i === 599 ? "" : `(call $d${i + 1})`} (call $c${i}))`)} (func (call $d0))`,
		12,
	],
	["a large function behind a loop", `(func $c0 ${skipped(100_000)}) (func (loop) (call $c0))`, 1],
	["two large functions", `(func $c0 ${skipped(30_000)}) (func $c1 ${skipped(30_000)}) (func (loop) ${calls(2)})`, 2],
	[
		"large functions of many parameters",
		`${functions(5, (i) => `(func $c${i} (param ${"i32 ".repeat(30)}) ${skipped(i % 3 === 1 ? 30_000 : 16_000)})`)} (func (loop) ${functions(5, (i) => `${"(i32.const 1)".repeat(30)} (call $c${i})`)})`,
		3,
	],
	[
		"two large functions through a table",
		`(type $t (func)) (table funcref (elem $c0 $c1))
		(func $c0 ${skipped(30_000)}) (func $c1 ${skipped(30_000)})
		(func (loop) (call_indirect (type $t) (i32.const 0)) (call_indirect (type $t) (i32.const 1)))`,
		2,
	],
	[
		"a recursion with a small function behind it",
		`(func $c0) (func $r (param i32) (br_if 0 (local.get 0)) (call $r (local.get 0)) (call $c0))`,
		1,
	],
	[
		"a recursion of much code with small functions behind it",
		`${small(2)} (func $r (param i32) (if (local.get 0) (then (call $r (local.get 0)) (call $c0)) (else ${skipped(1000)} (call $r (local.get 0)) (call $c1))))`,
		2,
	],
];

async function meter(
	fields: string,
	metering: Metering,
): Promise<{ readonly original: Uint8Array; readonly metered: MeteredModule }> {
	const original = new Uint8Array(await parse(`(module ${fields})`));
	const module = decodeModule(original);
	const metered = meterModule(module, surveyCode(module), metering, undefined, undefined);
	assert.ok(metered !== undefined);
	return { original, metered };
}

function checksOf({ code }: Module): number[] {
	const { bytes } = code;
	const places: number[] = [];
	for (let at = bytes.indexOf(CHECK[0] as number); at >= 0; at = bytes.indexOf(CHECK[0] as number, at + 1))
		if (CHECK.every((byte, i) => bytes[at + i] === byte)) places.push(at);
	return places;
}

/** The code without the check there. */
function cut({ code, ...module }: Module, at: number): Uint8Array {
	const bytes = Uint8Array.from([...code.bytes.subarray(0, at), ...code.bytes.subarray(at + CHECK.length)]);
	const behind = (position: number): number => (position > at ? position - CHECK.length : position);
	const moved = { bytes, offset: 0, starts: code.starts.map(behind), ends: code.ends.map(behind) };
	return encodeModule({ ...module, code: moved });
}

suite("what V8 compiles at first calls counts between checks", () => {
	for (const [what, fields, count] of SHAPES) {
		test(what, async () => {
			const { original, metered } = await meter(fields, "trap");
			const { module, contracts } = metered;
			const places = checksOf(module);
			assert.equal(places.length, count);
			verifyRewriting(original, encodeModule(module), { metering: "trap", contracts });
			for (const at of places)
				assert.throws(() => verifyRewriting(original, cut(module, at), { metering: "trap", contracts }), REFUSED);
		});
	}

	for (const metering of ["trap", "yield"] as const) {
		test(`${metering}: less is not promised of a function, nor of its type`, async () => {
			const fields = SHAPES.find(([what]) => what === "two large functions through a table")?.[1] ?? "";
			const { original, metered } = await meter(fields, metering);
			const { module, contracts } = metered;
			const rewritten = encodeModule(module);
			verifyRewriting(original, rewritten, { metering, contracts });
			const type = contracts.typeNodes[0] as number;
			assert.ok((contracts.firsts[type] as number) >= 200_000);
			for (const at of [0, 1, type]) {
				for (const told of [-1_000_000, 0, (contracts.firsts[at] as number) - 1]) {
					const forged = { ...contracts, firsts: contracts.firsts.with(at, told) };
					assert.throws(() => verifyRewriting(original, rewritten, { metering, contracts: forged }), REFUSED);
				}
			}
			const forged = { ...contracts, firsts: new Int32Array() };
			assert.throws(() => verifyRewriting(original, rewritten, { metering, contracts: forged }), REFUSED);
		});
	}
});
