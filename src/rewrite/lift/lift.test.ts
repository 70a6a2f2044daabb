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
import { revive } from "../instance.fixture.ts";
import { rewriteModule } from "../rewrite.ts";

const { WebAssembly } = globalThis as any;
const OFF = { metering: "off", verify: true } as const;
const PAGE = 65_536;

type Call = readonly [fn: string, ...args: readonly (number | bigint)[]];

/** What came of it: a value, or V8's words for the trap. */
function outcome(exports: Record<string, any>, [fn, ...args]: Call): unknown {
	try {
		return exports[fn](...args);
	} catch (error) {
		assert.ok(error instanceof WebAssembly.RuntimeError, String(error));
		return (error as Error).message;
	}
}

/** Memories by their exported name, as far as the guest may use them: what is not 0, by where it is. */
function contentOf(memory: any, pages: number): Record<number, number> {
	const bytes = new Uint8Array(memory.buffer, 0, pages * PAGE);
	return Object.fromEntries([...bytes.entries()].filter(([, byte]) => byte !== 0).slice(0, 500));
}

/** Every construct, as V8 runs it by itself and as it runs lifted, in a memory of V8's that is larger than the guest's. */
const CASES: readonly (readonly [name: string, fields: string, calls: readonly Call[]])[] = [
	...(["i32", "i64"] as const).flatMap((type): (readonly [string, string, readonly Call[]])[] => {
		const n = (value: number): number | bigint => (type === "i64" ? BigInt(value) : value);
		const memory = type === "i64" ? `(memory (export "m") i64 1 3)` : `(memory (export "m") 1 3)`;
		return [
			[
				`memory.size and memory.grow of ${type}`,
				`${memory} (func (export "size") (result ${type}) (memory.size)) (func (export "grow") (param ${type}) (result ${type}) (memory.grow (local.get 0)))`,
				[["size"], ["grow", n(0)], ["grow", n(1)], ["size"], ["grow", n(65_536)], ["grow", n(-1)], ["size"]],
			],
			[
				`memory.fill of ${type}`,
				`${memory} (func (export "fill") (param ${type} i32 ${type}) (memory.fill (local.get 0) (local.get 1) (local.get 2)))`,
				[
					["fill", n(10), 7, n(3)],
					["fill", n(PAGE), 7, n(0)],
					["fill", n(PAGE + 1), 7, n(0)],
					["fill", n(PAGE - 2), 9, n(2)],
					["fill", n(PAGE - 2), 9, n(3)],
					["fill", n(-1), 9, n(2)],
					["fill", n(2), 9, n(-1)],
				],
			],
			[
				`memory.copy of ${type}`,
				`${memory} (data (${type}.const 0) "abcdef") (func (export "copy") (param ${type} ${type} ${type}) (memory.copy (local.get 0) (local.get 1) (local.get 2)))`,
				[
					["copy", n(2), n(0), n(6)],
					["copy", n(1), n(3), n(6)],
					["copy", n(PAGE - 4), n(0), n(4)],
					["copy", n(PAGE - 4), n(0), n(5)],
					["copy", n(0), n(PAGE - 4), n(5)],
					["copy", n(PAGE), n(PAGE), n(0)],
					["copy", n(PAGE + 1), n(0), n(0)],
					["copy", n(0), n(PAGE + 1), n(0)],
					["copy", n(0), n(-1), n(1)],
				],
			],
			[
				`memory.init and data.drop of ${type}`,
				`${memory} (data $p "hello") (data $a (${type}.const 100) "there")
					(func (export "init") (param ${type} i32 i32) (memory.init $p (local.get 0) (local.get 1) (local.get 2)))
					(func (export "active") (param ${type} i32 i32) (memory.init $a (local.get 0) (local.get 1) (local.get 2)))
					(func (export "drop") (data.drop $p) (data.drop $a))`,
				[
					["init", n(0), 1, 4],
					["init", n(0), 1, 5],
					["init", n(0), 5, 0],
					["init", n(0), 6, 0],
					["init", n(0), -1, 2],
					["init", n(PAGE - 1), 0, 1],
					["init", n(PAGE - 1), 0, 2],
					["init", n(PAGE), 0, 0],
					["init", n(PAGE + 1), 0, 0],
					["active", n(0), 0, 0],
					["active", n(0), 0, 1],
					["drop"],
					["init", n(0), 0, 0],
					["init", n(0), 0, 1],
					["init", n(0), 1, 0],
					["drop"],
				],
			],
			[
				`atomics of ${type}`,
				`${memory}
					(func (export "store") (param ${type} i32) (i32.atomic.store offset=4 (local.get 0) (local.get 1)))
					(func (export "load") (param ${type}) (result i64) (i64.atomic.load (local.get 0)))
					(func (export "add") (param ${type} i32) (result i32) (i32.atomic.rmw8.add_u offset=1 (local.get 0) (local.get 1)))
					(func (export "cas") (param ${type} i64 i64) (result i64) (i64.atomic.rmw16.cmpxchg_u (local.get 0) (local.get 1) (local.get 2)))
					(func (export "notify") (param ${type}) (result i32) (memory.atomic.notify (local.get 0) (i32.const 1)))
					(func (export "far") (param ${type}) (result i32) (i32.atomic.load8_u offset=4294967295 (local.get 0)))`,
				[
					["store", n(0), 0x01020304],
					["store", n(1), 1],
					["store", n(PAGE - 8), 5],
					["store", n(PAGE - 4), 5],
					["load", n(0)],
					["load", n(PAGE - 8)],
					["load", n(PAGE)],
					["add", n(4), 255],
					["add", n(PAGE - 2), 1],
					["add", n(PAGE - 1), 1],
					["cas", n(4), 0x304n, 0x1111n],
					["cas", n(4), 0x0n, 0x2222n],
					["notify", n(8)],
					["notify", n(PAGE)],
					["far", n(0)],
					["far", n(-1)],
				],
			],
			[
				`table.grow of ${type}`,
				`(table (export "t") ${type} 1 3 funcref) (func $f) (elem declare func $f)
					(func (export "grow") (param ${type}) (result ${type}) (table.grow (ref.func $f) (local.get 0)))
					(func (export "size") (result ${type}) (table.size))`,
				[["grow", n(0)], ["grow", n(1)], ["size"], ["grow", n(2)], ["grow", n(-1)], ["size"]],
			],
		];
	}),
	[
		"memory.copy between memories of two kinds",
		`(memory $a (export "m") 1) (memory $b (export "n") i64 2) (data (memory $a) (i32.const 0) "xyz")
			(func (export "out") (param i64 i32 i32) (memory.copy $b $a (local.get 0) (local.get 1) (local.get 2)))
			(func (export "in") (param i32 i64 i32) (memory.copy $a $b (local.get 0) (local.get 1) (local.get 2)))`,
		[
			["out", BigInt(2 * PAGE - 2), 0, 2],
			["out", BigInt(2 * PAGE - 2), 0, 3],
			["in", 7, BigInt(2 * PAGE - 2), 2],
			["in", PAGE - 1, 0n, 2],
			["in", 0, -1n, 1],
		],
	],
	[
		"table.init and elem.drop",
		`(table (export "t") 3 funcref) (func $f) (elem $p func $f $f) (elem $a (i32.const 0) func $f)
			(func (export "init") (param i32 i32 i32) (table.init $p (local.get 0) (local.get 1) (local.get 2)))
			(func (export "drop") (elem.drop $p) (elem.drop $a))`,
		[
			["init", 1, 0, 2],
			["init", 2, 0, 2],
			["init", 0, 1, 2],
			["drop"],
			["init", 0, 0, 0],
			["init", 0, 0, 1],
			["init", 0, 1, 0],
			["init", 4, 0, 0],
			["drop"],
		],
	],
	[
		"arrays out of segments that are dropped",
		`(type $b (array (mut i8))) (type $f (array (mut funcref))) (func $g) (data $d "abc") (elem $e func $g)
			(func (export "bytes") (param i32 i32) (result i32) (array.len (array.new_data $b $d (local.get 0) (local.get 1))))
			(func (export "functions") (param i32 i32) (result i32) (array.len (array.new_elem $f $e (local.get 0) (local.get 1))))
			(func (export "initBytes") (param i32 i32) (array.init_data $b $d (array.new_default $b (i32.const 3)) (i32.const 0) (local.get 0) (local.get 1)))
			(func (export "initFunctions") (param i32 i32) (array.init_elem $f $e (array.new_default $f (i32.const 3)) (i32.const 0) (local.get 0) (local.get 1)))
			(func (export "drop") (data.drop $d) (elem.drop $e))`,
		(["bytes", "functions", "initBytes", "initFunctions"] as const).flatMap((fn): Call[] => [
			[fn, 0, 1],
			[fn, 0, 4],
			[fn, 4, 0],
			["drop"],
			[fn, 0, 0],
			[fn, 0, 1],
			[fn, 1, 0],
		]),
	],
	[
		"arrays that are not too long, and such as V8 has none of",
		`(type $b (array (mut i8))) (type $w (sub (array (mut v128))))
			(func (export "bytes") (param i32 i32) (result i32) (array.get_u $b (array.new $b (local.get 1) (local.get 0)) (i32.const 2)))
			(func (export "wide") (param i32) (result i32) (array.len (array.new_default $w (local.get 0))))`,
		[
			["bytes", 3, 7],
			["bytes", 2, 7],
			["bytes", -1, 7],
			["wide", 0],
			["wide", 1 << 20],
			["wide", 1 << 30],
		],
	],
	[
		"a start function after data and globals are in place",
		`(memory (export "m") 1) (global $g (export "g") (mut i32) (i32.const 41)) (data (i32.const 4) "\\07")
			(func $s (i32.store8 (i32.const 0) (i32.add (global.get $g) (i32.load8_u (i32.const 4))))) (start $s)
			(func (export "read") (result i32) (i32.load8_u (i32.const 0)))`,
		[["read"]],
	],
	[
		"numbers of every kind in globals",
		`(global i32 (i32.const 3)) (global (export "a") (mut i32) (i32.mul (global.get 0) (i32.const -2)))
			(global (export "b") (mut i64) (i64.const -9223372036854775808)) (global (export "c") (mut f32) (f32.const -0))
			(global (export "d") (mut f64) (f64.const 0.1)) (global (export "e") (mut f64) (f64.const nan:0x123))
			(func (export "bits") (result i64) (i64.reinterpret_f64 (global.get 5)))
			(func (export "sign") (result i32) (i32.reinterpret_f32 (global.get 3)))`,
		[["bits"], ["sign"]],
	],
	[
		"data in later segments over that of earlier ones",
		`(memory (export "m") 1) (global $at i32 (i32.const 2)) (data (i32.const 0) "aaaa") (data (global.get $at) "bb") (data (i32.const 3) "")`,
		[],
	],
];

