import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CodeReader, decodeModule } from "../../wasm/mod.ts";
import { findSegments } from "./segments.ts";

const zero = "(i32.eqz (local.get 0))";
const down = "(local.set 0 (i32.sub (local.get 0) (i32.const 1)))";

/** Bodies, what their segments cost, and what is given back at branches. `zero` costs 2, `down` 4, a branch 1. */
const BODIES: readonly (readonly [name: string, body: string, costs: readonly number[], refunds: readonly number[]])[] =
	[
		["a loop that is left at its end", `(loop $l ${down} (br_if $l ${zero}))`, [0, 7, 0], []],
		["a loop that is left in its midst", `(block $b (loop $l (br_if $b ${zero}) ${down} (br $l)))`, [0, 8], [5]],
		[
			"two ways out, and what follows them",
			`(block $b (loop $l (br_if $b ${zero}) ${down} (br_if $b ${zero}) ${down} (br $l))) ${down}`,
			[4, 15],
			[12, 5],
		],
		[
			"a way out from a block within, behind which the turn goes on",
			`(block $b (loop $l (block $c (br_if $b ${zero}) ${down}) ${down} (br $l)))`,
			[0, 12],
			[9],
		],
		[
			"a branch in an arm: the other arm is paid for with what is before",
			`(block $b (loop $l (if ${zero} (then ${down} (br $b))) ${down} (br $l)))`,
			[0, 8, 5],
			[5],
		],
		[
			"what both arms cost is paid before",
			`(block $b (loop $l (if ${zero} (then (br_if $b ${zero}) ${down}) (else ${down})) (br $l)))`,
			[0, 8, 3, 0],
			[5],
		],
		[
			"a way out behind another branch in an arm",
			`(block $b (loop $l (if ${zero} (then (block $c (br_if $c ${zero})) (br_if $b ${zero}) ${down}) (else ${down})) (br $l)))`,
			[0, 8, 6, 0, 0],
			[5],
		],
		[
			"two loops are left",
			`(block $b (loop $o (loop $l (br_if $b ${zero}) ${down} (br_if $l ${zero})) ${down} (br $o)))`,
			[0, 0, 10, 0, 5],
			[7],
		],
		[
			"a branch with a value",
			`(drop (block $b (result i32) (loop $l (drop (br_if $b (local.get 0) ${zero})) ${down} (br $l)) (unreachable)))`,
			[0, 4, 5],
			[],
		],
		[
			"a way out of many blocks",
			`(block $b (loop $l ${"(block ".repeat(9)} (br_if $b ${zero}) ${")".repeat(9)} ${down} (br $l)))`,
			[0, 3, ...Array.from({ length: 9 }, () => 0), 5],
			[],
		],
		["a branch out of the function", `(loop $l (br_if 1 ${zero}) ${down} (br $l))`, [0, 3, 5], []],
		[
			"a branch that leaves no loop",
			`(loop $l (block $b (br_if $b ${zero}) ${down}) (br_if $l ${zero}))`,
			[0, 6, 4, 0],
			[],
		],
	];

suite("segments", () => {
	for (const [name, body, costs, refunds] of BODIES) {
		test(name, async () => {
			const module = decodeModule(await parse(`(module (func (param i32) ${body}))`));
			const reader = new CodeReader(module.code);
			reader.enter(0);
			const found = findSegments(reader, false, () => 0);
			const paid = [...found.pairs].filter((_, i) => i % 2 === 1);
			assert.deepEqual({ paid, refunds: [...found.refunds.values()] }, { paid: costs, refunds });
		});
	}

	test("where a handler may look, nothing is paid for what comes later", async () => {
		const body = `(block $b (loop $l (br_if $b ${zero}) ${down} (br $l)))`;
		const module = decodeModule(await parse(`(module (func (param i32) ${body}))`));
		const reader = new CodeReader(module.code);
		reader.enter(0);
		assert.deepEqual(findSegments(reader, true, () => 0).refunds, new Map());
	});
});
