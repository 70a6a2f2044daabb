import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { revive } from "../instance.fixture.ts";
import { rewriteModule } from "../rewrite.ts";
import { TABLE_CHUNK } from "./table-bodies.ts";

const { WebAssembly } = globalThis as any;

type Exports = Record<string, any>;
/** `i64` arguments are made of numbers by the type of the parameter. */
type Call = readonly [fn: string, ...args: readonly unknown[]];

const SIZE = 1400;
const LENGTHS = [0, 1, TABLE_CHUNK - 1, TABLE_CHUNK, TABLE_CHUNK + 1, 2 * TABLE_CHUNK, 2 * TABLE_CHUNK + 1, 600];
const FUNCTIONS = Array.from({ length: 600 }, (_, i) => `$f${i % 7}`);

/** A guest with all that changes tables, whose tables have indices of these types. */
function guest(one: string, other: string): string {
	const length = one === "i64" ? other : "i32";
	const get = `(local.get 0) (local.get 1) (local.get 2)`;
	return `(module
		${Array.from({ length: 7 }, (_, i) => `(func $f${i} (export "f${i}"))`).join("\n")}
		(table $t (export "t") ${one} ${SIZE} 5000 externref) (table $u (export "u") ${other} ${SIZE} externref)
		(table $f (export "f") ${one} ${SIZE} funcref) (table $g (export "g") ${one} 1 5000 (ref func) (ref.func $f1))
		(elem $e func ${FUNCTIONS.join(" ")}) (elem $short func $f1 $f2) (elem $kept func ${FUNCTIONS.join(" ")})
		(func (export "fill") (param ${one} externref ${one}) (table.fill $t ${get}))
		(func (export "within") (param ${one} ${one} ${one}) (table.copy $t $t ${get}))
		(func (export "out") (param ${other} ${one} ${length}) (table.copy $u $t ${get}))
		(func (export "in") (param ${one} ${other} ${length}) (table.copy $t $u ${get}))
		(func (export "init") (param ${one} i32 i32) (table.init $f $e ${get}))
		(func (export "initKept") (param ${one} i32 i32) (table.init $f $kept ${get}))
		(func (export "initShort") (param ${one} i32 i32) (table.init $f $short ${get}))
		(func (export "drop") (elem.drop $e) (elem.drop $short))
		(func (export "grow") (param externref ${one}) (result ${one}) (table.grow $t (local.get 0) (local.get 1)))
		(func (export "growSure") (param ${one}) (result ${one}) (table.grow $g (ref.func $f2) (local.get 0))))`;
}

function contentOf(exports: Exports): unknown {
	return ["t", "u", "f", "g"].map((name) => {
		const table = exports[name];
		const { length } = table;
		return Array.from({ length: Number(length) }, (_, i) => {
			const value = table.get(typeof length === "bigint" ? BigInt(i) : i);
			return typeof value === "function" ? `function ${value.name}` : value;
		});
	});
}

function outcome(exports: Exports, [fn, ...args]: Call): unknown {
	try {
		return exports[fn](...args);
	} catch (error) {
		assert.ok(error instanceof WebAssembly.RuntimeError, String(error));
		return (error as Error).message;
	}
}

/** Calls for tables with indices of these types. */
function callsOf(one: string, other: string): Call[] {
	const index = (type: string, value: number): number | bigint => (type === "i64" ? BigInt(value) : value);
	const [a, b] = [(value: number) => index(one, value), (value: number) => index(other, value)];
	const length = one === "i64" ? b : (value: number) => value;
	const bounds = [...LENGTHS, SIZE, SIZE + 1, -1];
	return [
		...LENGTHS.flatMap((n): Call[] => [
			["within", a(3), a(0), a(n)],
			["within", a(0), a(3), a(n)],
			["within", a(300), a(7), a(n)],
			["within", a(900), a(900), a(n)],
			["out", b(5), a(9), length(n)],
			["in", a(11), b(2), length(n)],
			["fill", a(17), `a${n}`, a(n)],
			["init", a(1), 0, n],
			["initKept", a(SIZE - n), FUNCTIONS.length - n, n],
		]),
		// Out of bounds on either side
		...bounds.flatMap((n): Call[] => [
			["fill", a(SIZE - n + 1), "never", a(n)],
			["fill", a(-1), "never", a(n)],
			["within", a(SIZE - n + 1), a(0), a(n)],
			["within", a(0), a(SIZE - n + 1), a(n)],
			["within", a(-1), a(0), a(n)],
			["within", a(0), a(-1), a(n)],
			["out", b(SIZE - n + 1), a(0), length(n)],
			["in", a(0), b(SIZE - n + 1), length(n)],
			["init", a(SIZE - n + 1), 0, n],
			["init", a(0), FUNCTIONS.length + 1 - n, n],
			["init", a(-1), 0, n],
			["init", a(0), -1, n],
			["initShort", a(0), 0, n],
		]),
		["drop"],
		...LENGTHS.flatMap((n): Call[] => [
			["init", a(1), 0, n],
			["initKept", a(7), 0, n],
			["initShort", a(1), 0, n],
		]),
		...LENGTHS.flatMap((n): Call[] => [
			["grow", `b${n}`, a(n)],
			["grow", null, a(n)],
			["growSure", a(n)],
		]),
		["grow", "never", a(-1)],
		["growSure", a(-1)],
	];
}

