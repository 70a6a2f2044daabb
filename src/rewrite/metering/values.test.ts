import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { decodeModule, encodeModule } from "../../wasm/mod.ts";
import { surveyCode } from "../survey.ts";
import { verifyRewriting } from "../verify/verify.ts";
import { FIRST_CALL, FIRST_CALL_BYTE, FOREIGN } from "./costs.ts";
import { meterModule } from "./meter.ts";
import type { Contracts } from "./work.ts";

const { WebAssembly } = globalThis as any;

/** How many values are taken along, and what that costs: as results or by a branch, as parameters, as fields of a structure. */
const MANY = 100;
const MOVED = (MANY - 2) * 16;
const GIVEN = (MANY - 16) * 16;
const MADE = (MANY - 32) * 8;

const i32s = (count: number): string => "i32 ".repeat(count);
const DROPS = "drop ".repeat(MANY);

/** `$make` gives as many, `$take` takes them; `$shift` of a block leaves one out; `$loops` is there so that something is metered. */
const BESIDE = `(type $same (func (param ${i32s(MANY)}) (result ${i32s(MANY)})))
	(type $shift (func (param ${i32s(MANY)}) (result ${i32s(MANY - 1)})))
	(type $none (func (param ${i32s(MANY)}))) (type $all (func (result ${i32s(MANY)})))
	(type $cast (func (param ${i32s(MANY)}) (result ${i32s(MANY - 1)} funcref)))
	(type $few (func (param i32 i32) (result i32 i32)))
	(memory 1) (table $t 2 funcref) (elem (i32.const 0) func $take $make) (elem declare func $take)
	(func $make (type $all) ${"i32.const 0 ".repeat(MANY)})
	(func $take (type $none))
	(func $loops (loop))`;

/** The index of the function that stands behind these. */
const LOOKED_AT = 3;

/** What is counted for the first compilation of each function, and of `$make` and `$take` by their bytes. */
const ENTRY = FIRST_CALL;
const MAKE_FIRST = (2 * MANY + 2) * FIRST_CALL_BYTE;
const TAKE_FIRST = 2 * FIRST_CALL_BYTE;

const MAKE_BODY = MAKE_FIRST + ENTRY + 2 * MANY + 2 + MOVED;
const MAKE = 20 + MAKE_BODY + MOVED;
const TAKE = 20 + TAKE_FIRST + ENTRY + GIVEN + 2;
const SHIFTED = MOVED - 16;

/** Behind a branch, so that it never runs, and so much that it has to be looked which ways there are. */
const PASSED_BY = `(block (br 0) ${"(drop (i32.load (i32.const 0)))".repeat(400)})`;
const PASSED_BY_COST = ENTRY + 4;

/** What a body costs to its end, which is an instruction as well where it comes there. `gives`: it has as many results. */
type Case = readonly [name: string, body: string, cost: number, gives?: "gives"];

const BRANCHED = MAKE + 2 + 2 + SHIFTED + 2 + TAKE + 2;

