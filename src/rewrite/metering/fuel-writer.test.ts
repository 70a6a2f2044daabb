import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CodeReader, decodeModule, OP } from "../../wasm/mod.ts";
import { rewriteModule } from "../rewrite.ts";
import { surveyCode } from "../survey.ts";
import { CodeEditor } from "./code-editor.ts";
import { insertFuel } from "./fuel.ts";

/** Blocks of each kind, all of which are reached: a loop with a call in it, and one that has its slow path outside. */
const OF_ALL_KINDS = `(module (memory 1) (func $g (export "g")) (func (export "f") (param i32)
	(block (br_if 0 (local.get 0)) (nop))
	(loop (call $g) (br_if 0 (local.get 0)))
	(loop (local.set 0 (i32.sub (local.get 0) (i32.const 1))) ${"(drop (i32.load (local.get 0)))".repeat(20)} (br_if 0 (local.get 0)))
	(loop (loop (nop) (br_if 0 (local.get 0))) (br_if 0 (local.get 0)))
	(if (local.get 0) (then (nop)) (else (nop)))
	(nop) (nop)))`;

/** What only checks have: the slow path, as no other function is called by this number. */
const SLOW = 99;

test("wherever a check is to be there is one, and where the next is to be, too", async () => {
	const module = decodeModule(await parse(OF_ALL_KINDS));
	const reader = new CodeReader(module.code);
	const countChecks = (sites: readonly number[]): number => {
		const editor = new CodeEditor(module.code, 0, new Map(), new Map());
		insertFuel(module, surveyCode(module), [undefined, sites], editor, { memory: 1, slow: SLOW, throws: false });
		const rewritten = new CodeReader(editor.finish().code);
		rewritten.enter(1);
		let count = 0;
		while (rewritten.next()) if (rewritten.op === OP.call && rewritten.first === SLOW) count++;
		return count;
	};
	reader.enter(1);
	/** Behind each instruction, and whether a loop begins there, which has a check already. */
	const places = new Map([[reader.codeStart, false]]);
	while (reader.next()) if (reader.end < (module.code.ends[1] as number)) places.set(reader.end, reader.op === OP.loop);
	const last = Math.max(...places.keys());
	places.delete(last);
	const loops = [...places.values()].filter((isLoop) => isLoop).length;
	assert.equal(loops, 4);
	assert.equal(countChecks([]), loops);
	assert.equal(countChecks([last]), loops + 1);
	for (const [place, isLoop] of places)
		assert.equal(countChecks([place, last]), loops + (isLoop ? 1 : 2), `at ${place}`);
});

test("many values that leave the function right behind a loop's head, and much to run behind that", async () => {
	const [more, many] = [1000, 999].map((count) => "i32 ".repeat(count));
	const calls = `(func (call $f) ${"(drop)".repeat(999)})`.repeat(20);
	const bytes = await parse(`(module (memory 1) (type $more (func (param ${more}) (result ${many})))
		(func $f (result ${many}) ${"(i32.const 0)".repeat(1000)}
			(loop (type $more) br_if 1 ${"(drop (i32.load (i32.const 0)))".repeat(4_000)}))
		${calls})`);
	for (const metering of ["trap", "yield", "fuel"] as const)
		assert.doesNotThrow(() => rewriteModule(bytes, 0, { metering, verify: true }), metering);
});
