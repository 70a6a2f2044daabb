import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Writer } from "../../bytes/mod.ts";
import { encodeOperator, OP } from "../../wasm/mod.ts";
import { COST } from "../metering/costs.ts";
import { Cursor } from "./cursor.ts";
import { costOf } from "./path-costs.ts";

suite("what an instruction costs", () => {
	test("is the same for the rewriter and the proof", () => {
		const wrong = Object.entries(OP).flatMap(([name, op]) => {
			const out = new Writer();
			encodeOperator(out, op);
			const cursor = new Cursor(out.finish());
			const first = cursor.byte();
			const found = costOf(first, cursor.done ? 0 : cursor.number());
			return found === COST[op] ? [] : [[name, COST[op], found]];
		});
		assert.deepEqual(wrong, []);
		assert.deepEqual([COST[OP.throw], COST[OP["i32.load"]], COST[OP["i32.add"]]], [3_000, 250, 2]);
	});
});
