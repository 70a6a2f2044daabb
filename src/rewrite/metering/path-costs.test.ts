import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { decodeModule, encodeModule, type Module, OP } from "../../wasm/mod.ts";
import { rewriteModule } from "../rewrite.ts";
import { surveyCode } from "../survey.ts";
import { verifyRewriting } from "../verify/verify.ts";
import { TestEngine } from "./engine.fixture.ts";
import { type Metering, meterModule } from "./meter.ts";
import type { Contracts } from "./work.ts";

const self = "(call $f (i32.sub (local.get 0) (i32.const 1)))";

/** Bodies of a function `$f` of one `i32` that calls itself, and how many checks it has with `trap` and with `yield`. */
const BODIES: readonly (readonly [name: string, body: string, trap: number, yields: number])[] = [
	["a call at once", self, 1, 1],
	["leaves", `(br_if 0 (i32.eqz (local.get 0))) ${self} ${self}`, 1, 1],
	["a call in one arm", `(if (local.get 0) (then ${self}))`, 1, 1],
	["a loop around calls, and leaves", `(br_if 0 (local.get 0)) (loop $l ${self} (br_if $l (local.get 0)))`, 1, 1],
	["calls in both arms", `(if (local.get 0) (then ${self}) (else ${self}))`, 1, 1],
	["a call behind one in an arm", `(if (local.get 0) (then ${self})) ${self}`, 1, 1],
	[
		"a call behind calls in both arms, dear enough for a check at the entry",
		`(if (local.get 0) (then ${self}) (else ${self})) ${self}`,
		1,
		1,
	],
	["a way past the call", `(block $b (br_if $b (local.get 0)) ${self}) ${self}`, 1, 1],
	["a loop around it", `(loop $l ${self} (br_if $l (local.get 0)))`, 1, 1],
	["a call of something else before it", `(call $leaf) (br_if 0 (local.get 0)) ${self}`, 1, 1],
	["a handler", `(block $h (try_table (catch_all $h) ${self}))`, 1, 1],
	["an old handler", `nop (if (local.get 0) (then (call $leaf) ${self}) (else (nop)))`, 1, 1],
	["a tail call", `(br_if 0 (local.get 0)) (return_call $f (local.get 0))`, 1, 1],
	["much behind the call", `${self} ${"(drop (i32.load (local.get 0)))".repeat(2)}`, 2, 2],
	[
		"much behind it in one arm, and a return",
		`(if (local.get 0) (then ${self} (drop (i32.load (local.get 0))) (return)))`,
		2,
		2,
	],
	["much in a handler", `(block $h (try_table (catch_all $h) ${self} (return))) (drop (i32.load (local.get 0)))`, 2, 2],
	["a throw behind the call", `${self} (throw $e)`, 2, 2],
];

