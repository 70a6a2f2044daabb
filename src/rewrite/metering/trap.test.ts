import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import {
	BRANCH_HINTS,
	CodeReader,
	decodeBranchHints,
	decodeModule,
	decodeNameSection,
	encodeBranchHints,
	encodeModule,
	OP,
} from "../../wasm/mod.ts";
import { revive, type Revived } from "../instance.fixture.ts";
import { rewriteModule } from "../rewrite.ts";
import { surveyCode } from "../survey.ts";
import { planChecks } from "./work.ts";
import { FLAG_CELL, HIT_CELL } from "./check.ts";

const { WebAssembly } = globalThis as any;
const TRAP = { metering: "trap", verify: true } as const;
const PAGE = { ...TRAP, check: "page" } as const;

async function meter(text: string, imports: Record<string, Record<string, unknown>> = {}): Promise<Revived> {
	const rewritten = rewriteModule(await parse(text), 0, TRAP);
	assert.ok(rewritten.imports?.flag !== undefined);
	return await revive(rewritten, { imports, beyond: 1 });
}

const LOOPS: readonly (readonly [name: string, fields: string])[] = [
	["a loop", `(func (export "f") (loop $l (br $l)))`],
	[
		"a large loop that counts through all numbers, in a loop",
		`(func (export "f") (param i32) (loop $o
			(loop $l ${"(block)".repeat(200)} (br_if $l (local.tee 0 (i32.add (local.get 0) (i32.const 1))))) (br $o)))`,
	],
	["the inner of nested loops", `(func (export "f") (loop $o (loop $i (br $i)) (br $o)))`],
	["the outer of nested loops", `(func (export "f") (loop $o (block $x (loop $i (br $x))) (br $o)))`],
	["br_table back to a loop", `(func (export "f") (loop $l (block (br_table $l 0 $l (i32.const 7)))))`],
	[
		"a loop with parameters",
		`(func (export "f") (i32.const 1) (loop $l (param i32) (br_if $l (i32.const 1)) (unreachable)))`,
	],
	[
		"a loop in catch_all",
		`(tag $e) (func (export "f") (loop $l (block $h (try_table (catch_all $h) (throw $e))) (br $l)))`,
	],
	[
		"a loop of which each turn catches all",
		`(func (export "f") (loop $l (block $h (try_table (catch_all $h) (loop $i (br $i)))) (br $l)))`,
	],
	["br_on_null back to a loop", `(func (export "f") (loop $l (br_on_null $l (ref.null func)) drop))`],
	[
		"recursion that would take years",
		`(func $f (export "f") (param i32) (if (local.get 0) (then
		(call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 1))))))
		(func (export "g") (call $f (i32.const 60)))`,
	],
	["two functions that call each other", `(func $f (export "f") (return_call $g)) (func $g (return_call $f))`],
	["tail calls of itself", `(func $f (export "f") (return_call $f))`],
	[
		"tail calls through a table",
		`(table funcref (elem $f)) (func $f (export "f") (return_call_indirect (i32.const 0)))`,
	],
	[
		"tail calls through a reference",
		`(type $t (func)) (elem declare func $f) (func $f (export "f") (return_call_ref $t (ref.func $f)))`,
	],
	[
		"tail calls through a table that is exported",
		`(table (export "t") funcref (elem $f)) (func $f) (func (export "f") (loop $l (call_indirect (i32.const 0)) (br $l)))`,
	],
];

