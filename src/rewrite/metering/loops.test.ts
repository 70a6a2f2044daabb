import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CodeReader, decodeModule } from "../../wasm/mod.ts";
import { meterBinary } from "../rewrite.ts";
import { countParams } from "./control.ts";
import { TestEngine } from "./engine.fixture.ts";
import { LoopFinder } from "./loops.ts";

const step = "(local.tee 0 (i32.sub (local.get 0) (i32.const 1)))";
const inner = `(loop $i (br_if $i ${step}))`;
const call = "(call $g)";

/** What a deep nest of blocks ends with does not come back either. */
const nest = (depth: number, body: string): string =>
	depth === 0 ? body : `(loop $l${depth} ${nest(depth - 1, body)} (br_if $l${depth} ${step}))`;

/** The loop and the block, both empty, that stand around an outlined loop. */
const OUTLINE = "03400240";

/** Loops, and which of them have their slow path outside. */
const BODIES: readonly (readonly [name: string, body: string, outlined: readonly number[]])[] = [
	["a loop", inner, [1]],
	["a loop that calls", `(loop $l ${call} (br_if $l ${step}))`, [0]],
	["a loop that grows a memory", `(loop $l (drop (memory.grow (i32.const 0))) (br_if $l ${step}))`, [0]],
	["a call where it is left", `(loop $l (br_if $l ${step}) ${call})`, [1]],
	["a call before a return", `(loop $l (if (local.get 1) (then ${call} (return))) (br_if $l ${step}))`, [1]],
	["a call before its end", `(loop $l (if (local.get 1) (then ${call} (unreachable))) (br_if $l ${step}))`, [1]],
	[
		"a call before a branch out",
		`(block $b (loop $l (if (local.get 1) (then ${call} (br $b))) (br_if $l ${step})))`,
		[1],
	],
	["a call in an arm", `(loop $l (if (local.get 1) (then ${call})) (br_if $l ${step}))`, [0]],
	[
		"a call in the other arm",
		`(loop $l (if (local.get 1) (then (br_if $l ${step})) (else ${call} (br_if $l ${step}))))`,
		[0],
	],
	["a call behind a table", `(loop $l (block $b (br_table $l $b ${step})) ${call})`, [1]],
	["a call before a table", `(loop $l (block $b ${call} (br_table $b $l ${step})))`, [0]],
	["a loop in a loop", `(loop $o ${inner} (br_if $o ${step}))`, [0, 1]],
	["a loop behind a loop, in it", `(loop $o (br_if $o ${step}) ${inner})`, [1, 1]],
	["a call in a loop behind a loop", `(loop $o (br_if $o ${step}) (loop $i ${call} (br_if $i ${step})))`, [1, 0]],
	["a turn of the outer from within", `(loop $o (loop $i (br_if $i ${step}) (br_if $o ${step}) ${call}))`, [0, 1]],
	["what is no loop, with a call, in a loop", `(loop $o (loop $i ${call}) (br_if $o ${step}))`, [0, 0]],
	["parameters", `(local.get 0) (loop $l (param i32) (drop) (drop (br_if $l ${step} ${step})))`, [0]],
	["a handler", `(loop $l (block $h (try_table (catch_all $h) ${call} (return))) (br_if $l ${step}))`, [0]],
	[
		"a handler in a loop behind a loop",
		`(loop $o (br_if $o ${step}) (loop $i (block $h (try_table (catch_all $h) ${call})) (br_if $i ${step})))`,
		[0, 0],
	],
	["a large loop", `(loop $l ${"(nop)".repeat(130)} (br_if $l ${step}))`, [0]],
	["a small loop with much behind", `(loop $l (br_if $l ${step}) ${"(nop)".repeat(130)})`, [1]],
	["deep nests", nest(40, inner), Array.from({ length: 41 }, () => 0)],
	["no loop at all", call, []],
];

const moduleOf = (body: string): Promise<Uint8Array> =>
	parse(`(module (memory 1) (func $g) (func (export "f") (param i32 i32) ${body}))`);

suite("loops with their slow path outside", () => {
	for (const [name, body, outlined] of BODIES) {
		test(name, async () => {
			const module = decodeModule(await moduleOf(body));
			const reader = new CodeReader(module.code);
			const loops: number[] = [];
			reader.enter(1);
			new LoopFinder(countParams(module)).find(reader, loops);
			assert.deepEqual(loops, outlined);
			for (const metering of ["yield", "fuel"] as const) new TestEngine().instantiate(await moduleOf(body), metering);
		});
	}

	// Small ones that do not count pay for their few turns more cheaply without
	const search = "(br_if $l (i32.load8_u (local.tee 0 (i32.add (local.get 0) (i32.const 1)))))";
	const count = "(br_if $l (i32.ne (local.get 1) (local.tee 0 (i32.add (local.get 0) (i32.const 1)))))";
	const turned = "(br_if $l (i32.ne (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (local.get 1)))";
	const FUELED: readonly (readonly [name: string, body: string, outlines: number])[] = [
		["a search", `(loop $l ${search})`, 0],
		["a search by long turns", `(loop $l ${"(nop)".repeat(40)} ${search})`, 1],
		["a count", `(loop $l ${turned})`, 1],
		["a count whose latch is another", `(loop $l ${count})`, 0],
		["both, the one behind the other", `(loop $l ${search}) (loop $l ${turned})`, 1],
		["a search in a count", `(loop $l (loop $i (br_if $i (i32.load8_u (local.get 1)))) ${turned})`, 0],
	];
	for (const [name, body, outlines] of FUELED) {
		test(`fuel: ${name}`, async () => {
			const { code } = decodeModule(meterBinary(await moduleOf(body), "fuel")?.bytes ?? new Uint8Array());
			const bytes = Buffer.from(code.bytes.subarray(code.starts[1], code.ends[1]));
			assert.equal(bytes.toString("hex").split(OUTLINE).length - 1, outlines);
			new TestEngine().instantiate(await moduleOf(body), "fuel");
		});
	}

	for (const metering of ["yield", "fuel"] as const) {
		test(`${metering}: branches out of loops that are outlined in each other lead where they led`, async () => {
			const engine = new TestEngine();
			engine.fuel = 1000n;
			// Six ways out of the inner loop, by the remainder of each number
			const { f } = await engine.load(
				`(module (func (export "f") (param i32) (result i32)
					(block $x (result i32)
						(block $y
							(loop $o
								(if (i32.eqz (local.get 0)) (then (br $x (i32.const 10))))
								(br_if $o (i32.gt_u (local.tee 0 (i32.sub (local.get 0) (i32.const 6))) (i32.const 100)))
								(local.set 0 (i32.rem_u (i32.add (local.get 0) (i32.const 600)) (i32.const 6)))
								(loop $i
									(br_if $y (i32.eq (local.get 0) (i32.const 1)))
									(if (i32.eq (local.get 0) (i32.const 2)) (then (br $x (i32.const 12))))
									(if (i32.eq (local.get 0) (i32.const 3)) (then (return (i32.const 13))))
									(block $n (br_table $n $n $n $n $y $n (local.get 0)) )
									(br_if $i (i32.eq (local.tee 0 (i32.sub (local.get 0) (i32.const 1))) (i32.const 4)))))
							(br $x (i32.const 15)))
						(i32.const 14))))`,
				metering,
			);
			assert.deepEqual(
				[0, 126, 127, 128, 129, 130, 131].map((n) => f(n)),
				[10, 15, 14, 12, 13, 14, 14],
			);
		});
	}
});
