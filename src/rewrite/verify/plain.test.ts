import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { decodeModule } from "../../wasm/mod.ts";
import { Cursor } from "./cursor.ts";
import { Instructions, PLAIN } from "./instructions.ts";
import { PlainRun } from "./plain.ts";

const SIGHTGLASS = new URL("../../../../shared/suites/sightglass/", import.meta.url).pathname;
const skip = existsSync(SIGHTGLASS) ? false : `test data absent: ${SIGHTGLASS}`;

const COSTS = Uint16Array.from({ length: 256 }, (_, op) => (op * 7) % 11);
const PAID = Uint8Array.from({ length: 256 }, (_, op) => op % 2);

/** Behind the local declarations. */
function openBody(bytes: Uint8Array): Cursor {
	const cursor = new Cursor(bytes);
	for (let runs = cursor.number(); runs > 0; runs--) {
		cursor.skipNumber();
		cursor.skipType();
	}
	return cursor;
}

/** What a walk over a body finds: with runs passed at once, or without. */
function walk(body: Uint8Array, run: PlainRun | undefined): unknown {
	const cursor = openBody(body);
	const instructions = new Instructions(cursor, true);
	const others: unknown[] = [];
	let [cost, paid, highestLocal] = [0, 0, -1];
	for (;;) {
		if (run !== undefined) {
			run.highestLocal = -1;
			run.pass(cursor);
			cost += run.cost;
			paid += run.paid;
			highestLocal = Math.max(highestLocal, run.highestLocal);
		}
		if (cursor.done) break;
		const { at } = cursor;
		const kind = instructions.next();
		cost += COSTS[instructions.op] as number;
		paid += PAID[instructions.op] as number;
		if (kind !== PLAIN) others.push([kind, at, cursor.at, instructions.first, [...instructions.labels]]);
	}
	highestLocal = Math.max(highestLocal, instructions.highestLocal);
	const highestMemory = Math.max(instructions.highestMemory, run?.accesses === true ? 0 : -1);
	return { others, cost, paid, highestLocal, highestMemory, depth: instructions.depth };
}

/** Whatever is plain: short and long, with one memory and another, with a prefix. */
const FORMS = `(module (memory 1) (memory 1) (table 1 funcref) (global $g (mut i32) (i32.const 0)) (func (param i64 f32 f64) (local i32 i32)
	(local.set 3 (i32.const -64)) (local.set 4 (i32.const 64)) (local.set 3 (i32.const -2147483648)) nop
	(local.set 0 (i64.const -9223372036854775808)) (local.set 1 (f32.const nan)) (local.set 2 (f64.const -inf))
	(i32.store offset=127 (i32.const 1) (i32.load offset=128 (i32.const 1))) (i32.store8 1 offset=70000 (i32.const 1) (i32.const 2))
	(block (br_if 0 (global.get $g))) (global.set $g (i32.trunc_sat_f32_s (local.get 1))) (drop (ref.is_null (ref.null func)))
	(drop (select (i32.const 1) (i32.const 2) (i32.const 3))) (table.set (i32.const 0) (table.get (i32.const 0))) (call 0 (local.get 0) (local.get 1) (local.get 2))))`;

suite("runs of plain instructions", () => {
	const compare = (bytes: Uint8Array): void => {
		const { code } = decodeModule(bytes);
		for (const [i, start] of code.starts.entries()) {
			const body = code.bytes.subarray(start, code.ends[i]);
			assert.deepEqual(walk(body, new PlainRun({ costs: COSTS, paid: PAID })), walk(body, undefined));
		}
	};

	test("are passed as if each was looked at", async () => compare(await parse(FORMS)));

	test("many locals", async () => {
		const locals = `(local ${"i32 ".repeat(300)})`;
		compare(await parse(`(module (func ${locals} (local.set 127 (local.get 128)) (local.set 1 (local.get 299))))`));
	});

	test("real programs", { skip }, () => {
		const files = globSync(`${SIGHTGLASS}shootout/*.wasm`).sort();
		assert.ok(files.length > 10);
		for (const file of files) compare(new Uint8Array(readFileSync(file)));
	});

	for (const [name, bytes] of [
		["a number", [0x41, 0x80]],
		["an access", [0x28, 0x02]],
		["a constant", [0x44, 1, 2, 3]],
		["a local", [0x20]],
	] as const) {
		test(`${name} that ends behind its function is refused`, () => {
			const cursor = new Cursor(Uint8Array.from([...bytes, 0, 0, 0, 0, 0]), 0, bytes.length);
			assert.throws(() => new PlainRun().pass(cursor), { code: "engine/verification" });
		});
	}
});