const textOf = (body: string): string =>
	`(module (memory 1) (tag $e) (func $leaf) (func $f (export "f") (param i32) ${body}))`;

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
): Promise<{ readonly original: Uint8Array; readonly module: Module; readonly contracts: Contracts }> {
	const original = toLegacy(await parse(text));
	const decoded = decodeModule(original);
	const metered = meterModule(decoded, surveyCode(decoded), metering, undefined, undefined);
	assert.ok(metered !== undefined);
	return { original, module: metered.module, contracts: metered.contracts };
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

const CONDITION = [0x41, 0, 0x2d, 0x40, 1, 0, 0x04, 0x40];
const CHECKS = {
	trap: [...CONDITION, 0x41, 0, 0x41, 0x80, 2, 0x36, 0x42, 1, 0, 0x00, 0x0b],
	yield: [...CONDITION, 0x10, 2, 0x0b],
} as const;

/** One access. */
const LOADS = "(drop (i32.load (i32.const 0)))";

/** Of two functions that call each other the second has an access behind that, for which the first is checked. */
const IN_CYCLE = `(func $f (call $g)) (func $g (br_if 0 (i32.const 0)) (call $f) ${LOADS})`;

const REFUSED = { code: "engine/verification", message: /is promised|without a check|has no check/ };

suite("cycles of calls are checked before they call", () => {
	for (const metering of ["trap", "yield"] as const) {
		for (const [name, body, trap, yields] of BODIES) {
			test(`${metering}: ${name}`, async () => {
				const { original, module, contracts } = await meterText(textOf(body), metering);
				const { bytes } = module.code;
				const places = placesOf(bytes, CHECKS[metering]);
				assert.equal(places.length, metering === "trap" ? trap : yields);
				verifyRewriting(original, encodeModule(module), { metering, contracts });
				for (const at of places) {
					const forged = cut(module, at, CHECKS[metering].length);
					assert.throws(() => verifyRewriting(original, forged, { metering, contracts }), REFUSED);
				}
			});
		}
	}

	// With a slow path that looks, too
	for (const [metering, checks] of [
		["trap", 3],
		["yield", 4],
	] as const) {
		test(`${metering}: what may throw is called before anything else and again: a check before each`, async () => {
			const call = "(call $i)";
			const text = `(module (import "" "i" (func $i)) (tag $e) (func (export "f") ${call} ${call} ${call}))`;
			const { original, module, contracts } = await meterText(text, metering);
			assert.equal(placesOf(module.code.bytes, [0x41, 0, 0x2d, 0x40, 0, 0, 0x04, 0x40]).length, checks);
			verifyRewriting(original, encodeModule(module), { metering, contracts });
		});
	}

	for (const metering of ["trap", "yield"] as const) {
		test(`${metering}: many locals are written where a function begins: its callers are checked the earlier`, async () => {
			const text = (locals: number): string =>
				`(module (func $z (local ${"v128 ".repeat(locals)})) (func $y ${"(call $z)".repeat(3)}) (func (export "f") ${"(call $y)".repeat(2)}))`;
			const few = decodeModule(await parse(text(100)));
			assert.equal(meterModule(few, surveyCode(few), metering, undefined, undefined), undefined);
			const { original, module, contracts } = await meterText(text(30_000), metering);
			const rewritten = encodeModule(module);
			verifyRewriting(original, rewritten, { metering, contracts });
			assert.equal(contracts.heads[0], 5989);
			for (const promise of ["heads", "through"] as const) {
				const less = contracts[promise].slice();
				less[0]!--;
				const promised = { ...contracts, [promise]: less };
				assert.throws(() => verifyRewriting(original, rewritten, { metering, contracts: promised }), REFUSED);
			}
		});
	}

	test("functions of nearly as many locals as V8 takes can be called from anywhere", async () => {
		const locals = `(local ${"i32 ".repeat(49_990)})`;
		const fields = `(memory 1) (tag $e) (table 2 funcref) (elem (i32.const 0) $f $g)
			(func $f (export "f") (param i32) ${locals} (if (local.get 0) (then (call $g (local.get 0)))))
			(func $g (param i32) ${locals} (loop (call $f (local.get 0))))
			(func $h (param i32) ${locals} (call_indirect (param i32) (local.get 0) (i32.const 1)) (call $h (local.get 0)) ${LOADS})
			(func $i (export "i") (param i32) ${locals} ${LOADS.repeat(2000)} (call $h (local.get 0)) (throw $e))`;
		for (const metering of ["trap", "yield", "fuel"] as const) {
			const bytes = await parse(`(module ${fields})`);
			const { bytes: rewritten } = rewriteModule(bytes, 0, { metering, verify: true });
			assert.ok((globalThis as any).WebAssembly.validate(rewritten));
		}
	});

	for (const [name, fields] of [
		[
			"calls that double at each level",
			Array.from({ length: 60 }, (_, i) => `(func ${i === 59 ? "" : `(call ${i + 2}) (call ${i + 2})`})`).join(" "),
		],
		["a long way without a branch", `(func ${LOADS.repeat(10_000)})`],
		[
			"a long way in both arms",
			`(func (if (i32.const 0) (then ${LOADS.repeat(4_100)}) (else ${LOADS.repeat(6_850)})))`,
		],
		[
			"a long way behind a loop that is passed by",
			`(func (block $b (br_if $b (i32.const 1)) (loop)) ${LOADS.repeat(6_000)})`,
		],
		[
			"long ways that are called one behind the other",
			`(func $g ${LOADS.repeat(900)}) (func ${"(call $g)".repeat(9)})`,
		],
		["a long way behind a call of others", `(func (export "f") (call $i) ${LOADS.repeat(1_600)})`],
		[
			"a long way before a call that ends the function",
			`(func $g) (func (export "f") (call $i) (loop $l (br_if $l (i32.const 0))) ${LOADS.repeat(600)} (return_call $g))`,
		],
		[
			"a long way before a call that may throw",
			`(tag $e) (func (export "f") (call $i) (loop $l (br_if $l (i32.const 0))) ${LOADS.repeat(600)} (call $i))`,
		],
		["much behind a call in one function of a cycle", IN_CYCLE],
		["a long way that others can call", `(func (export "f") ${LOADS.repeat(60)})`],
		["a long way that is called in many places", `(func $g ${LOADS.repeat(80)}) ${"(func (call $g))".repeat(13)}`],
		[
			"long ways at the ends of what calls",
			`(func $a ${LOADS.repeat(2_000)}) (func $b (loop $l (br_if $l (i32.const 0))) (call $a)) (func (call $b) (call $b) (call $b))`,
		],
	] as const) {
		for (const metering of ["trap", "yield"] as const) {
			test(`${metering}: ${name} is checked now and then, and none of these can be left out`, async () => {
				const text = `(module (import "" "i" (func $i)) (memory 1) ${fields})`;
				const { original, module, contracts } = await meterText(text, metering);
				const slow = 1 + decodeModule(original).functions.length;
				const check = metering === "trap" ? CHECKS.trap : [...CONDITION, 0x10, slow, 0x0b];
				const places = placesOf(module.code.bytes, check);
				assert.ok(places.length >= 1 && places.length <= 12, `${places.length} checks`);
				verifyRewriting(original, encodeModule(module), { metering, contracts });
				for (const at of places) {
					const forged = cut(module, at, check.length);
					assert.throws(() => verifyRewriting(original, forged, { metering, contracts }), REFUSED);
				}
			});
		}
	}

	// Of the entry and the loop; and one more. The proof allows half as much again as the rewriter
	for (const [loads, checks] of [
		[1_000, 2],
		[1_100, 3],
		[1_600, 3],
	] as const) {
		test(`what others may have run is taken off what runs behind a call of them: ${loads} accesses, ${checks} checks`, async () => {
			const body = `(call $i) ${LOADS.repeat(loads)} (loop $l (br_if $l (i32.const 0)))`;
			const text = `(module (import "" "i" (func $i)) (memory 1) (func (export "f") ${body}))`;
			const { original, module, contracts } = await meterText(text, "trap");
			const places = placesOf(module.code.bytes, CHECKS.trap);
			assert.equal(places.length, checks);
			verifyRewriting(original, encodeModule(module), { metering: "trap", contracts });
			if (loads < 1_600) return;
			const forged = cut(module, places[1] ?? 0, CHECKS.trap.length);
			const message = "Cannot run a rewritten module: function 1 runs for too long without a check";
			assert.throws(() => verifyRewriting(original, forged, { metering: "trap", contracts }), { message });
		});
	}

	for (const [metering, check, constant] of [
		["trap", "flag", 0],
		["trap", "page", 65_536],
		["yield", "flag", 0],
		["fuel", "flag", 0],
	] as const) {
		test(`${metering}, ${check}: a check before the constant that it begins with is seen`, async () => {
			const body = `${LOADS.repeat(489)} ${"nop ".repeat(97)} (call $g (i32.const ${constant}))`;
			const original = await parse(`(module (memory 1) (func $g (param i32)) (func ${body}))`);
			const module = decodeModule(original);
			const metered = meterModule(module, surveyCode(module), metering, undefined, undefined, check);
			assert.ok(metered !== undefined);
			const { ledger, contracts } = metered;
			const last = check === "page" ? [0x1a, 0x41, 0x80, 0x80, 0x04] : [0x0b, 0x41, 0];
			assert.equal(placesOf(metered.module.code.bytes, [...last, OP.call, 0]).length, 1);
			verifyRewriting(original, encodeModule(metered.module), { metering, check, ledger, contracts });
		});
	}

	test("what functions of a cycle run behind their calls cannot be kept from those who call them", async () => {
		const { original, module, contracts } = await meterText(`(module (memory 1) ${IN_CYCLE})`, "trap");
		const access = 254;
		assert.ok((contracts.returns[1] ?? 0) > access);
		for (const told of [-1, 0, access]) {
			const returns = contracts.returns.with(1, told);
			const forged = { metering: "trap", contracts: { ...contracts, returns } } as const;
			assert.throws(() => verifyRewriting(original, encodeModule(module), forged), REFUSED);
		}
		const forged = { metering: "trap", contracts: { ...contracts, returns: new Int32Array() } } as const;
		assert.throws(() => verifyRewriting(original, encodeModule(module), forged), REFUSED);
	});

	test("what others run before a check is promised to be neither more nor less than they count on", async () => {
		const text = `(module (import "" "i" (func)) (func (export "f") (call 0)) (func (call 0)))`;
		const { original, module, contracts } = await meterText(text, "trap");
		const rewritten = encodeModule(module);
		verifyRewriting(original, rewritten, { metering: "trap", contracts });
		const outside = 3;
		const group = contracts.groups[outside] as number;
		for (const by of [-1, 1]) {
			for (const forged of [
				{ ...contracts, heads: contracts.heads.with(outside, (contracts.heads[outside] as number) + by) },
				{ ...contracts, through: contracts.through.with(outside, (contracts.through[outside] as number) + by) },
				{ ...contracts, tails: contracts.tails.with(group, (contracts.tails[group] as number) + by) },
			])
				assert.throws(() => verifyRewriting(original, rewritten, { metering: "trap", contracts: forged }), REFUSED);
		}
	});

	for (const [how, end, fields = ""] of [
		["in a tail call", "return_call $g"],
		["where it may throw", "call $g", "(tag)"],
	] as const) {
		test(`what takes so many parameters that its callers may run too long with them is checked the earlier: ${how}`, async () => {
			const bytes = await parse(`(module (memory 1) ${fields}
				(func $g (param ${"i32 ".repeat(1000)}) ${LOADS.repeat(485)})
				(func (export "f") (loop (br_if 0 (i32.const 0))) ${"(i32.const 0)".repeat(1000)} ${end}))`);
			for (const metering of ["trap", "yield", "fuel"] as const)
				assert.doesNotThrow(() => rewriteModule(bytes, 0, { metering, verify: true }), metering);
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
