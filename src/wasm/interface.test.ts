import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { SkerryError } from "../fault/mod.ts";
import { decodeModuleInterface, moduleTypeOf } from "./interface.ts";
import { decodeNames } from "./names.ts";
import { decodeProducers } from "./producers.ts";

const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

function codeOf(bytes: readonly number[]): string {
	try {
		moduleTypeOf(decodeModuleInterface(Uint8Array.from(bytes)));
		return "accepted";
	} catch (error) {
		assert.ok(error instanceof SkerryError);
		return error.code;
	}
}

test("imports and exports with their types", async () => {
	const bytes = await parse(`(module $m
		(type $f (func (param i32 externref) (result i64 v128)))
		(import "a" "f" (func $f (type $f)))
		(import "a" "m" (memory i64 1 2))
		(import "b" "t" (table 1 funcref))
		(global $g (mut f32) (f32.const 1))
		(table $t 1 8 (ref null any) (ref.i31 (i32.const 3)))
		(tag $e (param i32))
		(func $main)
		(start $main)
		(export "f" (func $f)) (export "main" (func $main)) (export "g" (global $g))
		(export "t" (table $t)) (export "e" (tag $e)) (export "m" (memory 0)))`);
	const module = decodeModuleInterface(bytes, 100);
	const f = { kind: "func", type: { params: ["i32", "externref"], results: ["i64", "v128"] } };
	const memory = { kind: "memory", minimum: 1n, maximum: 2n, shared: false, index: "i64" };
	assert.deepEqual(
		module.imports.map(({ module, name, type }) => [module, name, type]),
		[
			["a", "f", f],
			["a", "m", memory],
			["b", "t", { kind: "table", element: "funcref", minimum: 1n, index: "i32" }],
		],
	);
	assert.deepEqual(
		module.exports.map(({ name, index, type }) => [name, index, type]),
		[
			["f", 0, f],
			["main", 1, { kind: "func", type: { params: [], results: [] } }],
			["g", 0, { kind: "global", type: "f32", mutable: true }],
			["t", 1, { kind: "table", element: "anyref", minimum: 1n, maximum: 8n, index: "i32" }],
			["e", 0, { kind: "tag", type: { params: ["i32"], results: [] } }],
			["m", 0, memory],
		],
	);
	assert.equal(module.start, 1);
	assert.equal(module.size, bytes.length);
	assert.equal(module.sections[0]?.offset, 108);
	const names = module.customs.find((custom) => custom.name === "name");
	assert.ok(names !== undefined);
	assert.deepEqual(decodeNames(names.bytes, names.offset), {
		module: "m",
		functions: new Map([
			[0, "f"],
			[1, "main"],
		]),
	});
});

test("types are equal by structure, across modules and recursion groups", async () => {
	const typeOf = async (text: string): Promise<unknown> => {
		const [item] = decodeModuleInterface(await parse(`(module ${text})`)).exports;
		return item?.type;
	};
	const padded = await typeOf(`(type (func)) (type $s (struct (field (mut i8)))) (func (export "f") (param (ref $s)))`);
	const plain = await typeOf(`(type $s (struct (field (mut i8)))) (func (export "f") (param (ref $s)))`);
	assert.deepEqual(padded, plain);
	assert.deepEqual(plain, {
		kind: "func",
		type: { params: ["(ref (struct (field (mut i8))))"], results: [] },
	});
	const rec = await typeOf(`(rec (type $a (struct (field (ref null $b)))) (type $b (sub (array (ref $a)))))
		(func (export "f") (result (ref null $b)))`);
	assert.deepEqual(rec, {
		kind: "func",
		type: {
			params: [],
			results: ["(ref null (rec (struct (field (ref null rec.1))) (sub (array (ref rec.0)))).1)"],
		},
	});
});

const doubling = (steps: number): string => {
	const types = Array.from({ length: steps }, (_, i) => `(type (struct (field (ref ${i})) (field (ref ${i}))))`);
	return `(module (type (struct)) ${types.join(" ")} (func (export "f") (param (ref ${steps}))))`;
};

test("types that print to more than the limit are refused where they are used", async () => {
	const small = decodeModuleInterface(await parse(doubling(4)));
	assert.equal(small.exports.length, 1);
	for (const text of [doubling(40), chain(2000)]) {
		const bytes = await parse(text);
		assert.throws(() => decodeModuleInterface(bytes), { code: "binary/limit" });
	}
});

function chain(steps: number): string {
	const types = Array.from({ length: steps }, (_, i) => `(type (array (ref ${i})))`);
	return `(module (type (struct)) ${types.join(" ")} (func (export "f") (param (ref ${steps}))))`;
}

test("what is not a module, or not a valid one, is refused by code", () => {
	const cases: readonly (readonly [string, readonly number[], string])[] = [
		["nothing", [], "binary/not-wasm"],
		["text", [0x28, 0x6d, 0x6f, 0x64, 0x75, 0x6c, 0x65, 0x29], "binary/not-wasm"],
		["half a preamble", PREAMBLE.slice(0, 6), "binary/truncated"],
		["a component", [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00], "binary/component"],
		["a later version", [0x00, 0x61, 0x73, 0x6d, 0x02, 0x00, 0x00, 0x00], "binary/malformed"],
		["an empty module", PREAMBLE, "accepted"],
		["an unknown section", [...PREAMBLE, 14, 0], "binary/malformed"],
		["sections out of order", [...PREAMBLE, 3, 1, 0, 1, 1, 0], "binary/malformed"],
		["a section twice", [...PREAMBLE, 1, 1, 0, 1, 1, 0], "binary/malformed"],
		["a section longer than the file", [...PREAMBLE, 1, 9, 0], "binary/truncated"],
		["bytes left in a section", [...PREAMBLE, 1, 2, 0, 0], "binary/malformed"],
		["2^32 - 1 types", [...PREAMBLE, 1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f], "binary/limit"],
		["a million functions in no bytes", [...PREAMBLE, 3, 3, 0xc0, 0x84, 0x3d], "binary/truncated"],
		["an import of an unknown type", [...PREAMBLE, 2, 5, 1, 0, 0, 0, 0], "core/invalid"],
		["an export of an unknown function", [...PREAMBLE, 7, 4, 1, 0, 0, 0], "core/invalid"],
		["two imports of one name", [...PREAMBLE, 1, 4, 1, 0x60, 0, 0, 2, 9, 2, 0, 0, 0, 0, 0, 0, 0, 0], "core/invalid"],
		["an endless constant expression", [...PREAMBLE, 6, 4, 1, 0x7f, 0, 0x41], "binary/truncated"],
		["a call in a constant expression", [...PREAMBLE, 6, 5, 1, 0x7f, 0, 0x10, 0], "binary/malformed"],
		["65537 pages", [...PREAMBLE, 2, 8, 1, 0, 0, 2, 0, 0x81, 0x80, 0x04], "core/invalid"],
	];
	for (const [what, bytes, code] of cases) assert.equal(codeOf(bytes), code, what);
});

test("name and producers sections bind nobody", () => {
	assert.deepEqual(decodeNames(Uint8Array.of(0, 3, 2, 0x68, 0x69, 1, 0xff)), { module: "hi", functions: new Map() });
	assert.deepEqual(decodeProducers(Uint8Array.of(1, 1, 0x61, 2, 1, 0x62, 1, 0x63, 9)), [
		{ field: "a", name: "b", version: "c" },
	]);
});