const CASES: readonly Case[] = [
	["nothing but to make and take them", "call $make call $take", MAKE + TAKE + 2],
	["few values", "(i32.const 0) (i32.const 0) (block (type $few) (br 0)) drop drop", 14],
	["br", "call $make (block (type $shift) br 0) i32.const 0 call $take", BRANCHED],
	[
		"br_if",
		"call $make (block (type $shift) (br_if 0 (i32.const 0)) unreachable) i32.const 0 call $take",
		BRANCHED + 2,
	],
	["br_table", "call $make (block (type $shift) (br_table 0 0 0 (i32.const 0))) i32.const 0 call $take", BRANCHED + 2],
	["a table of nearly too many labels", `(block (br_table ${"0 ".repeat(1024)} (i32.const 0)))`, 8],
	["a table of many labels", `(block (br_table ${"0 ".repeat(1025)} (i32.const 0)))`, 8 + 180],
	["a table of as many as there may be", `(block (br_table ${"0 ".repeat(65_521)} (i32.const 0)))`, 8 + 270],
	[
		"br_on_null",
		"call $make (block (type $shift) (br_on_null 0 (ref.null func)) unreachable) i32.const 0 call $take",
		BRANCHED + 2,
	],
	[
		"br_on_cast",
		`call $make (block (type $cast) drop (br_on_cast 0 funcref (ref func) (ref.null func)) unreachable)
			drop i32.const 0 call $take`,
		BRANCHED + 2 + 248 + 2 + 16 + 2,
	],
	["the end of a block", "call $make (block (type $same)) call $take", MAKE + 4 + MOVED + TAKE + 2],
	[
		"an if, and its end",
		"call $make (if (type $same) (i32.const 0) (then)) call $take",
		MAKE + 6 + 2 * MOVED + TAKE + 2,
	],
	[
		"an if, and else",
		"call $make (if (type $same) (i32.const 0) (then) (else unreachable)) call $take",
		MAKE + 6 + 2 * MOVED + TAKE + 2,
	],
	["return", "call $make return", MAKE + 2 + MOVED, "gives"],
	["the end of the function", "call $make", MAKE + 2 + MOVED, "gives"],
	["a branch out of it", "call $make br 0", MAKE + 2 + MOVED, "gives"],
	["a tail call of what gives them", "(return_call $make)", 20 + MAKE_BODY, "gives"],
	["a tail call of what takes them", "call $make (return_call $take)", MAKE + TAKE],
	[
		"calls through a table",
		"(call_indirect $t (type $all) (i32.const 1)) (i32.const 0) (call_indirect $t (type $none))",
		2 + MAKE + 2 + TAKE + 2,
	],
	// Of others it is known that they are checked in time
	[
		"a call by reference",
		"call $make (ref.func $take) (call_ref $none)",
		MAKE + 2 + 20 + TAKE_FIRST + GIVEN + FOREIGN + 2,
	],
];

/** `nop local.get if … else nop` as `nop nop nop try … catch` of the first tag, of which there is no text. */
function toLegacy(bytes: Uint8Array): Uint8Array {
	const at = bytes.findIndex((_, i) => [0x01, 0x20, 0, 0x04].every((byte, j) => bytes[i + j] === byte));
	if (at < 0) return bytes;
	bytes.set([0x01, 0x01, 0x01, 0x06], at);
	bytes.set(
		[0x07, 0],
		bytes.findIndex((_, i) => i > at && bytes[i] === 0x05 && bytes[i + 1] === 0x01),
	);
	return bytes;
}

async function meter(
	fields: string,
	metering: "trap" | "yield",
): Promise<{ readonly contracts: Contracts; readonly verify: (contracts: Contracts) => void }> {
	const original = toLegacy(await parse(`(module ${fields})`));
	assert.ok(WebAssembly.validate(original));
	const module = decodeModule(original);
	const metered = meterModule(module, surveyCode(module), metering, undefined, undefined);
	assert.ok(metered !== undefined);
	const rewritten = encodeModule(metered.module);
	return {
		contracts: metered.contracts,
		verify: (contracts) => verifyRewriting(original, rewritten, { metering, contracts }),
	};
}

const REFUSED = { code: "engine/verification", message: /without a check|than is promised/ };

suite("what takes many values along costs as much as they do, to the rewriter and to the proof", () => {
	for (const [name, body, cost, gives] of CASES) {
		for (const metering of ["trap", "yield"] as const) {
			test(`${metering}: ${name}`, async () => {
				const textOf = (before: string): string =>
					`${BESIDE} (func ${gives === undefined ? "" : "(type $all)"} ${before} ${body})`;
				const { contracts, verify } = await meter(textOf(PASSED_BY), metering);
				assert.equal(contracts.heads[LOOKED_AT], cost + PASSED_BY_COST);
				verify(contracts);
				// Before an end that is checked the rewriter counts it twice
				for (const promise of ["heads", "through"] as const) {
					const less = contracts[promise].with(LOOKED_AT, (contracts[promise][LOOKED_AT] as number) - 3);
					assert.throws(() => verify({ ...contracts, [promise]: less }), REFUSED);
				}
				// Where nobody looks at the ways it is what all instructions cost
				const whole = await meter(textOf(""), metering);
				assert.ok((whole.contracts.heads[LOOKED_AT] as number) >= cost);
				whole.verify(whole.contracts);
			});
		}
	}
});