suite("a raised flag ends", () => {
	for (const [name, fields] of LOOPS) {
		test(name, async () => {
			const { exports, flag } = await meter(`(module ${fields})`);
			flag[FLAG_CELL] = 1;
			assert.throws(() => (exports["g"] ?? exports["f"])(60), { name: "RuntimeError", message: "unreachable" });
			assert.deepEqual([flag[FLAG_CELL], flag[HIT_CELL]], [0, 1], "it has lowered the flag and left word");
		});

		test(`${name}: a page that cannot be read does, and the flag does not`, async () => {
			const rewritten = rewriteModule(await parse(`(module ${fields})`), 0, PAGE);
			const { exports, flag } = await revive(rewritten, { page: false });
			for (const raised of [0, 1]) {
				flag[FLAG_CELL] = raised;
				assert.throws(() => (exports["g"] ?? exports["f"])(60), {
					name: "RuntimeError",
					message: "memory access out of bounds",
				});
				assert.deepEqual([flag[FLAG_CELL], flag[HIT_CELL]], [raised, 0]);
			}
		});
	}

	test("a loop in a start function", async () => {
		const bytes = await parse(`(module (func $s (loop $l (br $l))) (start $s))`);
		let flag: Uint8Array = new Uint8Array();
		const beforeStart = (cells: Uint8Array): void => {
			flag = cells;
			cells[FLAG_CELL] = 1;
		};
		await assert.rejects(revive(rewriteModule(bytes, 0, TRAP), { beforeStart }), {
			name: "RuntimeError",
			message: "unreachable",
		});
		assert.deepEqual([flag[FLAG_CELL], flag[HIT_CELL]], [0, 1]);
	});

	test("functions of two modules that call each other through a table that both use", async () => {
		const table = new WebAssembly.Table({ initial: 2, element: "anyfunc" });
		const one = (from: number, to: number): string => `(module (import "" "t" (table 2 funcref))
			(elem (i32.const ${from}) $f) (func $f (export "f") (return_call_indirect (i32.const ${to}))))`;
		const first = await meter(one(0, 1), { "": { t: table } });
		const second = await meter(one(1, 0), { "": { t: table } });
		second.flag[FLAG_CELL] = 1;
		assert.throws(() => first.exports["f"](), { message: "unreachable" });
		assert.deepEqual([first.flag[HIT_CELL], second.flag[HIT_CELL]], [0, 1]);
	});

	test("functions of two modules that import each other, one through a reference", async () => {
		const first = await meter(`(module (type $t (func)) (global $g (export "g") (mut (ref null $t)) (ref.null $t))
			(func (export "f") (return_call_ref $t (global.get $g))))`);
		const second = await meter(`(module (import "" "f" (func $f)) (func (export "g") (return_call $f)))`, {
			"": { f: first.exports["f"] },
		});
		first.exports["g"].value = second.exports["g"];
		second.flag[FLAG_CELL] = 1;
		assert.throws(() => first.exports["f"](), { message: "unreachable" });
	});
});

