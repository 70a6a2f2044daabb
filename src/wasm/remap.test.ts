/** The walker, the writer and the remapping of indices, in the pass that they are made for: one more import in front. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { BRANCH_HINTS, decodeBranchHints, encodeBranchHints } from "./branch-hints.ts";
import { checkCode } from "./code-check.ts";
import { CodeReader } from "./code-reader.ts";
import { CodeWriter } from "./code-writer.ts";
import { decodeModule, encodeModule } from "./codec.ts";
import { countImports, type Module } from "./module.ts";
import { decodeNameSection } from "./names.ts";
import { OP } from "./operators.ts";
import { type IndexMaps, remapModule } from "./remap.ts";
import { V8 } from "./v8.fixture.ts";

const SIGHTGLASS = new URL("../../../shared/suites/sightglass/", import.meta.url).pathname;
const skip = existsSync(SIGHTGLASS) ? false : `test data absent: ${SIGHTGLASS}`;

/** One more import of a function, behind those that there are, with a type of its own in front of all others. */
function insertImport(module: Module): Module {
	const imported = countImports(module).func;
	const moved = remapModule(module, {
		func: (index) => (index < imported ? index : index + 1),
		type: (index) => index + 1,
	});
	return {
		...moved,
		types: [[{ final: true, supertypes: [], composite: { kind: "func", params: [], results: [] } }], ...moved.types],
		imports: [...moved.imports, { module: "skerry", name: "tick", type: { kind: "func", type: 0 } }],
	};
}

/** Takes it away again. */
function removeImport(module: Module): Module {
	const imported = countImports(module).func;
	return remapModule(
		{ ...module, types: module.types.slice(1), imports: module.imports.slice(0, -1) },
		{ func: (index) => (index < imported ? index : index - 1), type: (index) => index - 1 },
	);
}

/** The module with nothing left as it was written. */
function shortest(module: Module): Uint8Array {
	return encodeModule({ ...module, source: new Map() });
}

/** Calls the last import first thing in every function: an insertion into code that was remapped before. */
function tickOnEntry(module: Module): Module {
	const tick = countImports(module).func - 1;
	const reader = new CodeReader(module.code);
	const writer = new CodeWriter(module.code);
	for (let body = 0; body < module.functions.length; body++) {
		reader.enter(body);
		writer.begin(reader.bodyStart).insert(reader.codeStart).op(OP.call).out.u32(tick);
		while (reader.next());
		writer.finishBody(reader.end);
	}
	return { ...module, code: writer.finish() };
}

const PROGRAM = `(module
	(type $unary (func (param i32) (result i32)))
	(import "env" "log" (func $log (param i32)))
	(table funcref (elem $double $log2))
	(global $f (ref $unary) (ref.func $fac))
	(tag $e (param i32))
	(memory 1)
	(data "xyz")
	(func $double (type $unary) (i32.mul (local.get 0) (i32.const 2)))
	(func $log2 (type $unary) (call $log (local.get 0)) (call $double (local.get 0)))
	(func $fac (type $unary) (if (result i32) (local.get 0)
		(then (i32.mul (local.get 0) (call_ref $unary (i32.sub (local.get 0) (i32.const 1)) (global.get $f))))
		(else (i32.const 1))))
	(func (export "run") (param i32) (result i32) (local (ref null $unary))
		(local.set 1 (ref.func $fac))
		(call_indirect (type $unary) (local.get 0) (i32.const 1))
		(call_ref $unary (local.get 0) (local.get 1))
		(block $h (result i32) (try_table (result i32) (catch $e $h) (throw $e (call $double (i32.const 20)))))
		(i32.add (i32.add))
		(memory.init 0 (i32.const 0) (i32.const 0) (i32.const 3))
		(i32.add (i32.load8_u (i32.const 2))))
	(elem declare func $fac))`;

function run(
	bytes: Uint8Array,
	argument: number,
): { readonly result: number; readonly log: number[]; readonly ticks: number } {
	const log: number[] = [];
	let ticks = 0;
	const imports = { env: { log: (value: number) => log.push(value) }, skerry: { tick: () => ticks++ } };
	const { exports } = new V8.Instance(new V8.Module(bytes), imports);
	return { result: exports["run"]?.(argument) ?? Number.NaN, log, ticks };
}

