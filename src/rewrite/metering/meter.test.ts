import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import {
	BRANCH_HINTS,
	CodeReader,
	decodeBranchHints,
	decodeModule,
	decodeNameSection,
	encodeBranchHints,
	encodeModule,
	OP,
} from "../../wasm/mod.ts";
import { addHostTable } from "../host-table.ts";
import { rewriteModule } from "../rewrite.ts";
import { surveyCode } from "../survey.ts";
import { verifyRewriting } from "../verify/verify.ts";
import { TestEngine } from "./engine.fixture.ts";
import { meterModule } from "./meter.ts";

const { WebAssembly } = globalThis as any;

/** Programs that end by themselves after many turns: what `f(n)` is, and that whoever stops it can let it go on. */
const PROGRAMS: readonly (readonly [name: string, fields: string, n: number, result: number])[] = [
	[
		"a loop",
		`(func (export "f") (param i32) (result i32) (local i32) (loop $l (local.set 1 (i32.add (local.get 1) (local.get 0)))
		(br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))`,
		100,
		5050,
	],
	[
		"a loop with a result",
		`(func (export "f") (param i32) (result i32) (local i32) (loop $l (result i32)
		(local.set 1 (i32.add (local.get 1) (local.get 0)))
		(br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))) (local.get 1)))`,
		100,
		5050,
	],
	[
		"a loop with a parameter",
		`(func (export "f") (param i32) (result i32) (i32.const 0) (loop $l (param i32) (result i32)
		(i32.add (local.get 0)) (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))`,
		100,
		5050,
	],
	[
		"a loop with a type that has no parameters",
		`(type $t (func (result i32 i32))) (func (export "f") (param i32) (result i32)
		(loop $l (type $t) (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))) (i32.const 3) (i32.const 4)) (i32.add))`,
		9,
		7,
	],
	[
		"operands below a loop",
		`(func (export "f") (param i32) (result i32) (i32.const 7) (loop $l
		(br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (i32.add (local.get 0)))`,
		9,
		7,
	],
	[
		"nested loops",
		`(func (export "f") (param i32) (result i32) (local i32 i32) (loop $o (local.set 1 (i32.const 10))
		(loop $i (local.set 2 (i32.add (local.get 2) (i32.const 1))) (br_if $i (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
		(br_if $o (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 2))`,
		20,
		200,
	],
	[
		"branches out of inner loops",
		`(func (export "f") (param i32) (result i32) (local i32) (block $x (loop $o (loop $i
		(local.set 1 (i32.add (local.get 1) (i32.const 1)))
		(br_if $x (i32.ge_u (local.get 1) (local.get 0)))
		(block $b (br_if $b (i32.and (local.get 1) (i32.const 1))) (br $o)) (br $i)))) (local.get 1))`,
		51,
		51,
	],
	[
		"a branch out with a value",
		`(func (export "f") (param i32) (result i32) (block $x (result i32) (loop $l
		(drop (br_if $x (i32.const 5) (i32.eqz (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))) (br $l)) (unreachable)))`,
		30,
		5,
	],
	[
		"br_table in and out",
		`(func (export "f") (param i32) (result i32) (local i32) (block $x (block $y (loop $l
		(local.set 1 (i32.add (local.get 1) (i32.const 1))) (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
		(block $b (br_table $x $y $b $l (local.get 0))) (br $l))) (local.set 1 (i32.add (local.get 1) (i32.const 1000)))) (local.get 1))`,
		50,
		1049,
	],
	[
		"return from a loop",
		`(func (export "f") (param i32) (result i32) (loop $l (if (i32.eqz (local.get 0)) (then (return (i32.const 3))))
		(local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br $l)) (unreachable))`,
		30,
		3,
	],
	[
		"if and else in a loop",
		`(func (export "f") (param i32) (result i32) (local i32) (loop $l
		(if (i32.and (local.get 0) (i32.const 1)) (then (local.set 1 (i32.add (local.get 1) (i32.const 2)))) (else (nop) (local.set 1 (i32.sub (local.get 1) (i32.const 1)))))
		(br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))`,
		40,
		20,
	],
	[
		"calls in a loop",
		`(func $g (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))) (func (export "f") (param i32) (result i32) (local i32)
		(loop $l (local.set 1 (call $g (local.get 1))) (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))`,
		40,
		40,
	],
	[
		"recursion",
		`(func $f (export "f") (param i32) (result i32) (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
		(else (i32.add (call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 2)))))))`,
		10,
		55,
	],
	[
		"mutual recursion through a table",
		`(type $t (func (param i32) (result i32))) (table funcref (elem $a $b))
		(func $a (export "f") (param i32) (result i32) (if (result i32) (local.get 0) (then (call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 1))) (else (i32.const 1))))
		(func $b (param i32) (result i32) (if (result i32) (local.get 0) (then (call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))) (else (i32.const 0))))`,
		41,
		0,
	],
	[
		"tail calls",
		`(func $f (export "f") (param i32) (result i32) (if (local.get 0) (then (return_call $f (i32.sub (local.get 0) (i32.const 1))))) (i32.const 9))`,
		50,
		9,
	],
	[
		"a loop in try_table",
		`(tag $e (param i32)) (func (export "f") (param i32) (result i32) (block $h (result i32) (try_table (catch $e $h)
		(loop $l (if (i32.eqz (local.get 0)) (then (throw $e (i32.const 77)))) (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br $l))) (i32.const 1)))`,
		30,
		77,
	],
	[
		"try_table in a loop",
		`(tag $e) (func $g (throw $e)) (func (export "f") (param i32) (result i32) (local i32) (loop $l
		(block $h (try_table (catch_all $h) (call $g) (local.set 1 (i32.const 1000)))) (local.set 1 (i32.add (local.get 1) (i32.const 1)))
		(br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))`,
		30,
		30,
	],
	[
		"a memory of 64 bits and one of its own",
		`(memory i64 1) (memory $m 1) (func (export "f") (param i32) (result i32) (local i32) (loop $l
		(i64.store8 (i64.const 5) (i64.extend_i32_u (local.get 0))) (i32.store8 $m (local.get 0) (local.get 0))
		(local.set 1 (i32.add (local.get 1) (i32.add (i32.wrap_i64 (i64.load8_u (i64.const 5))) (i32.load8_u $m (local.get 0)))))
		(br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))`,
		20,
		420,
	],
	[
		"br_on_null and br_on_cast out of a loop",
		`(func (export "f") (param i32) (result i32) (block $x (result (ref null i31)) (loop $l
		(br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))) (drop (br_on_cast $x anyref (ref null i31) (ref.i31 (i32.const 6))))) (unreachable)) (i31.get_s))`,
		20,
		6,
	],
];

