import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CodeReader, decodeModule, encodeModule } from "../../wasm/mod.ts";
import { surveyCode } from "../survey.ts";
import { verifyRewriting } from "../verify/verify.ts";
import { countParams } from "./control.ts";
import { TestEngine } from "./engine.fixture.ts";
import { meterModule } from "./meter.ts";
import { mayHaveLarge } from "./strips.ts";
import { findStrips } from "./strips.ts";

const set = (number: number): string => `(local.set 1 (i32.const ${number}))`;
const by = (step: number): string => `(local.tee 1 (i32.add (local.get 1) (i32.const ${step})))`;
const turn = "(local.set 2 (i32.add (local.get 2) (i32.const 1)))";
const load = "(drop (i32.load (local.get 0)))";
/** Counts its turns in local 2. */
const loop = (back: string, more = ""): string => `(loop $l ${turn} ${more} (br_if $l ${back}))`;
const down = loop(by(-1));

/** What stands in a function with parameter 0 and locals 1 to 3, and how many turns are known of its last loop; 0 for none. */
const BODIES: readonly (readonly [name: string, body: string, turns: number])[] = [
	["down to zero", set(24) + down, 24],
	["up to a number", set(-3) + loop(`(i32.ne ${by(4)} (i32.const 37))`), 10],
	["below a number", set(-3) + loop(`(i32.lt_s ${by(3)} (i32.const 7))`), 4],
	["below a number, unsigned", set(3) + loop(`(i32.lt_u ${by(3)} (i32.const 8))`), 2],
	["above a number", set(9) + loop(`(i32.gt_s ${by(-2)} (i32.const -4))`), 7],
	["above a number, unsigned", set(9) + loop(`(i32.gt_u ${by(-2)} (i32.const 2))`), 4],
	["one turn", set(-9) + loop(`(i32.lt_u ${by(1)} (i32.const 8))`), 1],
	["beyond the last number", set(0x7fff_fff0) + loop(`(i32.gt_s ${by(5)} (i32.const 0))`), 4],
	["set by a tee", `(drop (local.tee 1 (i32.const 5))) (local.set 3 (i32.const 9)) ${down}`, 5],
	["set twice", set(9) + set(5) + down, 5],
	["other locals set behind", `${set(5)} (local.set 3 (local.get 0)) (local.set 3 (i32.const 7)) ${down}`, 5],
	[
		"a call and blocks between",
		`${set(5)} (call $g) (block (br_if 0 (local.get 0)) (block (local.set 3 (i32.const 9)) ${down}))`,
		5,
	],
	["something between", `${set(5)} (nop) ${down}`, 0],
	["another local set between", `${set(5)} (local.set 3 (local.get 0)) ${down}`, 0],
	["in a loop", `(loop $o ${set(6)} ${down} (br_if $o (local.tee 0 (i32.shr_u (local.get 0) (i32.const 1)))))`, 6],
	["left from within", `(block $x ${set(24)} ${loop(by(-1), "(br_if $x (local.get 0))")})`, 24],
	["many turns", set(1024) + down, 1024],
	["too many turns", set(1025) + down, 0],
	["round all numbers", set(-2) + down, 0],
	["past its bound", set(0) + loop(`(i32.ne ${by(4)} (i32.const 37))`), 0],
	["a step that is no power of two, to be met", set(0) + loop(`(i32.ne ${by(3)} (i32.const 9))`), 0],
	["without a step", set(5) + loop(`(i32.lt_s ${by(0)} (i32.const 9))`), 0],
	["a beginning that is not known", `(local.set 1 (local.get 0)) ${down}`, 0],
	["one that is, and then is not", `${set(5)} (local.set 1 (i32.clz (local.get 0))) ${down}`, 0],
	["a sum of numbers", `(local.set 1 (i32.add (i32.const 2) (i32.const 3))) ${down}`, 0],
	["a number in one arm", `(if (local.get 0) (then ${set(5)})) ${down}`, 0],
	["a number in the other", `(if (local.get 0) (then (nop)) (else ${set(5)})) ${down}`, 0],
	["a block that is left before", `(block $b (br_if $b (local.get 0)) ${set(5)}) ${down}`, 0],
	["a number before the loop around", `${set(6)} (loop $o ${down} (br_if $o (i32.eqz (local.get 2))))`, 0],
	["a bound in a local", set(5) + loop(`(i32.ne ${by(-1)} (local.get 0))`), 0],
	["a step in a local", set(5) + loop("(local.tee 1 (i32.sub (local.get 1) (local.get 0)))"), 0],
	["a variable that is set within", set(5) + loop(by(-1), "(local.set 1 (i32.const 9))"), 0],
	["two ways back", set(5) + loop(by(-1), "(br_if $l (local.get 0))"), 0],
	["a call within", set(5) + loop(by(-1), "(call $g)"), 0],
	["a loop within", set(5) + loop(by(-1), "(loop $i (br_if $i (local.get 0)))"), 0],
	["a bulk operation within", set(5) + loop(by(-1), "(memory.fill (local.get 0) (local.get 0) (local.get 0))"), 0],
	["a growth within", set(5) + loop(by(-1), "(drop (memory.grow (local.get 0)))"), 0],
	["a result", `${set(5)} (drop (loop $l (result i32) (br_if $l ${by(-1)}) (local.get 0)))`, 0],
];

