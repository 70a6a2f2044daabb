import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { Dice } from "../../../test/reset/dice.ts";
import { CodeReader, decodeModule, encodeModule } from "../../wasm/mod.ts";
import { HOST_FUNCTIONS } from "../host-table.ts";
import { surveyCode } from "../survey.ts";
import { verifyRewriting } from "../verify/verify.ts";
import { countParams } from "./control.ts";
import { exportFunction, TestEngine } from "./engine.fixture.ts";
import { meterModule } from "./meter.ts";
import { findStrips, mayHaveLarge } from "./strips.ts";

const plus = (step: string, by = "(local.get 0)"): string => `(local.tee 0 (i32.add ${by} ${step}))`;
const four = "(i32.const 4)";
const load = "(drop (i32.load8_u (i32.and (local.get 0) (i32.const 255))))";
const down = "(br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))";

const inner =
	"(local.set 1 (i32.extend8_s (i32.const 3))) (loop $i (br_if $i (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))";

/** Loops over local 0, with locals 1 and 2 to compare with and to add, and the turns of their strips; -1 where they have none. */
const BODIES: readonly (readonly [name: string, body: string, turns: number])[] = [
	["down to zero", down, 1024],
	["up to zero", `(br_if $l ${plus(four)})`, 1024],
	["to a number", `(br_if $l (i32.ne ${plus(four)} (i32.const 1000)))`, 1024],
	["to a local", `(br_if $l (i32.ne ${plus("(i32.const -8)")} (local.get 1)))`, 1024],
	["below a local", `(br_if $l (i32.lt_u ${plus("(i32.const 3)")} (local.get 1)))`, 1024],
	["below a local, signed, by another", `(br_if $l (i32.lt_s ${plus("(local.get 2)")} (local.get 1)))`, 1024],
	["above a number, the step first", `(br_if $l (i32.gt_s ${plus("(local.get 0)", "(local.get 2)")} ${four}))`, 1024],
	["above a local", `(br_if $l (i32.gt_u ${plus("(i32.const -5)")} (local.get 1)))`, 1024],
	["with another way out", `${load.repeat(4)} (br_if $x (i32.eq (local.get 0) (i32.const 77))) ${down}`, 57],
	["with another way out, and little to do", `${load} (br_if $x (local.get 1)) ${down}`, -1],
	["with a return, and little to do", `(if (local.get 1) (then (return))) ${down}`, -1],
	["with its branch in an arm", `${load.repeat(4)} (if (local.get 0) (then ${down} (br $x)))`, 57],
	[
		"with a way out of a loop within alone",
		`(block $c (br_if $c (local.get 2)) (local.set 1 (i32.extend8_s (i32.const 3)))
			(loop $i ${load.repeat(4)} (br_if $c (i32.eqz (local.get 0)))
				(br_if $i (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))) ${down}`,
		56,
	],
	[
		"with much to do in one of two arms",
		`(if (local.get 1) (then ${load.repeat(4)}) (else ${load.repeat(40)})) ${down}`,
		-1,
	],
	[
		"with much to do in each of two arms",
		`(if (local.get 1) (then ${load.repeat(20)}) (else ${load.repeat(20)})) ${down}`,
		11,
	],
	[
		"with much to do in each way of a table",
		`(block $e (block $b (block $a (br_table $a $b (local.get 1))) ${load.repeat(20)} (br $e)) ${load.repeat(20)}) ${down}`,
		11,
	],
	["with much to do", load.repeat(30), -1],
	["with much to do, in strips", `${load.repeat(20)} ${down}`, 11],
	["with too much to do", `${load.repeat(40)} ${down}`, -1],
	["a step that is no power of two, to be met", `(br_if $l (i32.ne ${plus("(i32.const 3)")} (local.get 1)))`, -1],
	["a step that is a local, to be met", `(br_if $l (i32.ne ${plus("(local.get 2)")} (local.get 1)))`, -1],
	["up to and with", `(br_if $l (i32.le_u ${plus(four)} (local.get 1)))`, -1],
	["a bound that is added to", `(br_if $l (i32.lt_u ${plus(four)} (local.get 0)))`, -1],
	[
		"a bound that changes",
		`(local.set 1 (i32.load (local.get 0))) (br_if $l (i32.lt_u ${plus(four)} (local.get 1)))`,
		-1,
	],
	[
		"a step that changes",
		`(local.set 2 (i32.load (local.get 0))) (br_if $l (i32.lt_u ${plus("(local.get 2)")} (local.get 1)))`,
		-1,
	],
	["a step of nothing", `(br_if $l (i32.lt_s ${plus("(i32.const 0)")} (local.get 1)))`, -1],
	["two steps", `(local.set 0 (i32.const 9)) ${down}`, -1],
	["two ways back", `(br_if $l (local.get 1)) ${down}`, -1],
	["a way back without a step", "(br_if $l (local.get 0))", -1],
	["a way back by a table", `(br_table $x $l ${plus(four)})`, -1],
	["a call", `(call $g) ${down}`, -1],
	["a loop in strips within", `(block $c (br_if $c (local.get 2)) ${inner}) ${down}`, 1024],
	["a way back from a loop within", `(loop $i ${down} (br_if $i (i32.eqz (local.get 0))))`, -1],
	["loops in loops within", `(block $c (br_if $c (local.get 2)) (loop $o ${inner})) ${down}`, -1],
	["a fill", `(memory.fill (i32.const 0) (i32.const 0) (local.get 0)) ${down}`, -1],
];