test("a program with one more import behaves as before", async () => {
	const bytes = await parse(PROGRAM);
	const before = run(bytes, 5);
	// 2 · 5 from the table, 5!, 40 that was thrown, and the "z" of the data segment
	assert.deepEqual(before, { result: 10 + 120 + 40 + 122, log: [5], ticks: 0 });
	const module = insertImport(decodeModule(bytes));
	const inserted = encodeModule(module);
	assert.ok(V8.validate(inserted));
	assert.deepEqual(run(inserted, 5), before);
	// run, log2, double, fac of 5 down to 0, and double again
	assert.deepEqual(run(encodeModule(tickOnEntry(module)), 5), { ...before, ticks: 10 });
	assert.deepEqual(encodeModule(removeImport(decodeModule(inserted))), shortest(decodeModule(bytes)));
});

test("every index space is remapped, wherever its indices stand", async () => {
	const numbered = (n: number): string =>
		`(module
		(type (struct)) (type (func (param (ref null ${n}))))
		(import "" "f" (func (type 1))) (import "" "f" (func (type 1)))
		(table 1 funcref) (table 1 funcref)
		(memory 1) (memory 1)
		(tag) (tag)
		(global (mut i32) (i32.const 1)) (global i32 (i32.const 1)) (global i32 (global.get ${n}))
		(export "f" (func ${n})) (export "t" (table ${n})) (export "m" (memory ${n})) (export "g" (global ${n})) (export "x" (tag ${n}))
		(elem (table ${n}) (i32.const 0) func ${n}) (elem funcref (ref.func ${n})) (elem (ref null ${n}))
		(func (local (ref null ${n})) (local i32)
			call ${n} return_call ${n} ref.func ${n} global.get ${n} global.set ${n} table.get ${n}
			i32.load ${n} i64.store8 ${n} offset=70000 v128.load8_lane ${n} 3 i32.atomic.rmw.add ${n}
			memory.size ${n} memory.copy ${n} ${n} memory.init ${n} ${n} data.drop ${n} table.init ${n} ${n} elem.drop ${n}
			ref.null ${n} ref.test (ref ${n}) br_on_cast 0 (ref null ${n}) (ref ${n}) struct.new ${n} call_ref ${n}
			block (type ${n}) end loop (result (ref ${n})) end select (result (ref ${n}))
			try_table (catch ${n} 0) (catch_ref ${n} 0) (catch_all 0) end throw ${n}
			array.new_data ${n} ${n} array.init_elem ${n} ${n} call_indirect ${n} (type ${n})
			local.get 0 br_table 0 1 0)
		(data (memory ${n}) (i32.const 0) "a") (data "b"))`;
	const zero = decodeModule(await parse(numbered(0)));
	const one = await parse(numbered(1));
	const swap = (index: number): number => (index < 2 ? 1 - index : index);
	const spaces = ["func", "type", "table", "memory", "global", "tag", "data", "elem"] as const;
	const maps: IndexMaps = Object.fromEntries(spaces.map((space) => [space, swap]));
	const remapped = remapModule(zero, maps);
	// The import's own type is an index too, which the text does not vary
	const imports = decodeModule(one).imports;
	checkCode(remapped);
	assert.deepEqual(encodeModule({ ...remapped, imports, functions: zero.functions }), one);
	assert.deepEqual(
		remapped.imports.map(({ type }) => type.kind === "func" && type.type),
		[0, 0],
	);
});

