import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { before, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { array, assert as check, integer, nat, oneof, property, record } from "fast-check";
import { SkerryError } from "../fault/mod.ts";
import { decodeBranchHints } from "./branch-hints.ts";
import { checkCode } from "./code-check.ts";
import { decodeModule, encodeModule } from "./codec.ts";
import { decodeModuleInterface } from "./interface.ts";
import { decodeNameSection } from "./names.ts";
import { remapModule } from "./remap.ts";

const SUITES = new URL("../../../shared/suites/", import.meta.url).pathname;
const skip = existsSync(SUITES) ? false : `test data absent: ${SUITES}`;

/** Features that programs do not have; small, so that nearly every byte of it means something. */
const FEATURES = `(module $m
	(rec (type $s (sub (struct (field $f (mut i32)) (field (ref null $a))))) (type $a (array (mut i8))))
	(type $v (func)) (import "a" "b" (func $f (type $v))) (import "a" "m" (memory 1 2)) (tag $e (param i32))
	(table $t 2 (ref null func)) (table i64 1 i31ref) (table 1 (ref i31) (ref.i31 (i32.const 4))) (memory i64 1)
	(global (mut v128) (v128.const i64x2 1 -1)) (global i64 (i64.add (i64.const -9) (i64.const 0x123456789abc)))
	(export "x" (tag $e)) (start $f) (elem $el (i32.const 0) $f) (elem (table $t) (i32.const 0) (ref null $v) (ref.null $v))
	(func $k (local i32) (local (ref null $s))
		(block $h (result i32) (try_table (result i32) (catch $e $h) (catch_all 0) (i32.const 1)))
		(br_table 0 0 0 (i32.const 1)) (memory.init 1 $d (i64.const 0) (i32.const 0) (i32.const 1))
		(drop (struct.get $s $f (struct.new $s (i32.const 1) (array.new_fixed $a 1 (i32.const 1)))))
		try (call $f) catch $e (drop) catch_all (rethrow 0) end
		(drop (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (v128.const i64x2 1 2) (v128.const i64x2 1 2)))
		(drop (select (result i32) (i32.const 1) (i32.const 2) (i32.const 3)))
		(return_call_indirect $t (type $v) (i32.const 1)))
	(data $d "passive"))`;

let seeds: readonly Uint8Array[] = [];
before(async () => {
	const programs = globSync(`${SUITES}{sightglass,wasi-p1/core}/**/*.wasm`).sort();
	const small = programs.map((file) => new Uint8Array(readFileSync(file))).filter(({ length }) => length < 30_000);
	const features = await parse(FEATURES);
	// As often as all others together
	seeds = [...small, ...small.map(() => features)];
	assert.ok(small.length > 10);
});

const next = (index: number): number => (index + 1) % 0x1_0000_0000;

/** Runs everything that reads untrusted bytes: it may refuse, and nothing else. */
function outcomeOf(bytes: Uint8Array): string {
	const start = process.threadCpuUsage();
	let outcome = "accepted";
	try {
		const module = decodeModule(bytes);
		const anew = encodeModule({ ...module, source: new Map() });
		assert.ok(Buffer.compare(encodeModule({ ...decodeModule(anew), source: new Map() }), anew) === 0, "not stable");
		for (const { bytes } of module.customs) {
			decodeNameSection(bytes);
			decodeBranchHints(bytes);
		}
		checkCode(module);
		const moved = remapModule(module, { func: next, type: next, memory: next, tag: next, global: next });
		assert.equal(checkCode(decodeModule(encodeModule(moved))), checkCode(module));
		decodeModuleInterface(bytes);
	} catch (error) {
		if (!(error instanceof SkerryError)) throw error;
		assert.ok((error.place?.offset ?? -1) >= 0, `no offset: ${error.message}`);
		assert.ok((error.place?.offset ?? 0) <= bytes.length, `offset past the end: ${error.message}`);
		outcome = error.code;
	}
	const { user, system } = process.threadCpuUsage(start);
	assert.ok(user + system < 2_000_000, "too slow");
	return outcome;
}

test("mutated modules are refused or accepted, and nothing else", { skip }, () => {
	const seen = new Map<string, number>();
	// Bytes that begin long numbers, and any byte
	const byte = oneof(
		integer({ min: 0, max: 255 }),
		integer({ min: 0x7e, max: 0x82 }),
		integer({ min: 0xfa, max: 0xff }),
	);
	const mutation = record({
		seed: nat(),
		length: nat(),
		cut: integer({ min: 0, max: 9 }),
		edits: array(record({ at: nat(), byte }), { minLength: 1, maxLength: 4 }),
	});
	check(
		property(mutation, ({ seed, length, cut, edits }) => {
			const original = seeds[seed % seeds.length] ?? new Uint8Array();
			const bytes = original.slice(0, cut === 0 ? length % original.length : original.length);
			for (const { at, byte } of edits) bytes[at % bytes.length] = byte;
			const outcome = outcomeOf(bytes);
			seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
		}),
		{ numRuns: 3000 },
	);
	for (const outcome of ["accepted", "binary/malformed", "binary/truncated"]) {
		assert.ok((seen.get(outcome) ?? 0) > 100, `${outcome} is hardly reached: ${JSON.stringify([...seen])}`);
	}
});
