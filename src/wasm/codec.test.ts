import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { decodeBranchHints, encodeBranchHints } from "./branch-hints.ts";
import { Writer } from "../bytes/mod.ts";
import { checkCode } from "./code-check.ts";
import { decodeModule, encodeModule } from "./codec.ts";
import * as limits from "./limits.ts";
import type { Module } from "./module.ts";
import { countImports } from "./module.ts";
import { decodeNameSection, encodeNameSection } from "./names.ts";
import { OP } from "./operators.ts";
import { V8 } from "./v8.fixture.ts";

const PREAMBLE = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/** A module of sections given as id and content. */
function binary(...sections: readonly (readonly [number, ...number[]])[]): Uint8Array {
	const bytes = [...PREAMBLE];
	for (const [id, ...content] of sections) bytes.push(id, content.length, ...content);
	return Uint8Array.from(bytes);
}

const anew = (module: Module): Uint8Array => encodeModule({ ...module, source: new Map() });

const EVERYTHING = `(module $m
	(rec (type $s (sub (struct (field $f (mut i32)) (field (ref null $a)))))
		(type $a (array (mut i8))) (type $t (sub $s (struct (field (mut i32)) (field (ref null $a)) (field i16)))))
	(type $v (func)) (type $b (func (param i32 v128) (result externref (ref i31))))
	(import "env" "f" (func $f (type $v)))
	(import "env" "m" (memory $m 1 2))
	(import "env" "g" (global $g i32))
	(import "env" "t" (tag $e))
	(memory i64 1 65536) (memory 1 1 shared)
	(table $tab 3 10 funcref) (table i64 1 anyref) (table 2 (ref i31) (ref.i31 (i32.const 4)))
	(tag $x (param i64))
	(global $h (mut i32) (i32.add (global.get $g) (i32.const -5)))
	(global f64 (f64.const nan:0x4)) (global v128 (v128.const i64x2 1 -1)) (global i64 (i64.const -9000000000))
	(global (ref null $s) (struct.new $s (i32.const 1) (array.new_fixed $a 2 (i32.const 1) (i32.const 2))))
	(export "f" (func $f)) (export "m" (memory 1)) (export "t" (table 0)) (export "g" (global 1)) (export "x" (tag 1))
	(start $f)
	(elem (i32.const 0) $f $k) (elem func $k) (elem declare func $f)
	(elem $el (table $tab) (i32.const 1) funcref (ref.func $f) (ref.null func)) (elem i31ref (ref.i31 (i32.const 1)))
	(func $k (local i32 i32 f64) (memory.init 1 $d (i64.const 0) (i32.const 0) (i32.const 1)))
	(data (i32.const 8) "abc") (data $d "passive") (data (memory 1) (i64.const 3) "\\ff"))`;

test("every section decodes to its model, and encodes from it", async () => {
	const bytes = await parse(EVERYTHING);
	assert.ok(V8.validate(bytes));
	const module = decodeModule(bytes, 1000);
	assert.deepEqual(countImports(module), { func: 1, table: 0, memory: 1, global: 1, tag: 1 });
	assert.deepEqual(
		module.types.map((group) => group.map(({ composite }) => composite.kind)),
		[["struct", "array", "struct"], ["func"], ["func"], ["func"]],
	);
	assert.deepEqual(module.imports[1], {
		module: "env",
		name: "m",
		type: { kind: "memory", limits: { minimum: 1n, maximum: 2n, shared: false, index: "i32" } },
	});
	assert.deepEqual(module.functions, [3]);
	assert.deepEqual(
		module.memories.map(({ limits }) => [limits.index, limits.shared, limits.minimum, limits.maximum]),
		[
			["i64", false, 1n, 65536n],
			["i32", true, 1n, 1n],
		],
	);
	assert.deepEqual(module.tables[2]?.init, [
		{ op: OP["i32.const"], immediates: [4] },
		{ op: OP["ref.i31"], immediates: [] },
	]);
	assert.deepEqual(module.globals[0], {
		type: { kind: "global", type: { kind: "number", name: "i32" }, mutable: true },
		init: [
			{ op: OP["global.get"], immediates: [0] },
			{ op: OP["i32.const"], immediates: [-5] },
			{ op: OP["i32.add"], immediates: [] },
		],
	});
	assert.deepEqual(module.globals[3]?.init[0]?.immediates, [-9000000000n]);
	assert.deepEqual(module.exports[4], { name: "x", kind: "tag", index: 1 });
	assert.equal(module.start, 0);
	assert.deepEqual(
		module.elements.map(({ mode, items }) => [mode.kind, items.kind]),
		[
			["active", "functions"],
			["passive", "functions"],
			["declared", "functions"],
			["active", "expressions"],
			["passive", "expressions"],
		],
	);
	assert.equal(module.dataCount, true);
	assert.deepEqual(
		module.data.map(({ target, bytes }) => [target?.memory ?? null, Buffer.from(bytes).toString("latin1")]),
		[
			[0, "abc"],
			[null, "passive"],
			[1, "\xff"],
		],
	);
	assert.equal(checkCode(module), 5);
	assert.deepEqual(
		module.customs.map(({ name, after }) => [name, after]),
		[["name", "data"]],
	);
	assert.deepEqual(encodeModule(module), bytes);
	// One element segment names table 0, which the encoder leaves out
	assert.equal(anew(module).length, bytes.length - 2);
	assert.deepEqual(
		{ ...decodeModule(anew(module), 1000), source: null, code: null },
		{ ...module, source: null, code: null },
	);
	assert.ok(V8.validate(anew(module)));
});