suite("yield", () => {
	for (const [name, fields, n, result] of PROGRAMS) {
		test(`${name}: goes on with what it was doing`, async () => {
			const engine = new TestEngine();
			const { f } = await engine.load(`(module ${fields})`, "yield");
			assert.equal(f(n), result, "the flag is down");
			assert.equal(engine.polls, 0);
			// As if it were raised anew twice before it got a step further
			engine.poll = () => {
				if (engine.polls === 3) engine.lower();
				return 0;
			};
			engine.raise();
			assert.equal(f(n), result);
			assert.equal(engine.polls, 3);
		});

		test(`${name}: ends at the next check`, async () => {
			const engine = new TestEngine();
			const { f } = await engine.load(`(module ${fields})`, "yield");
			engine.poll = () => (engine.lower(), 1);
			engine.raise();
			assert.throws(() => f(n), { name: "RuntimeError", message: "unreachable" });
			assert.equal(engine.polls, 1);
		});
	}

	const LOOP = `(module (func (export "f") (param i32) (result i32) (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (i32.const 5)))`;

	test("a poll that never lowers the flag ends in a trap, not in a livelock", async () => {
		const engine = new TestEngine();
		const { f } = await engine.load(LOOP, "yield");
		engine.poll = () => 0;
		engine.raise();
		assert.throws(() => f(10), { message: "unreachable" });
		assert.equal(engine.polls, 101);
	});

	test("what poll and pause throw cannot be caught", async () => {
		for (const answer of ["poll", "pause"] as const) {
			const engine = new TestEngine();
			engine.poll = () => 2;
			engine[answer] = () => {
				throw new Error("of the engine");
			};
			const { f } = await engine.load(
				`(module (func (export "f") (block $h (try_table (catch_all $h) (loop $l (br $l))))))`,
				"yield",
			);
			engine.raise();
			assert.throws(() => f(), { message: "unreachable" });
		}
	});

	for (const answer of [0, 1]) {
		test(`a pause suspends the stack, and then ${answer === 0 ? "goes on" : "traps"}`, async () => {
			const engine = new TestEngine();
			const others: string[] = [];
			engine.pause = new WebAssembly.Suspending(async () => {
				others.push("another's turn");
				await new Promise((resolve) => setImmediate(resolve));
				return answer;
			});
			engine.poll = () => (engine.lower(), 2);
			const { f } = await engine.load(LOOP, "yield");
			engine.raise();
			const call = WebAssembly.promising(f)(10);
			if (answer === 0) assert.equal(await call, 5);
			else await assert.rejects(call, { message: "unreachable" });
			assert.deepEqual(others, ["another's turn"]);
		});
	}

	test("an answer that is none of these traps", async () => {
		const engine = new TestEngine();
		engine.poll = () => (engine.lower(), 3);
		const { f } = await engine.load(LOOP, "yield");
		engine.raise();
		assert.throws(() => f(10), { message: "unreachable" });
	});
});

