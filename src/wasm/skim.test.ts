import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { assert as check, boolean, func, integer, property } from "fast-check";
import { SkerryError } from "../fault/mod.ts";
import { CodeReader } from "./code-reader.ts";
import { decodeModule } from "./codec.ts";
import { OPERATOR_LIMIT } from "./operators.ts";
import { defineSkim } from "./skim.ts";
import type { Code } from "./section/code.ts";

const SUITES = new URL("../../../shared/suites/", import.meta.url).pathname;
const skip = existsSync(SUITES) ? false : `test data absent: ${SUITES}`;

/** Each form of what follows an opcode: short, long, of another memory, with a prefix. */
const FORMS = `(module (memory 1) (memory 1) (table 1 funcref) (global $g (mut i32) (i32.const 0)) (func (param i64 f32 f64) (local i32)
	(local.set 3 (i32.const -64)) (local.set 3 (i32.const 64)) (local.set 3 (i32.const -2147483648)) (local.set 3 (i32.const 0x1234567))
	(local.set 0 (i64.const -9223372036854775808)) (local.set 0 (i64.const 5)) (local.set 1 (f32.const nan)) (local.set 2 (f64.const -inf))
	(i32.store offset=127 (i32.const 1) (i32.load offset=128 (i32.const 1))) (i32.store8 1 offset=70000 (i32.const 1) (i32.const 2))
	(i64.store offset=4294967295 (i32.const 1) (i64.load32_u align=1 (i32.const 0))) (block (br_if 0 (global.get $g))) (loop) nop
	(global.set $g (i32.trunc_sat_f32_s (local.get 1))) (drop (select (i32.const 1) (i32.const 2) (i32.const 3)))
	(drop (i8x16.extract_lane_s 3 (v128.const i64x2 1 2))) (call_indirect (i32.const 0)) (br_table 0 0 (i32.const 1))))`;

/** What a walk over a body comes to: what it saw, or the error that ended it. */
function outcomeOf(walk: () => unknown): unknown {
	try {
		return walk();
	} catch (error) {
		if (error instanceof SkerryError) return [error.code, error.message, error.place];
		throw error;
	}
}

const costOf = (op: number): number => (op * 7) % 11;
const COSTS = Uint16Array.from({ length: OPERATOR_LIMIT }, (_, op) => costOf(op));

/** Sees the wanted instructions, and what all cost, by looking at each; and by passing over the others. */
function compare(code: Code, body: number, isWanted: (op: number) => boolean): void {
	const seen = (reader: CodeReader): readonly number[] => [reader.op, reader.start, reader.end, reader.first];
	const each = outcomeOf(() => {
		const reader = new CodeReader(code);
		const items: (readonly number[])[] = [];
		let cost = 0;
		reader.enter(body);
		while (reader.next()) {
			cost += costOf(reader.op);
			if (isWanted(reader.op)) items.push(seen(reader));
		}
		return { items, cost };
	});
	const wanted = outcomeOf(() => {
		const reader = new CodeReader(code);
		const skim = defineSkim(isWanted, COSTS);
		const items: (readonly number[])[] = [];
		let cost = 0;
		reader.enter(body);
		for (;;) {
			const isThere = reader.nextOf(skim);
			cost += reader.passed;
			if (!isThere) return { items, cost };
			cost += costOf(reader.op);
			if (isWanted(reader.op)) items.push(seen(reader));
		}
	});
	assert.deepEqual(wanted, each);
}

suite("instructions that are passed over", () => {
	test("are those that nobody wants, whatever their form; what they cost is told", async () => {
		const { code } = decodeModule(await parse(FORMS));
		check(
			property(func<[number], boolean>(boolean()), (isWanted) => compare(code, 0, isWanted)),
			{ numRuns: 300 },
		);
	});

	test("are decoded as strictly: any byte may be another, and the body may end anywhere", async () => {
		const { code } = decodeModule(await parse(FORMS));
		const end = code.ends[0] as number;
		check(
			property(
				integer({ min: code.starts[0] as number, max: end - 1 }),
				integer({ min: 0, max: 255 }),
				integer({ min: 0, max: 4 }),
				func<[number], boolean>(boolean()),
				(at, byte, cut, isWanted) => {
					const bytes = code.bytes.slice();
					bytes[at] = byte;
					compare({ ...code, bytes, ends: Uint32Array.of(end - cut) }, 0, isWanted);
				},
			),
			{ numRuns: 3000 },
		);
	});

	test("real programs", { skip }, () => {
		const files = globSync(`${SUITES}sightglass/shootout/*.wasm`).sort();
		assert.ok(files.length > 10);
		for (const file of files) {
			const { code } = decodeModule(new Uint8Array(readFileSync(file)));
			for (const body of code.starts.keys()) compare(code, body, (op) => op < 0x20);
		}
	});
});