suite("bulk operations on tables, in pieces, do what they did", () => {
	for (const [one, other] of [
		["i32", "i32"],
		["i64", "i64"],
		["i32", "i64"],
		["i64", "i32"],
	] as const) {
		for (const metering of ["off", "trap"] as const) {
			test(`${one} and ${other}, metering ${metering}`, async () => {
				const bytes = await parse(guest(one, other));
				const { exports: plain } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
				const { exports: lifted } = await revive(rewriteModule(bytes, 0, { metering, verify: true }));
				for (const exports of [plain, lifted]) {
					for (const [name, type] of Object.entries({ t: one, u: other })) {
						for (let i = 0; i < SIZE; i++) exports[name].set(type === "i64" ? BigInt(i) : i, `${name}${i}`);
					}
				}
				let traps = 0;
				for (const call of callsOf(one, other)) {
					const text = call.map(String).join(" ");
					const due = outcome(plain, call);
					if (typeof due === "string") traps++;
					assert.deepEqual(outcome(lifted, call), due, text);
					assert.deepEqual(contentOf(lifted), contentOf(plain), text);
				}
				assert.ok(traps > 100, String(traps));
			});
		}
	}

	test("two imports that are one table", async () => {
		const bytes = await parse(`(module (import "" "a" (table $a 1 externref)) (import "" "b" (table $b 1 externref))
			(func (export "copy") (param i32 i32 i32) (table.copy $a $b (local.get 0) (local.get 1) (local.get 2))))`);
		for (const [to, from] of [
			[3, 0],
			[0, 3],
		]) {
			const table = new WebAssembly.Table({ element: "externref", initial: SIZE });
			for (let i = 0; i < SIZE; i++) table.set(i, i);
			const rewritten = rewriteModule(bytes, 0, { metering: "off", verify: true });
			const { exports } = await revive(rewritten, { imports: { "": { a: table, b: table } } });
			exports["copy"](to, from, 1300);
			const due = Array.from({ length: SIZE }, (_, i) => i).copyWithin(to!, from!, from! + 1300);
			assert.deepEqual(
				Array.from({ length: SIZE }, (_, i) => table.get(i)),
				due,
			);
		}
	});

	test("a growth that the host grants and V8 does not have is given back", async () => {
		const bytes = await parse(`(module (table $other 1 funcref) (table $t 1 300 funcref)
			(func (export "grow") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0))))`);
		const rewritten = rewriteModule(bytes, 0, { metering: "off", verify: true });
		const { exports, asked } = await revive(rewritten);
		assert.deepEqual([exports["grow"](300), exports["grow"](299), exports["grow"](1)], [-1, 1, -1]);
		assert.deepEqual(asked, [
			"growTable 1 by 300",
			"growTable -2 by 300",
			"growTable 1 by 299",
			"growTable 1 by 1",
			"growTable -2 by 1",
		]);
	});

	test("what changes a table says so", async () => {
		const bytes = await parse(`(module (table $t (export "t") 10 20 funcref) (func $f) (elem $e func $f)
			(func (export "read") (drop (table.get $t (i32.const 0))) (drop (table.size $t)))
			(func (export "set") (table.set $t (i32.const 0) (ref.func $f)))
			(func (export "fill") (table.fill $t (i32.const 0) (ref.func $f) (i32.const 1)))
			(func (export "copy") (table.copy $t $t (i32.const 0) (i32.const 0) (i32.const 1)))
			(func (export "init") (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1)))
			(func (export "grow") (drop (table.grow $t (ref.func $f) (i32.const 1)))))`);
		const rewritten = rewriteModule(bytes, 0, { metering: "off", verify: true });
		assert.ok(typeof rewritten.state === "object");
		const { exports } = await revive(rewritten);
		const changed = exports[rewritten.state.tablesChanged ?? ""];
		exports["read"]();
		assert.equal(changed.value, 0);
		for (const name of ["set", "fill", "copy", "init", "grow"]) {
			changed.value = 0;
			exports[name]();
			assert.equal(changed.value, 1, name);
		}
	});
});