test("names and branch hints follow the functions and the code", async () => {
	const plain = decodeModule(
		await parse(`(module $m (import "" "i" (func $i)) (func $pad (local $l i32))
			(func $f (param $p i32) (call $pad) (br_if 0 (local.get 0)) (call $pad) (if (local.get 0) (then))))`),
	);
	// Of the body: locals 0, call 1, local.get 3, br_if 5, call 7, local.get 9, if 11
	const hints = new Map([
		[
			2,
			[
				{ offset: 5, likely: true },
				{ offset: 11, likely: false },
			],
		],
	]);
	const custom = { name: BRANCH_HINTS, bytes: encodeBranchHints(hints), after: "function" } as const;
	// Indices of two bytes: all code behind a call moves
	const far = remapModule({ ...plain, customs: [custom, ...plain.customs] }, { func: (index) => index + 300 });
	const [moved, names] = far.customs;
	assert.ok(moved !== undefined && names !== undefined);
	assert.deepEqual(
		decodeBranchHints(moved.bytes),
		new Map([
			[
				302,
				[
					{ offset: 6, likely: true },
					{ offset: 13, likely: false },
				],
			],
		]),
	);
	const { module, functions, locals } = decodeNameSection(names.bytes);
	assert.deepEqual(
		{ module, functions, locals },
		{
			module: "m",
			functions: new Map([
				[300, "i"],
				[301, "pad"],
				[302, "f"],
			]),
			locals: new Map([
				[301, new Map([[0, "l"]])],
				[302, new Map([[0, "p"]])],
			]),
		},
	);
});

test("the walker tells immediates and where it is", async () => {
	const { code } = decodeModule(
		await parse(`(module (memory 1) (memory i64 1) (func (local i32 i32 f32)
			i32.const -3 i32.const 100000 i32.load8_u 1 offset=7 i64.load offset=0x123456789a br_table 2 1 0 block (type 0) end
			local.get 200 v128.load8_lane 1 offset=9 3 call_indirect 0 (type 0) i64.const -5 loop end))`),
		77,
	);
	const reader = new CodeReader(code);
	reader.enter(0);
	assert.deepEqual(reader.locals(), [
		{ count: 2, type: { kind: "number", name: "i32" } },
		{ count: 1, type: { kind: "number", name: "f32" } },
	]);
	const seen: unknown[] = [];
	for (let last = reader.codeStart; reader.next(); last = reader.end) {
		assert.equal(reader.start, last);
		seen.push([reader.op, reader.first]);
		if (reader.op === OP["i32.load8_u"] || reader.op === OP["i64.load"])
			seen.push(reader.second, reader.memoryOffset());
		if (reader.op === OP["br_table"]) seen.push(reader.immediates());
		if (reader.op === OP["v128.load8_lane"]) seen.push(reader.memoryOffset(), reader.immediates());
		if (reader.op === OP["i64.const"]) seen.push(reader.immediates());
	}
	assert.ok(reader.last);
	assert.deepEqual(seen, [
		[OP["i32.const"], -3],
		[OP["i32.const"], 100000],
		[OP["i32.load8_u"], 1],
		0,
		7n,
		[OP["i64.load"], 0],
		3,
		0x12_3456_789an,
		[OP["br_table"], 2],
		[[2, 1, 0]],
		[OP.block, 0],
		[OP.end, 0],
		[OP["local.get"], 200],
		[OP["v128.load8_lane"], 1],
		9n,
		[{ align: 0, memory: 1, offset: 9n }, 3],
		[OP["call_indirect"], 0],
		[OP["i64.const"], 0],
		[-5n],
		[OP.loop, -1],
		[OP.end, 0],
		[OP.end, 0],
	]);
	assert.equal(reader.malformed("x").place?.offset, code.offset + reader.start);
});

for (const file of skip === false ? globSync("**/*.wasm", { cwd: SIGHTGLASS }).sort() : []) {
	test(`one more import: ${file}`, () => {
		const bytes = new Uint8Array(readFileSync(SIGHTGLASS + file));
		const module = decodeModule(bytes);
		const inserted = encodeModule(tickOnEntry(insertImport(module)));
		assert.ok(V8.validate(inserted));
		assert.equal(checkCode(decodeModule(inserted)), checkCode(module) + module.functions.length);
		const back = encodeModule(removeImport(decodeModule(encodeModule(insertImport(module)))));
		// Not `deepEqual`: it takes minutes to describe how megabytes differ
		const again = encodeModule(removeImport(decodeModule(encodeModule(insertImport(decodeModule(back))))));
		assert.ok(Buffer.compare(again, back) === 0, "inserting and removing twice gives other bytes than once");
	});
}
test("sightglass is there", { skip }, () => assert.equal(globSync("**/*.wasm", { cwd: SIGHTGLASS }).length > 20, true));