suite("metering", () => {
	for (const options of [{ ...TRAP, check: "flag" }, PAGE] as const)
		test(`leaves a program what it does, and its memories where they are: ${options.check}`, async () => {
			const text = `(module
			(import "" "m" (memory 1))
			(memory $own (export "own") 1 3) (memory $wide i64 1) (data (memory $own) (i32.const 8) "abc")
			(func (export "sum") (param i32) (result i32) (local i32)
				(loop $l
					(local.set 1 (i32.add (local.get 1) (local.get 0)))
					(br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
				(i32.store $own (i32.const 0) (local.get 1))
				(i64.store $wide (i64.const 0) (i64.extend_i32_u (local.get 1)))
				(i32.store 0 (i32.const 4) (memory.grow $own (i32.const 1)))
				(i32.add (i32.load $own (i32.const 0)) (i32.load8_u $own (i32.const 9)))))`;
			const m = new WebAssembly.Memory({ initial: 1 });
			const rewritten = rewriteModule(await parse(text), 0, options);
			const { exports, flag, pages } = await revive(rewritten, { imports: { "": { m } }, beyond: 1 });
			assert.equal(exports["sum"](100), 5050 + 98);
			assert.equal(pages.get(1)?.value, 2);
			assert.deepEqual([...new Uint32Array(m.buffer, 0, 2)], [0, 1]);
			assert.deepEqual([...flag], [0, 0, 0, 0]);
		});

	test("leaves a module alone that cannot run for ever", async () => {
		const bytes = await parse(`(module (func $f) (func $g (call $f)) (func (export "h") (call $g)))`);
		const rewritten = rewriteModule(bytes, 0, TRAP);
		assert.equal(rewritten.bytes, bytes);
		assert.equal(rewritten.imports, undefined);
	});

	test("imports from a module name that the guest does not use", async () => {
		const bytes = await parse(
			`(module (import "skerry" "flag" (memory 1 1 shared)) (import "skerry'" "x" (func)) (func (loop)))`,
		);
		const { imports } = rewriteModule(bytes, 0, TRAP);
		assert.deepEqual(imports, { module: "skerry''", memories: [], flag: "flag" });
	});

	for (const [what, fields] of [
		["code", "(func (loop) (drop (i32.load 1 (i32.const 0))))"],
		["a bulk operation", "(func (loop) (memory.copy 0 1 (i32.const 0) (i32.const 0) (i32.const 0)))"],
		["memory.size", "(func (loop) (drop (memory.size 1)))"],
		["an export", `(export "m" (memory 1)) (func (loop))`],
		["a data segment", `(data (memory 1) (i32.const 0) "") (func (loop))`],
	] as const) {
		test(`refuses ${what} that names a memory which the guest does not have: it would be the flag's`, async () => {
			const bytes = await parse(`(module (memory 1) ${fields})`);
			assert.throws(() => rewriteModule(bytes, 0, TRAP), { code: "core/invalid", message: /unknown memory 1/ });
		});
	}

	test("hints and labels follow the code", async () => {
		const plain = decodeModule(
			await parse(`(module (func $f (param i32) (block $a (loop $b (block $c (br_if $a (local.get 0)) (br $b))))))`),
		);
		const reader = new CodeReader(plain.code);
		reader.enter(0);
		while (reader.next() && reader.op !== OP["br_if"]);
		const offset = reader.start - reader.bodyStart;
		const hints = encodeBranchHints(new Map([[0, [{ offset, likely: true }]]]));
		const customs = [{ name: BRANCH_HINTS, bytes: hints, after: "function" } as const, ...plain.customs];
		const { bytes } = rewriteModule(encodeModule({ ...plain, customs }), 0, TRAP);
		const module = decodeModule(bytes);
		const found = decodeBranchHints(module.customs.find(({ name }) => name === BRANCH_HINTS)!.bytes)?.get(0);
		const walk = new CodeReader(module.code);
		walk.enter(0);
		const branches: unknown[] = [];
		while (walk.next()) {
			if (walk.op !== OP["br_if"] && walk.op !== OP["if"]) continue;
			branches.push({ offset: walk.start - walk.bodyStart, likely: walk.op === OP["br_if"] });
		}
		assert.deepEqual(found, branches);
		const { labels, functions } = decodeNameSection(module.customs.find(({ name }) => name === "name")!.bytes);
		assert.deepEqual(
			[...(labels.get(0) ?? [])],
			[
				[0, "a"],
				[1, "b"],
				[3, "c"],
			],
		);
		assert.deepEqual([...functions], [[0, "f"]]);
		assert.ok(WebAssembly.validate(bytes));
	});
});

suite("which functions have a check at their entry", () => {
	for (const [what, fields, expected] of [
		["a chain of calls", `(func $a) (func (call $a))`, []],
		["one that calls itself", `(func $a (call $a)) (func (export "x") (call $a))`, [0]],
		["one of two that call each other", `(func (call 1)) (func (call 0))`, [0]],
		[
			"those that are called by others and call others, but not what only calls an import for them",
			`(import "" "f" (func)) (func (export "a") (call 2)) (func (call 0)) (func (export "b"))`,
			[0],
		],
		[
			"those of the type that is called",
			`(type $i (func (param i32))) (table funcref (elem 0 1)) (func $a (call_indirect (i32.const 0))) (func $b (param i32))`,
			[0],
		],
		[
			"none where a table holds only what does not come back",
			`(table funcref (elem 0)) (func $leaf) (func (param i32) (call_indirect (i32.const 0)))`,
			[],
		],
		[
			"what is exported when the table is another's",
			`(import "" "t" (table 1 funcref)) (func (export "a") (call 1)) (func (call_indirect (i32.const 0)))`,
			[0],
		],
		[
			"what is exported when the table is changed",
			`(table 1 funcref) (func (export "a") (param funcref) (call 1) (table.set (i32.const 0) (local.get 0))) (func (call_indirect (i32.const 0)))`,
			[0],
		],
	] as const) {
		test(what, async () => {
			const module = decodeModule(await parse(`(module ${fields})`));
			const survey = surveyCode(module);
			const { sites } = planChecks(module, survey, new CodeReader(module.code), "trap");
			assert.deepEqual(
				[...sites.keys()].filter((body) => sites[body]?.includes(survey.codeStarts[body]!)),
				expected,
			);
		});
	}
});