/** It says in its memory how many turns it has made, and ends after some thousands: so there has to be much to do in one. Function 0 is not called. */
const textOf = (body: string, first = "(func $g)"): string => `(module ${first} (memory (export "m") 1)
	(func (export "f") (param i32 i32 i32) (result i32) (local $turns i32)
		(block $x (loop $l
			(i32.store (i32.const 0) (local.tee $turns (i32.add (local.get $turns) (i32.const 1))))
			${load.repeat(4)} (br_if $x (i32.gt_u (local.get $turns) (i32.const 5000))) ${body}))
		(i32.add (i32.mul (local.get $turns) (i32.const 7919)) (local.get 0))))`;

/** Without what counts turns. */
const bareOf = (body: string): string =>
	`(module (memory 1) (func $g) (func (param i32 i32 i32) (block $x (loop $l ${body}))))`;

/** Numbers near which things go wrong. */
const EDGES = [0, 1, 7, 300, 4999, 0x7fff_ffff, -0x8000_0000, -1, -5, -300, -70_000];

suite("loops that are run in strips", () => {
	for (const [name, body, turns] of BODIES) {
		test(name, async () => {
			const module = decodeModule(await parse(bareOf(body)));
			const found = findStrips(new CodeReader(module.code), 1, countParams(module));
			assert.equal(found.get(0)?.turns ?? -1, turns);
		});

		if (turns < 0) continue;
		test(`${name}: runs as it did, and asks in time`, async () => {
			const bytes = await parse(textOf(body));
			const plain = new TestEngine().instantiate(bytes, "off");
			const strip = findStrips(new CodeReader(decodeModule(bytes).code), 1, [0, 3]).get(0);
			assert.ok(strip);
			const { exports, engine } = instantiateAsking(bytes);
			const turns = new Uint32Array(exports.m.buffer, 0, 1);
			let asked = 0;
			let longest = 0;
			const look = (): void => {
				longest = Math.max(longest, turns[0]! - asked);
				asked = turns[0]!;
			};
			engine.poll = () => (look(), 0);
			const dice = new Dice(name.length);
			for (let round = 0; round < 400; round++) {
				const args = [0, 0, 0].map(() => (dice.pick(EDGES) + dice.below(9) - 4) | 0);
				turns[0] = asked = 0;
				assert.equal(exports.f(...args), plain.f(...args), args.join(", "));
				look();
			}
			assert.equal(longest, strip.turns, "it uses its strips, and is not longer in one than it says");
		});
	}
});

/** Code of so many bytes, but for three, of which a turn runs nothing. */
const much = (bytes: number): string => "(block)".repeat(Math.floor(bytes / 3));
const LARGE = 512;

/** Bodies as above, and whether they have a strip where only large loops are asked for. */
const LARGE_BODIES: readonly (readonly [name: string, body: string, has: boolean])[] = [
	["much code", `${much(LARGE)} ${down}`, true],
	["little code", down, false],
	["not quite as much", `${much(LARGE - 20)} ${down}`, false],
	["much code behind its way back", `(block $b ${load.repeat(4)} ${down} (br $x)) ${much(LARGE)}`, true],
	["much code behind the loop", `${down}) ${much(LARGE)} (block`, false],
	["a way back by a table", `${much(LARGE)} (block (br_table $x $l ${plus(four)}))`, false],
	["a way back that is always taken", `${much(LARGE)} (drop ${plus(four)}) (br $l)`, false],
	["two steps", `${much(LARGE)} (local.set 0 (i32.const 9)) ${down}`, false],
	["a call", `${much(LARGE)} (call $g) ${down}`, false],
	["a loop within", `${much(LARGE)} (block $c (br_if $c (local.get 2)) ${inner}) ${down}`, false],
	["handlers", `${much(LARGE)} (block $h (try_table (catch_all $h))) ${down}`, false],
];

/** What checks of `trap` are made of, where the flag's memory is the second. */
const CHECKS = {
	page: [0x41, 0x80, 0x80, 0x04, 0x2d, 0x40, 1, 0, 0x1a],
	flag: [0x41, 0, 0x2d, 0x40, 1, 0, 0x04, 0x40, 0x41, 0, 0x41, 0x80, 2, 0x36, 0x42, 1, 0, 0, 0x0b],
} as const;