suite("fuel", () => {
	const GIVEN = 1n << 40n;

	const divided = "(global.set $g (i64.div_s (global.get $g) (i64.const 3)))".repeat(500);
	for (const [name, behind] of [
		["in each frame", divided],
		["called by each", "(call $much)"],
	]) {
		test(`who comes back from a recursion is stopped on the way, though all was paid on the way down: much ${name}`, async () => {
			const engine = new TestEngine();
			const { f, done } = await engine.load(
				`(module (import "" "raise" (func $raise)) (global $g (mut i64) (i64.const -1))
					(global $done (export "done") (mut i32) (i32.const 0)) (func $much ${divided})
					(func $f (export "f") (param i32)
						(if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))) (else (call $raise)))
						${behind} (global.set $done (i32.add (global.get $done) (i32.const 1)))))`,
				"fuel",
				{ "": { raise: () => engine.raise() } },
			);
			engine.fuel = GIVEN;
			assert.throws(() => f(1000), { message: "unreachable" });
			assert.equal(engine.polls, 1);
			assert.ok(done.value <= 2, `${done.value} frames were left`);
			engine.poll = () => (engine.lower(), 0);
			engine.fuel = GIVEN;
			f(1000);
			assert.equal(engine.polls, 2);
		});
	}

	for (const [name, fields, n, result] of PROGRAMS) {
		test(`${name}: the same count in slices of any size, and the same end`, async () => {
			const engine = new TestEngine();
			const { f } = await engine.load(`(module ${fields})`, "fuel");
			engine.fuel = GIVEN;
			assert.equal(f(n), result);
			const used = GIVEN - engine.fuel;
			assert.ok(used > BigInt(n), `${used}`);
			const run = (given: bigint, slice: bigint): { outcome: unknown; consumed: bigint } => {
				let handed = slice < given ? slice : given;
				engine.fuel = handed;
				engine.poll = () => {
					if (handed - engine.fuel > given) return 1;
					while (engine.fuel < 0n) {
						const more = given - handed < slice ? given - handed : slice;
						handed += more;
						engine.fuel += more;
					}
					return 0;
				};
				let outcome: unknown;
				try {
					outcome = f(n);
				} catch (error) {
					outcome = (error as Error).message;
				}
				return { outcome, consumed: handed - engine.fuel };
			};
			for (const slice of [1n, 7n, 64n, GIVEN]) {
				assert.deepEqual(run(used, slice), { outcome: result, consumed: used }, `slices of ${slice}`);
			}
			for (const given of [0n, used / 3n, used / 2n]) {
				const ends = [1n, 5n, 50n, GIVEN].map((slice) => run(given, slice));
				assert.equal(ends[0]?.outcome, "unreachable", `${given} given`);
				for (const end of ends) assert.deepEqual(end, ends[0]);
			}
		});
	}

	for (const [name, body, count] of [
		["nothing", ``, 0],
		["what is free", `nop block end (loop) (drop (i32.const 0)) return`, 1],
		[
			"an if that is taken",
			`(if (i32.const 1) (then (drop (i32.const 1))) (else (drop (i32.add (i32.const 1) (i32.const 1)))))`,
			3,
		],
		[
			"an if that is not",
			`(if (i32.const 0) (then (drop (i32.const 1))) (else (drop (i32.add (i32.const 1) (i32.const 1)))))`,
			5,
		],
		["a block that is left", `(block $b (br_if $b (i32.const 1)) (drop (i32.const 1)))`, 2],
		["what is behind it", `(block $b (br_if $b (i32.const 1)) (drop (i32.const 1))) (drop (i32.const 1))`, 3],
		["what an inner branch skips", `(block $a (block $b (br $a)) (drop (i32.const 1)))`, 1],
		[
			"a loop of three turns",
			`(local $i i32) (loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3))))`,
			21,
		],
		["a call", `(call $g (i32.const 3))`, 4],
		["a call that throws", `(block $h (try_table (catch_all $h) (call $t) (drop (i32.const 1))))`, 2],
		["a call that does not", `(block $h (try_table (catch_all $h) (call $g (i32.const 3)) (drop (i32.const 1))))`, 5],
		["a legacy try", `try call $t drop (i32.const 1) catch_all (drop (i32.const 2)) end`, 3],
	] as const) {
		test(`counts ${name}: ${count}`, async () => {
			const engine = new TestEngine();
			const tag = /\$t\b/.test(body) ? `(tag $e) (func $t (throw $e))` : "";
			const { f } = await engine.load(
				`(module ${tag} (func $g (param i32) (drop (i32.eqz (local.get 0)))) (func (export "f") ${body.replace("drop (i32.const 1) catch_all", "(drop (i32.const 1)) catch_all")}))`,
				"fuel",
			);
			engine.fuel = 1000n;
			f();
			assert.equal(1000n - engine.fuel, BigInt(count));
		});
	}

	for (const [what, body, used] of [
		["a call has written", `(call $h) (loop $l (call $turn) (br $l))`, 1 + 5 * 2 + 4 * 7],
		[
			"nothing has written",
			`(loop $l (drop (i32.div_u (i32.const 1) (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (br $l))`,
			0,
		],
		// The first call, and what surely follows it: the two others, a constant, and the first run of one of them
		[
			"a call of an import has written, not what functions with the fuel as a value have used",
			`(call $h) (call $spin) (call $deep (i32.const 10))`,
			1 + 3 + 5,
		],
		["`unreachable` writes", `(drop (i32.const 1)) (drop (i32.const 1)) (unreachable)`, 2],
	] as const) {
		test(`at a trap is what ${what} before, however often it had to ask`, async () => {
			const text = `(module (import "" "h" (func $h)) (global $n (mut i32) (i32.const 5))
				(func $turn (export "turn") (global.set $n (i32.sub (global.get $n) (i32.const 1)))
					(drop (i32.div_u (i32.const 1) (global.get $n))))
				(func $spin (local i32)
					(loop $l (br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 1000)))))
				(func $deep (param i32) (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1))))
					(else (drop (i32.div_u (i32.const 1) (local.get 0))))))
				(func (export "f") (param i32) ${body}))`;
			const counts: bigint[] = [];
			for (const slice of [1000n, 3n]) {
				const engine = new TestEngine();
				let handed = slice;
				engine.poll = () => {
					while (engine.fuel < 0n) {
						engine.fuel += slice;
						handed += slice;
					}
					return 0;
				};
				const { f } = await engine.load(text, "fuel", { "": { h: () => 0 } });
				engine.fuel = slice;
				assert.throws(() => f(9), WebAssembly.RuntimeError);
				counts.push(handed - engine.fuel);
			}
			assert.equal(counts[0], counts[1]);
			assert.equal(counts[0], BigInt(used));
		});
	}

	test("functions that are called by name alone are paid by their callers, at the entry of what others can call", async () => {
		const text = `(module (func $leaf (param i32) (result i32) (i32.mul (local.get 0) (local.get 0)))
			(func $fib (param i32) (result i32)
				(if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (call $leaf (local.get 0)))
					(else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
			(func (export "f") (param i32) (result i32) (call $fib (local.get 0))))`;
		const original = decodeModule(await parse(text));
		const metered = meterModule(original, surveyCode(original), "fuel", undefined, undefined);
		const { prepaid = [], pure = [] } = metered?.ledger ?? {};
		assert.deepEqual([...pure], [1, 0, 0]);
		// Of an `if` the condition and what both arms cost: the leaf's three, its call and its operand
		assert.deepEqual([...prepaid], [3, 9, 0]);
		const engine = new TestEngine();
		const { f } = engine.instantiate(await parse(text), "fuel");
		engine.fuel = 10_000n;
		assert.equal(f(7), 13);
		const calls = 41n;
		const leaves = 21n;
		assert.equal(10_000n - engine.fuel, 2n + calls * 4n + leaves * 5n + (calls - leaves) * 9n);
	});
});