suite("what is lifted does what it did", () => {
	for (const [name, fields, calls] of CASES) {
		for (const metering of ["off", "trap"] as const) {
			test(`${name}, metering ${metering}`, async () => {
				const bytes = await parse(`(module ${fields})`);
				const { exports: plain } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
				const rewritten = rewriteModule(bytes, 0, { metering, verify: true });
				const lifted = await revive(rewritten, { beyond: 1 });
				for (const call of calls) {
					assert.deepEqual(outcome(lifted.exports, call), outcome(plain, call), JSON.stringify(call, printBigint));
				}
				for (const [key, item] of Object.entries<any>(plain)) {
					const other = lifted.exports[key];
					if (item instanceof WebAssembly.Memory) {
						const pages = item.buffer.byteLength / PAGE;
						assert.deepEqual(contentOf(other, pages), contentOf(item, pages), key);
					} else if (item instanceof WebAssembly.Global) assert.deepEqual(other.value, item.value, key);
					else if (item instanceof WebAssembly.Table) assert.equal(other.length, item.length, key);
				}
			});
		}
	}
});

const printBigint = (_: string, value: unknown): unknown => (typeof value === "bigint" ? String(value) : value);

suite("liftModule", () => {
	test("large operations go in pieces, in the right direction", async () => {
		const pages = 11;
		const bytes = await parse(`(module (memory (export "m") ${pages})
			(func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
			(func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2))))`);
		const { exports } = await revive(rewriteModule(bytes, 0, OFF));
		const memory = new Uint8Array(exports["m"].buffer);
		const chunk = 64 * 1024;
		for (const [to, from] of [
			[3, 0],
			[0, 3],
			[chunk / 2, 1],
		] as const) {
			const length = 2 * chunk + 5;
			exports["fill"](0, 0, memory.length);
			exports["fill"](from, 1, chunk + 1);
			exports["fill"](from + chunk + 1, 2, length - chunk - 1);
			const expected = memory.slice();
			expected.copyWithin(to, from, from + length);
			exports["copy"](to, from, length);
			assert.equal(Buffer.compare(memory, expected), 0, `${from} to ${to}`);
		}
	});

	for (const [storage, longest] of [
		["i8", 1 << 24],
		["i16", 1 << 23],
		["f32", 1 << 22],
		["i64", 1 << 21],
		["externref", 1 << 21],
		["v128", 1 << 20],
	] as const) {
		test(`an array of ${storage} has ${longest} elements at most`, async () => {
			const bytes = await parse(`(module (type $t (array (mut ${storage})))
				(func (export "f") (param i32) (result i32) (array.len (array.new_default $t (local.get 0)))))`);
			const { exports } = await revive(rewriteModule(bytes, 0, OFF));
			assert.equal(exports["f"](longest), longest);
			assert.throws(() => exports["f"](longest + 1), /requested new array is too large/);
		});
	}

	for (const [what, code, bytes] of [
		["a structure", "(struct.new_default $s)", 16 + 8 + 16 + 8],
		["an array", "(array.new $a (i32.const 1) (i32.const 10))", 24 + 20],
		["an array of given elements", "(array.new_fixed $a 3 (i32.const 1) (i32.const 2) (i32.const 3))", 24 + 6],
		["an array out of data", "(array.new_data $a $d (i32.const 1) (i32.const 2))", 24 + 4],
		["an array out of elements", "(array.new_elem $f $e (i32.const 0) (i32.const 1))", 24 + 8],
	] as const) {
		test(`${what} is ${bytes} bytes, asked for before it is made`, async () => {
			const text = `(module (type $s (struct (field i8) (field v128) (field externref))) (type $a (array (mut i16)))
				(type $f (array funcref)) (data $d "abcdef") (elem $e func $g) (func $g)
				(func (export "f") (drop ${code})))`;
			for (const heap of [bytes, bytes - 1]) {
				const { exports, asked } = await revive(rewriteModule(await parse(text), 0, OFF), { heap });
				if (heap === bytes) exports["f"]();
				else assert.throws(() => exports["f"](), /unreachable/);
				assert.deepEqual(asked, [`allocate ${bytes}`]);
			}
		});
	}

	test("an exception is counted, too", async () => {
		const text = `(module (tag $e (param i32 i64)) (func (export "f") (throw $e (i32.const 1) (i64.const 2))))`;
		const { exports, asked } = await revive(rewriteModule(await parse(text), 0, OFF), { heap: 0 });
		assert.throws(() => exports["f"](), /unreachable/);
		assert.deepEqual(asked, [`allocate ${128 + 2 * 64}`]);
	});

	for (const [what, field, bytes] of [
		["an array", "(global (ref $a) (array.new $a (i32.const 1) (i32.const 524276)))", 1_048_576],
		["a longer array", "(global (ref $a) (array.new $a (i32.const 1) (i32.const 524277)))", undefined],
		["two arrays", "(global (ref $a) (array.new_default $a (i32.const 300000)))".repeat(2), undefined],
		["an array for a table", "(table 1 (ref $a) (array.new_default $a (i32.const 600000)))", undefined],
		["an array as long as another module says", "(global (ref $a) (array.new_default $a (global.get $n)))", undefined],
		["few elements", "(global (ref $a) (array.new_fixed $a 2 (i32.const 1) (i32.const 2)))", 24 + 4],
	] as const) {
		test(`constants that are ${what}: ${bytes ?? "too much"}`, async () => {
			const original = await parse(`(module (import "" "n" (global $n i32)) (type $a (array (mut i16))) ${field})`);
			if (bytes !== undefined) assert.equal(rewriteModule(original, 0, OFF).exports.heapBytes, bytes);
			else
				assert.throws(() => rewriteModule(original, 0, OFF), {
					code: "binary/limit",
					message: /its constants make objects/,
				});
		});
	}

	test("a growth that the host refuses is one that fails", async () => {
		const bytes = await parse(`(module (table 1 funcref) (memory 1)
			(func (export "table") (result i32) (table.grow (ref.null func) (i32.const 2)))
			(func (export "memory") (result i32) (memory.grow (i32.const 2))))`);
		const { exports, asked } = await revive(rewriteModule(bytes, 0, OFF), { growsTables: false });
		assert.deepEqual([exports["table"](), exports["memory"]()], [-1, -1]);
		assert.deepEqual(asked, ["growTable 0 by 2", "grow 0 by 2"]);
	});

	test("what is taken out, and under which names", async () => {
		const bytes = await parse(`(module (import "skerry" "f" (func $f)) (memory $m 1) (data (i32.const 1) "ab")
			(data (i32.const 3) "") (global (mut i64) (i64.const 5)) (global (mut f32) (f32.const 0)) (start $f)
			(func (drop (memory.size)) (drop (memory.grow (i32.const 0)))))`);
		const { imports, exports, initial, state } = rewriteModule(bytes, 0, OFF);
		assert.deepEqual(imports?.module, "skerry'");
		assert.deepEqual(
			imports?.memories.map(({ name }) => name),
			["memory:0"],
		);
		assert.deepEqual(exports, {
			host: "skerry:host",
			start: "skerry:start",
			tableElements: 0,
			writesData: false,
			pages: [{ memory: 0, name: "skerry:pages:0" }],
		});
		assert.deepEqual(initial, {
			data: [{ memory: 0, offset: 1, bytes: Uint8Array.of(97, 98) }],
			globals: [{ name: "skerry:global:0", value: 5n }],
		});
		assert.deepEqual(state, {
			memories: ["skerry:memory:0"],
			globals: ["skerry:global:0", "skerry:global:1"],
			tables: [],
		});
	});

	for (const [what, one, other] of [
		["data", `(data (i32.const 1) "ab")`, `(data (i32.const 7) "xyz") (data (i32.const 7) "w")`],
		["no data at all", `(data (i32.const 1) "ab")`, ""],
		["numbers in globals", `(global (mut i32) (i32.const 0))`, `(global (mut i32) (i32.const 600))`],
	] as const) {
		test(`modules that differ in nothing but ${what} are one`, async () => {
			const rewrite = async (fields: string): Promise<Uint8Array> =>
				rewriteModule(await parse(`(module (memory 1) ${fields} (func (drop (memory.size))))`), 0, OFF).bytes;
			assert.deepEqual(await rewrite(one), await rewrite(other));
		});
	}

	for (const [what, fields] of [
		["out of bounds", `(memory 1) (data (i32.const 0) "a") (data (i32.const 65536) "b")`],
		[
			"placed by an import",
			`(import "" "g" (global i32)) (memory 1) (data (i32.const 9) "a") (data (global.get 0) "b")`,
		],
		["in a memory of another's", `(import "" "m" (memory 1)) (data (i32.const 9) "a")`],
	] as const) {
		test(`data stays that is ${what}`, async () => {
			const bytes = await parse(`(module ${fields})`);
			const result = rewriteModule(bytes, 0, OFF);
			assert.deepEqual(result.initial.data, []);
			assert.equal(decodeModule(result.bytes).data.length, decodeModule(bytes).data.length);
		});
	}

	test("a shared memory keeps its own sizes and atomics", async () => {
		const bytes = await parse(`(module (memory 1 2 shared) (func (export "f") (result i32)
			(drop (i32.atomic.load (i32.const 0))) (memory.grow (i32.const 1))))`);
		const rewritten = rewriteModule(bytes, 0, OFF);
		assert.equal(rewritten.state, "its memory is shared with other threads");
		assert.deepEqual(rewritten.exports.pages, []);
		assert.equal((await revive(rewritten)).exports["f"](), 1);
	});

	test("names of the functions that are added, and hints that move", async () => {
		const plain = decodeModule(
			await parse(`(module $m (memory 1) (func $f (param i32)
				(memory.fill (local.get 0) (i32.const 0) (i32.const 0)) (block (br_if 0 (memory.size)))))`),
		);
		const reader = new CodeReader(plain.code);
		reader.enter(0);
		while (reader.next() && reader.op !== OP["br_if"]);
		const hints = encodeBranchHints(new Map([[0, [{ offset: reader.start - reader.bodyStart, likely: true }]]]));
		const customs = [{ name: BRANCH_HINTS, bytes: hints, after: "function" } as const, ...plain.customs];
		const module = decodeModule(rewriteModule(encodeModule({ ...plain, customs }), 0, OFF).bytes);
		const walk = new CodeReader(module.code);
		walk.enter(0);
		while (walk.next() && walk.op !== OP["br_if"]);
		const found = decodeBranchHints(module.customs.find(({ name }) => name === BRANCH_HINTS)!.bytes)?.get(0);
		assert.deepEqual(found, [{ offset: walk.start - walk.bodyStart, likely: true }]);
		assert.notEqual(walk.start, reader.start);
		const names = decodeNameSection(module.customs.find(({ name }) => name === "name")!.bytes);
		assert.equal(names.module, "m");
		assert.deepEqual(
			[...names.functions],
			[
				[0, "f"],
				[1, "skerry.memory.fill"],
			],
		);
	});

	/** Each names what would be an addition of ours, or what V8 would no longer see. */
	for (const [what, fields] of [
		["unknown function 2", "(memory 1) (func (call 2)) (func (drop (memory.grow (i32.const 1))))"],
		["unknown global 0", "(memory 1) (func (drop (global.get 0)) (drop (memory.size)))"],
		["unknown table 0", "(memory 1) (func (drop (table.size 0)) (drop (memory.grow (i32.const 1))))"],
		["unknown type 1", "(memory 1) (func (block (type 1)) (drop (memory.grow (i32.const 1))))"],
		["unknown type 3", "(memory 1) (func (local (ref null 3)) (drop (memory.grow (i32.const 1))))"],
		["unknown data segment 0", "(memory 1) (func (data.drop 0))"],
		["unknown elem segment 1", "(table 1 funcref) (elem func) (func (elem.drop 1))"],
		["unknown function 1", `(func) (export "f" (func 1)) (memory 1)`],
		[
			"unknown table 1",
			`(table 1 funcref) (elem (table 1) (i32.const 0) func) (func (drop (table.grow 0 (ref.null func) (i32.const 1))))`,
		],
		["invalid start function", "(func $s (param i32)) (start $s)"],
		["undeclared reference", "(func $s (drop (ref.func $s))) (start $s)"],
		["invalid alignment", "(memory 1) (func (drop (i32.atomic.load align=1 (i32.const 0))))"],
	] as const) {
		test(`refuses an invalid module: ${what}`, async () => {
			const bytes = await parse(`(module ${fields})`);
			assert.equal(WebAssembly.validate(bytes), false);
			assert.throws(() => rewriteModule(bytes, 0, OFF), { code: "core/invalid", message: new RegExp(what) });
		});
	}
});