test("sections that a pass leaves alone are copied, the others encoded", () => {
	// A type section whose count is longer than it need be, and a start section
	const bytes = binary([1, 0x81, 0, 0x60, 0, 0], [3, 0x81, 0, 0], [8, 0], [10, 1, 2, 0, 0x0b]);
	const module = decodeModule(bytes);
	assert.deepEqual(encodeModule(module), bytes);
	assert.deepEqual(
		encodeModule({ ...module, functions: [...module.functions] }),
		binary([1, 0x81, 0, 0x60, 0, 0], [3, 1, 0], [8, 0], [10, 1, 2, 0, 0x0b]),
	);
	assert.deepEqual(anew(module), binary([1, 1, 0x60, 0, 0], [3, 1, 0], [8, 0], [10, 1, 2, 0, 0x0b]));
});

test("custom sections keep their places", () => {
	const custom = (letter: string): readonly [number, ...number[]] => [0, 1, letter.charCodeAt(0), 7];
	const bytes = binary(custom("a"), [1, 1, 0x60, 0, 0], custom("b"), custom("c"), [5, 1, 0, 1], custom("d"));
	const module = decodeModule(bytes);
	assert.deepEqual(
		module.customs.map(({ name, after }) => [name, after]),
		[
			["a", null],
			["b", "type"],
			["c", "type"],
			["d", "memory"],
		],
	);
	assert.deepEqual(anew(module), bytes);
	assert.deepEqual(
		encodeModule({ ...module, memories: [], customs: module.customs.slice(2) }),
		binary([1, 1, 0x60, 0, 0], custom("c"), custom("d")),
	);
});

test("legacy exception handling, which V8 accepts beside the present one", async () => {
	const bytes = await parse(`(module (tag $e (param i32)) (func (export "run") (param i32) (result i32)
		try (result i32)
			try (result i32) local.get 0 throw $e catch_all rethrow 0 end
			try (result i32) i32.const 1 delegate 0
			i32.add
		catch $e i32.const 100 i32.add
		catch_all i32.const 0
		end))`);
	assert.ok(V8.validate(bytes));
	const module = decodeModule(bytes);
	assert.equal(checkCode(module), 18);
	assert.deepEqual(anew(module), bytes);
	assert.equal(new V8.Instance(new V8.Module(anew(module)), {}).exports["run"]?.(5), 105);
});