suite("the table of the engine's functions", () => {
	for (const metering of ["yield", "fuel"] as const) {
		test(`${metering} takes the one that another pass has added`, async () => {
			const text = `(module (table 1 funcref) (func (export "f") (loop $l (br $l))))`;
			const { module, host } = addHostTable(decodeModule(await parse(text)));
			const original = encodeModule(module);
			const metered = meterModule(module, surveyCode(module), metering, host, undefined);
			assert.ok(metered !== undefined);
			assert.equal(metered.host, host);
			const rewritten = encodeModule(metered.module);
			const { contracts } = metered;
			verifyRewriting(original, rewritten, { metering, hostTable: host.table, contracts });
			assert.throws(() => verifyRewriting(original, rewritten, { metering, hostTable: 0, contracts }), {
				message: /slow path is another/,
			});
			assert.deepEqual(
				[metered.module.tables.length, metered.module.types.length, module.types.length],
				[2, module.types.length + 1, 6],
			);
			assert.ok(WebAssembly.validate(rewritten));
		});
	}

	test("is exported under a name that the guest does not use", async () => {
		const bytes = await parse(`(module (func (export "skerry:host") (loop $l (br $l))))`);
		assert.equal(rewriteModule(bytes, 0, { metering: "yield", verify: true }).exports.host, "skerry:host'");
		assert.equal(rewriteModule(bytes, 0, { metering: "trap", verify: true }).exports.host, undefined);
	});

	for (const [what, fields, code] of [
		["a table", `(func (loop) (table.set 0 (i32.const 0) (ref.null func)))`, "core/invalid"],
		["a function", `(func (loop) (call 1))`, "core/invalid"],
		["a local", `(func (loop (drop (local.get 0))))`, "engine/verification"],
	] as const) {
		test(`a guest that names ${what} of the engine's is refused`, async () => {
			const bytes = await parse(`(module ${fields})`);
			assert.throws(() => rewriteModule(bytes, 0, { metering: "fuel", verify: true }), {
				code,
				message: /which the guest does not have|unknown (table|func)/,
			});
		});
	}
});

