import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CodeReader, decodeModule } from "../../wasm/mod.ts";
import { findSegments } from "./segments.ts";

const zero = "(i32.eqz (local.get 0))";
const down = "(local.set 0 (i32.sub (local.get 0) (i32.const 1)))";

/** Bodies, what is paid in each of their runs, and at branches. `zero` costs 2, `down` 4, a branch 1. */
const BODIES: readonly (readonly [
	name: string,
	body: string,
	paid: readonly number[],
	branches: readonly number[],
	withHandlers?: readonly number[],
])[] = [
	["a loop that is left at its end", `(loop $l ${down} (br_if $l ${zero}))`, [0, 7, 0], []],
	[
		"a loop that is left in its midst: one payment in each turn",
		`(block $b (loop $l (br_if $b ${zero}) ${down} (br $l)))`,
		[3, 0, 8, 0],
		[],
	],
	[
		"two ways out, and what follows them: at the second, the rest of the turn is given back",
		`(block $b (loop $l (br_if $b ${zero}) ${down} (br_if $b ${zero}) ${down} (br $l))) ${down}`,
		[7, 0, 15, 0, 0],
		[-8],
		[7, 0, 7, 8, 0],
	],
	["a way out to a return", `(loop $l (block $c (br_if $c ${zero}) ${down} return) ${down} (br $l))`, [7, 0, 0, 8], []],
	[
		"a way out from a block within, behind which the turn goes on",
		`(block $b (loop $l (block $c (br_if $b ${zero}) ${down}) ${down} (br $l)))`,
		[3, 0, 12, 0],
		[],
	],
	[
		"a branch in an arm is a way out",
		`(block $b (loop $l (if ${zero} (then ${down} (br $b))) ${down} (br $l)))`,
		[8, 0, 0, 8, 0],
		[],
	],
	[
		"of two arms one pays",
		`(block $b (loop $l (if ${zero} (then (br_if $b ${zero}) ${down}) (else ${down})) (br $l)))`,
		[6, 0, 0, 11, 8, 0, 0],
		[],
	],
	[
		"the longer of two arms pays the difference",
		`(if ${zero} (then ${down} ${down}) (else ${down})) ${down}`,
		[11, 4, 0, 0],
		[],
	],
	[
		"of the ways of a table that pays nothing to which most labels lead",
		`(block $a (block $b (block $c (br_table $c $b $b $b $c (local.get 0))) ${down} ${down} (br $a)) ${down})`,
		[6, 5, 0, 0],
		[],
	],
	["an arm alone", `(if ${zero} (then ${down})) ${down}`, [7, 4, 0], []],
	[
		"two loops are left",
		`(block $b (loop $o (loop $l (br_if $b ${zero}) ${down} (br_if $l ${zero})) ${down} (br $o)))`,
		[3, 0, 0, 10, 5, 0],
		[],
	],
	[
		"a branch with a value",
		`(drop (block $b (result i32) (loop $l (drop (br_if $b (local.get 0) ${zero})) ${down} (br $l)) (unreachable)))`,
		[4, 0, 9, 0],
		[],
	],
	[
		"a call in a turn: no more is paid ahead behind it than what will run",
		`(block $b (loop $l (br_if $b ${zero}) ${down} (call $f) (br_if $b ${zero}) ${down} (br $l)))`,
		[3, 0, 8, 8, 0],
		[],
		[3, 0, 5, 3, 8, 0],
	],
	[
		"ways to a trap need not have paid the same",
		`(block $t (br_if $t ${zero}) ${down} (br_if $t ${zero}) ${down} return) ${down} unreachable`,
		[14, 0, 0, 4],
		[],
		[7, 7, 0, 0],
	],
	["nothing comes to an end", `(loop $l ${down} (br_if $l ${zero}) (br $l))`, [0, 7, 1], []],
];

suite("segments", () => {
	for (const [name, body, costs, branches, withHandlers] of BODIES) {
		test(name, async () => {
			const module = decodeModule(await parse(`(module (func (param i32) ${body}) (func $f))`));
			const reader = new CodeReader(module.code);
			for (const throws of [false, true]) {
				reader.enter(0);
				const found = findSegments(reader, throws, () => 0);
				const paid = [...found.pairs].filter((_, i) => i % 2 === 1);
				const due = throws ? { paid: withHandlers ?? costs, branches: [] } : { paid: costs, branches };
				assert.deepEqual({ paid, branches: [...found.branches.values()] }, due);
			}
		});
	}
});