test("limits: the last that is allowed, and one more", () => {
	const leb = (value: number): number[] => [...new Writer().u32(value).finish()];
	const section = (id: number, content: readonly number[]): Uint8Array =>
		new Writer()
			.raw(binary())
			.section(id, new Writer().raw(Uint8Array.from(content)))
			.finish();
	const fill = (count: number, item: readonly number[]): number[] =>
		Array.from({ length: count * item.length }, (_, i) => item[i % item.length] ?? 0);
	const cases: readonly [what: string, limit: number, of: (count: number) => Uint8Array][] = [
		["parameters", limits.MAX_FUNCTION_PARAMS, (n) => section(1, [1, 0x60, ...leb(n), ...fill(n, [0x7f]), 0])],
		["results", limits.MAX_FUNCTION_RESULTS, (n) => section(1, [1, 0x60, 0, ...leb(n), ...fill(n, [0x7f])])],
		["fields", limits.MAX_STRUCT_FIELDS, (n) => section(1, [1, 0x5f, ...leb(n), ...fill(n, [0x7f, 0])])],
		["tables", limits.MAX_TABLES, (n) => section(4, [...leb(n), ...fill(n, [0x70, 0, 0])])],
		["memories", limits.MAX_MEMORIES, (n) => section(5, [...leb(n), ...fill(n, [0, 0])])],
		["data segments", limits.MAX_DATA_SEGMENTS, (n) => section(11, [...leb(n), ...fill(n, [1, 0])])],
		["element segments", limits.MAX_ELEMENT_SEGMENTS, (n) => section(9, [...leb(n), ...fill(n, [1, 0, 0])])],
	];
	for (const [what, limit, of] of cases) {
		const atLimit = decodeModule(of(limit));
		assert.deepEqual(encodeModule(atLimit).length, of(limit).length, what);
		assert.throws(() => decodeModule(of(limit + 1)), { code: "binary/limit" }, what);
	}
});

const BODY_OF = (...instructions: readonly number[]): Uint8Array =>
	binary([1, 1, 0x60, 0, 0], [3, 1, 0], [10, 1, instructions.length + 1, 0, ...instructions]);

test("what is malformed is refused with a code and where it is", () => {
	const cases: readonly [string, Uint8Array, string, number, RegExp][] = [
		["not wasm", Uint8Array.of(1, 2, 3, 4), "binary/not-wasm", 0, /magic header/],
		["a component", Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0), "binary/component", 0, /found a component/],
		[
			"another version",
			Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0),
			"binary/malformed",
			0,
			/unknown binary version/,
		],
		["an unknown section", binary([14, 0]), "binary/malformed", 8, /section id/],
		["sections out of order", binary([3, 0], [1, 0]), "binary/malformed", 11, /out of order/],
		["a section that is longer than its items", binary([1, 0, 0]), "binary/malformed", 11, /section size mismatch/],
		["more items than bytes", binary([1, 0xff, 0x7f]), "binary/truncated", 10, /do not fit/],
		["types without end", binary([1, 0xff, 0xff, 0xff, 0xff, 0x0f]), "binary/limit", 10, /exceed the limit/],
		["functions without code", binary([1, 1, 0x60, 0, 0], [3, 1, 0]), "binary/malformed", 18, /inconsistent lengths/],
		["fewer data segments than promised", binary([12, 1]), "binary/malformed", 11, /inconsistent lengths/],
		["an element kind", binary([9, 1, 1, 5, 0]), "binary/malformed", 12, /element kind/],
		["element flags", binary([9, 1, 8, 0]), "binary/malformed", 11, /elements segment kind/],
		["data flags", binary([11, 1, 3, 0]), "binary/malformed", 11, /data segment kind/],
		["a huge data segment", binary([11, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f]), "binary/truncated", 17, /a data segment/],
		["a huge function", binary([10, 1, 0xff, 0xff, 0xff, 0x7f]), "binary/limit", 11, /exceeds the limit/],
		["a body past the end", binary([10, 1, 9, 0]), "binary/truncated", 13, /function body/],
		["a table of numbers", binary([4, 1, 0x7f, 0, 1]), "binary/malformed", 11, /reference type/],
		["an initial value without end", binary([6, 1, 0x7f, 0, 0x41]), "binary/truncated", 14, /unexpected end/],
		["an illegal opcode", BODY_OF(0xff, 0x0b), "binary/malformed", 23, /illegal opcode 0xff/],
		[
			"an illegal opcode behind a prefix",
			BODY_OF(0xfc, 0x20, 0x0b),
			"binary/malformed",
			23,
			/illegal opcode 0xfc 0x20/,
		],
		["a body without end", BODY_OF(0x01), "binary/malformed", 23, /END opcode expected/],
		["an empty body", binary([1, 1, 0x60, 0, 0], [3, 1, 0], [10, 1, 0]), "binary/truncated", 22, /count of locals/],
		["a block without end", BODY_OF(0x02, 0x40, 0x0b), "binary/malformed", 25, /END opcode expected/],
		["code behind the end", BODY_OF(0x0b, 0x01), "binary/malformed", 23, /behind the end/],
		["else without if", BODY_OF(0x05, 0x0b), "binary/malformed", 23, /no block is open/],
		["two elses", BODY_OF(0x04, 0x40, 0x05, 0x05, 0x0b, 0x0b), "binary/malformed", 26, /no block is open/],
		["catch without try", BODY_OF(0x07, 0, 0x0b), "binary/malformed", 23, /no block is open/],
		[
			"delegate behind a catch",
			BODY_OF(0x06, 0x40, 0x07, 0, 0x18, 0, 0x0b),
			"binary/malformed",
			27,
			/no block is open/,
		],
		["an index that ends the body", BODY_OF(0x20), "binary/truncated", 24, /in the middle of an item/],
		["an index too long", BODY_OF(0x20, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0x0b), "binary/malformed", 28, /too long/],
		["memory flags", BODY_OF(0x28, 0x80, 0x01, 0, 0x0b), "binary/malformed", 24, /memop flags/],
		["data without data count", BODY_OF(0xfc, 0x09, 0, 0x0b), "binary/malformed", 23, /data count section required/],
		["a br_table of many labels", BODY_OF(0x0e, 0xff, 0xff, 0x7f, 0x0b), "binary/limit", 24, /exceeds the limit/],
		["a br_table past the end", BODY_OF(0x0e, 0x7f, 0, 0x0b), "binary/truncated", 27, /in the middle/],
		[
			"too many locals",
			binary([1, 1, 0x60, 0, 0], [3, 1, 0], [10, 1, 8, 2, 0xd0, 0x86, 3, 0x7f, 1, 0x7e, 0x0b]),
			"binary/limit",
			27,
			/too many locals/,
		],
	];
	for (const [what, bytes, code, offset, message] of cases) {
		const decode = (base: number): number => checkCode(decodeModule(bytes, base));
		assert.throws(() => decode(0), { code, message, place: { offset } }, what);
		assert.throws(() => decode(5000), { code, place: { offset: offset + 5000 } }, `${what}, within another binary`);
	}
});