suite("hints and labels follow the code", () => {
	for (const metering of ["trap", "yield", "fuel"] as const) {
		test(metering, async () => {
			const plain = decodeModule(
				await parse(
					`(module (func $f (param i32) (block $a (loop $b (block $c (br_if $a (local.get 0)) ${"(nop)".repeat(40)} (br $b))))))`,
				),
			);
			const reader = new CodeReader(plain.code);
			reader.enter(0);
			while (reader.next() && reader.op !== OP["br_if"]);
			const hints = encodeBranchHints(new Map([[0, [{ offset: reader.start - reader.bodyStart, likely: true }]]]));
			const customs = [{ name: BRANCH_HINTS, bytes: hints, after: "function" } as const, ...plain.customs];
			const { bytes } = rewriteModule(encodeModule({ ...plain, customs }), 0, { metering, verify: true });
			const module = decodeModule(bytes);
			const found = decodeBranchHints(module.customs.find(({ name }) => name === BRANCH_HINTS)!.bytes)?.get(0);
			const walk = new CodeReader(module.code);
			walk.enter(0);
			const branches: unknown[] = [];
			const openers: number[] = [];
			while (walk.next()) {
				if (walk.op === OP["br_if"] || walk.op === OP["if"])
					branches.push({ offset: walk.start - walk.bodyStart, likely: branches.length > 0 });
				if ([OP.block, OP.loop, OP.if].includes(walk.op)) openers.push(walk.op);
			}
			assert.deepEqual(found, branches);
			assert.equal(branches.length, 2, "the check and the guest's own");
			const labels = decodeNameSection(module.customs.find(({ name }) => name === "name")!.bytes).labels.get(0);
			// With fuel there is a block around all of it
			const b = { trap: 1, yield: 4, fuel: 5 }[metering];
			assert.deepEqual(
				[...(labels ?? [])],
				[
					[metering === "fuel" ? 1 : 0, "a"],
					[b, "b"],
					[metering === "trap" ? 3 : b + 1, "c"],
				],
			);
			assert.equal(openers[b], OP.loop);
			assert.ok(WebAssembly.validate(bytes));
		});
	}
});