/** What a turn costs that moves so many values within, and how many of these are run behind a check: 60 µs. */
const TURN_IN_STRIP = 2 * MANY + 2 + SHIFTED + 2 * (MANY - 1) + 2 * 7;
const TURNS = Math.floor(60_000 / TURN_IN_STRIP);

/** Bodies that come to a check first, what they cost from there to their end, and what is declared beside them. */
const TAILS: readonly (readonly [name: string, body: string, trap: number, yields: number, fields?: string])[] = [
	[
		"a way back to the head of a loop, and the loop's end",
		"call $make (loop $l (type $same) (br_if $l (i32.const 0))) call $take",
		4 + 2 * MOVED + TAKE + 2,
		6 + 2 * MOVED + TAKE + 2,
	],
	[
		"a handler, and what is thrown",
		`(loop $l (br_if $l (i32.const 0)))
			(block $h (type $all) (try_table (catch $e $h) call $make throw $e) unreachable) call $take`,
		6 + 4 + 3 * MOVED + MAKE + 3_000 + TAKE + 2,
		6 + 4 + 3 * MOVED + MAKE + 3_000 + TAKE + 2,
		"(tag $e (type $none))",
	],
	[
		"an old handler",
		`(loop $l (br_if $l (i32.const 0)))
			nop (if (type $all) (local.get 0) (then call $make throw $e) (else nop)) call $take`,
		6 + 6 + 4 + 4 * MOVED + MAKE + 3_000 + TAKE + 2,
		6 + 6 + 4 + 4 * MOVED + MAKE + 3_000 + TAKE + 2,
		"(tag $e (type $none))",
	],
	[
		"a structure that is made of nothing",
		"(loop $l (br_if $l (i32.const 0))) (drop (struct.new_default $structure))",
		4 + 250 + MADE + 2 + 2,
		6 + 250 + MADE + 2 + 2,
		`(type $structure (struct ${"(field i32)".repeat(MANY)}))`,
	],
	[
		"a loop that is run in strips",
		`(loop $l ${"i32.const 0 ".repeat(MANY)} (block (type $shift) br 0) ${"drop ".repeat(MANY - 1)}
			(br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 1000))))`,
		0,
		TURNS * TURN_IN_STRIP + TURN_IN_STRIP + 2 + 2 + 2,
	],
];

suite("the same behind a check", () => {
	for (const [name, body, trap, yields, fields = ""] of TAILS) {
		for (const [metering, cost] of [
			["trap", trap],
			["yield", yields],
		] as const) {
			if (cost === 0) continue;
			test(`${metering}: ${name}`, async () => {
				const { contracts, verify } = await meter(
					`${BESIDE} ${fields} (func (local i32) ${PASSED_BY} ${body})`,
					metering,
				);
				verify(contracts);
				const group = contracts.groups[LOOKED_AT] as number;
				assert.equal(contracts.tails[group], cost);
				const less = { ...contracts, tails: contracts.tails.with(group, cost - 3) };
				assert.throws(() => verify(less), REFUSED);
			});
		}
	}
});

test("what a loop takes along counts before the check at its head", async () => {
	const { contracts, verify } = await meter(
		`${BESIDE} (func ${PASSED_BY} call $make (loop $l (type $none) ${DROPS} (call $make) (br_if $l (i32.const 0)) ${DROPS}))`,
		"yield",
	);
	verify(contracts);
	assert.equal(contracts.heads[LOOKED_AT], PASSED_BY_COST + MAKE + 2 + MOVED);
	const less = { ...contracts, heads: contracts.heads.with(LOOKED_AT, PASSED_BY_COST + MAKE + MOVED) };
	assert.throws(() => verify(less), REFUSED);
});