test("names: every subsection", async () => {
	const text = `(module $mod (type $ty (struct (field $fi i32))) (import "" "" (func $imp))
		(table $tab 1 funcref) (memory $mem 1) (global $glo i32 (i32.const 0)) (tag $tag) (elem $ele func) (data $dat "")
		(func $fun (local $loc i32) (block $lab)))`;
	const [section] = decodeModule(await parse(text)).customs;
	assert.ok(section !== undefined);
	const names = decodeNameSection(section.bytes);
	assert.deepEqual(names, {
		module: "mod",
		functions: new Map([
			[0, "imp"],
			[1, "fun"],
		]),
		locals: new Map([[1, new Map([[0, "loc"]])]]),
		labels: new Map([[1, new Map([[0, "lab"]])]]),
		types: new Map([[0, "ty"]]),
		tables: new Map([[0, "tab"]]),
		memories: new Map([[0, "mem"]]),
		globals: new Map([[0, "glo"]]),
		elements: new Map([[0, "ele"]]),
		data: new Map([[0, "dat"]]),
		fields: new Map([[0, new Map([[0, "fi"]])]]),
		tags: new Map([[0, "tag"]]),
	});
	assert.deepEqual(encodeNameSection(names), section.bytes);
	// What is malformed is left out: here the last subsections
	assert.deepEqual(decodeNameSection(section.bytes.subarray(0, 30)).tags, new Map());
});

test("branch hints", () => {
	const bytes = Uint8Array.of(2, 1, 2, 5, 1, 0, 9, 1, 1, 4, 1, 3, 1, 1);
	const hints = new Map([
		[
			1,
			[
				{ offset: 5, likely: false },
				{ offset: 9, likely: true },
			],
		],
		[4, [{ offset: 3, likely: true }]],
	]);
	assert.deepEqual(decodeBranchHints(bytes), hints);
	assert.deepEqual(encodeBranchHints(new Map([...hints].toReversed())), bytes);
	assert.equal(decodeBranchHints(bytes.subarray(0, 7)), null);
	assert.equal(decodeBranchHints(Uint8Array.of(1, 0, 1, 5, 2, 0, 0)), null);
});