suite("large loops that are run in strips with trap", () => {
	for (const [name, body, has] of LARGE_BODIES) {
		test(name, async () => {
			const module = decodeModule(await parse(bareOf(body)));
			const reader = new CodeReader(module.code);
			assert.equal(findStrips(reader, 1, countParams(module), true).has(0), has);
			if (has) assert.ok(mayHaveLarge(reader, 1), "what is not looked at has none");
		});
	}

	for (const [name, body, expected] of BODIES) {
		// With a loop within it is none
		if (expected < 0 || body.includes("$i")) continue;
		for (const check of ["page", "flag"] as const) {
			test(`${name}, with much code: runs as it did, and is checked in time (${check})`, async () => {
				const text = `${much(LARGE)} ${body}`;
				const plain = new TestEngine().instantiate(await parse(textOf(text)), "off");
				const bytes = await parse(textOf(text, `(import "" "look" (func $g))`));
				const strip = findStrips(new CodeReader(decodeModule(bytes).code), 0, [0, 3], true).get(0);
				assert.ok(strip);
				let checked = 0;
				let longest = 0;
				const look = (): void => {
					longest = Math.max(longest, turns[0]! - checked);
					checked = turns[0]!;
				};
				const exports = instantiateLooking(bytes, check, look);
				const turns = new Uint32Array(exports.m.buffer, 0, 1);
				const dice = new Dice(name.length);
				for (let round = 0; round < 400; round++) {
					const args = [0, 0, 0].map(() => (dice.pick(EDGES) + dice.below(9) - 4) | 0);
					turns[0] = checked = 0;
					assert.equal(exports.f(...args), plain.f(...args), args.join(", "));
					look();
				}
				assert.equal(longest, strip.turns, "it uses its strips, and is not longer in one than it says");
			});
		}
	}
});

const { WebAssembly } = globalThis as any;

/** With a call of the import in place of each check. */
function instantiateLooking(bytes: Uint8Array, check: keyof typeof CHECKS, look: () => void): any {
	const original = decodeModule(bytes);
	const metered = meterModule(original, surveyCode(original), "trap", undefined, undefined, check);
	assert.ok(metered);
	verifyRewriting(bytes, encodeModule(metered.module), { metering: "trap", check, contracts: metered.contracts });
	const { code } = metered.module;
	const patched = Buffer.from(code.bytes);
	const wanted = Buffer.from(CHECKS[check]);
	const call = Buffer.alloc(wanted.length, 0x01);
	call.set([0x10, 0]);
	let checks = 0;
	for (let at = patched.indexOf(wanted); at >= 0; at = patched.indexOf(wanted)) {
		call.copy(patched, at);
		checks++;
	}
	assert.equal(checks, 1);
	const changed = { ...code, bytes: new Uint8Array(patched) };
	const memories = metered.imports.memories.map(({ name }) => [name, new WebAssembly.Memory({ initial: 1 })]);
	const flag = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
	return new WebAssembly.Instance(new WebAssembly.Module(encodeModule({ ...metered.module, code: changed })), {
		"": { look },
		[metered.imports.module]: { ...Object.fromEntries(memories), [metered.imports.flag]: flag },
	}).exports;
}

/** With a flag that never goes down, and a slow path that asks once and goes on: so each check asks. */
function instantiateAsking(bytes: Uint8Array): { readonly exports: any; readonly engine: TestEngine } {
	const engine = new TestEngine();
	engine.raise();
	const original = decodeModule(bytes);
	const metered = meterModule(original, surveyCode(original), "yield", undefined, undefined);
	assert.ok(metered);
	verifyRewriting(bytes, encodeModule(metered.module), { metering: "yield", contracts: metered.contracts });
	const { code } = metered.module;
	const slow = original.code.starts.length;
	const patched = code.bytes.slice();
	const body = patched.subarray(code.starts[slow], code.ends[slow]);
	// The first call_indirect, of `poll`, with what it is given before it; then nothing but its end
	const call = body.slice(body.indexOf(0x11) - 2, body.indexOf(0x11) + 3);
	body.fill(0x01).set([0, ...call, 0x1a]);
	body[body.length - 1] = 0x0b;
	const changed = { ...code, bytes: patched };
	const memories = metered.imports.memories.map(({ name }) => [name, new WebAssembly.Memory({ initial: 1 })]);
	const { exports } = new WebAssembly.Instance(
		new WebAssembly.Module(encodeModule({ ...metered.module, code: changed })),
		{ [metered.imports.module]: { ...Object.fromEntries(memories), [metered.imports.flag]: engine.memory } },
	);
	const poll = exportFunction(() => engine.poll());
	exports[metered.host?.name ?? ""].set(HOST_FUNCTIONS.indexOf("poll"), poll);
	return { exports, engine };
}