const moduleOf = async (body: string): Promise<Uint8Array> =>
	new Uint8Array(
		await parse(`(module (memory 1)
			(func $f (param i32) (result i32) (local i32 i32 i32) ${body} (local.get 2)) (func $g)
			(func (export "f") (param i32) (result i32) (call $f (local.get 0))))`),
	);

const checkOf = { trap: [0x41, 0x80, 0x80, 0x04, 0x2d, 0x40], yield: [0x41, 0, 0x2d, 0x40] } as const;

async function meter(body: string, metering: "trap" | "yield") {
	const original = await moduleOf(body);
	const decoded = decodeModule(original);
	const metered = meterModule(decoded, surveyCode(decoded), metering, undefined, undefined, "page");
	assert.ok(metered);
	const { code } = metered.module;
	const bytes = Buffer.from(code.bytes.subarray(code.starts[0], code.ends[0]));
	let checks = 0;
	const check = Buffer.from(checkOf[metering]);
	for (let at = bytes.indexOf(check); at >= 0; at = bytes.indexOf(check, at + 1)) checks++;
	return { original, rewritten: encodeModule(metered.module), contracts: metered.contracts, checks, metered };
}

suite("loops that count from a number to a number", () => {
	for (const [name, body, turns] of BODIES) {
		test(`${name}: how many turns are known`, async () => {
			const module = decodeModule(await moduleOf(body));
			const short = new Map<number, number>();
			const reader = new CodeReader(module.code);
			findStrips(reader, 0, countParams(module), false, undefined, short);
			const costs = [...short.values()];
			assert.equal(costs.length, turns > 0 ? 1 : 0);
			if (turns === 0) return;
			assert.equal((costs[0] as number) % turns, 0);
			const plain = new TestEngine().instantiate(await moduleOf(body), "off");
			assert.equal(plain.f(0), turns);
		});
	}

	for (const metering of ["trap", "yield"] as const) {
		for (const [name, body, turns] of BODIES) {
			test(`${metering}: ${name}: has a check unless it is known, and the proof takes it`, async () => {
				const { original, rewritten, contracts, checks } = await meter(body, metering);
				const isAlone = !body.includes("$o") && !body.includes("$i");
				if (isAlone) assert.equal(checks > 0, turns === 0);
				verifyRewriting(original, rewritten, { metering, check: "page", contracts });
			});
		}

		test(`${metering}: one whose turns cost too much has a check`, async () => {
			for (const [count, checks] of [
				[29, 0],
				[30, 1],
			] as const) {
				const body = set(count) + loop(by(-1), load.repeat(8));
				const found = await meter(body, metering);
				assert.equal(found.checks, checks, `${count} turns`);
				verifyRewriting(found.original, found.rewritten, { metering, check: "page", contracts: found.contracts });
			}
		});

		test(`${metering}: the proof takes a strip around one, be that checked or not`, async () => {
			for (const count of [1, 20, 40, 400]) {
				const within = `(if (local.get 3) (then ${set(count)} ${loop(by(-1), load.repeat(8))}))`;
				const down = "(local.tee 0 (i32.sub (local.get 0) (i32.const 1)))";
				const body = `(loop $o ${within} ${"(block)".repeat(200)} (br_if $o ${down}))`;
				const { original, rewritten, contracts } = await meter(body, metering);
				verifyRewriting(original, rewritten, { metering, check: "page", contracts });
			}
		});

		test(`${metering}: what follows many of them is checked`, async () => {
			const body = (set(20) + loop(by(-1), load.repeat(8))).repeat(12);
			const { original, rewritten, contracts, checks } = await meter(body, metering);
			assert.ok(checks > 0 && checks < 12, String(checks));
			verifyRewriting(original, rewritten, { metering, check: "page", contracts });
		});

		for (const [name, body, from, to] of [
			["begins elsewhere", set(24) + down, [0x41, 24, 0x21], [0x41, 0x7f, 0x21]],
			["goes the other way", set(24) + down, [0x41, 0x7f, 0x6a], [0x41, 1, 0x6a]],
			["has a larger step", set(24) + down, [0x41, 0x7f, 0x6a], [0x41, 0x70, 0x6a]],
			["begins at what is not known", set(24) + down, [0x41, 24, 0x21], [0x20, 0, 0x21]],
			["counts with another local", set(24) + down, [0x41, 24, 0x21, 1], [0x41, 24, 0x21, 3]],
			["ends elsewhere", set(1) + loop(`(i32.ne ${by(1)} (i32.const 9))`), [0x41, 9, 0x47], [0x41, 1, 0x47]],
			["ends otherwise", set(1) + loop(`(i32.lt_u ${by(1)} (i32.const 9))`), [0x41, 9, 0x49], [0x41, 0, 0x4b]],
			["is set within", set(24) + loop(by(-1), "(local.set 3 (i32.const 9))"), [0x41, 9, 0x21, 3], [0x41, 9, 0x21, 1]],
			["is set in an arm", `${set(9)} (block ${set(8)}) ${set(24)} ${down}`, [0x41, 24, 0x21, 1], [0x41, 24, 0x21, 3]],
		] as const) {
			test(`${metering}: the proof refuses one without a check that ${name}`, async () => {
				const { original, rewritten, contracts, checks } = await meter(body, metering);
				const options = { metering, check: "page", contracts } as const;
				assert.equal(checks, 0);
				verifyRewriting(original, rewritten, options);
				const forge = (bytes: Uint8Array): Uint8Array => {
					const forged = Buffer.from(bytes);
					const at = forged.indexOf(Buffer.from(from));
					assert.ok(at > 0);
					forged.set(to, at);
					return new Uint8Array(forged);
				};
				assert.throws(() => verifyRewriting(forge(original), forge(rewritten), options), {
					message: /has no check in each turn/,
				});
			});
		}
	}

	test("bodies that may have one are told from others", async () => {
		for (const [body, may] of [
			[set(24) + down, true],
			[set(2000) + down, true],
			[`${set(300_000_000)} ${down}`, true],
			[`(local.set 1 (local.get 0)) ${down}`, false],
			[set(24) + loop(by(-300_000)), true],
			[`${set(5)} (loop $l (br $l))`, false],
			[
				`${set(9)} (loop $l (br_if $l (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (local.get 0))))`,
				false,
			],
			[`${set(9)} (loop $l (call 0 (i32.const 0)) (br_if $l ${by(-1)}))`, false],
		] as const) {
			assert.equal(mayHaveLarge(new CodeReader(decodeModule(await moduleOf(body)).code), 0), may, body);
		}
	});
});
