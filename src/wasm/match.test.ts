import assert from "node:assert/strict";
import { test } from "node:test";
import { matchCoreExternType, matchCoreModuleType } from "./match.ts";
import type { CoreExternType, CoreModuleType } from "./types.ts";

const func = (params: readonly string[], results: readonly string[] = []): CoreExternType => ({
	kind: "func",
	type: { params, results },
});
const global = (type: string, mutable = false): CoreExternType => ({ kind: "global", type, mutable });
const memory = (minimum: bigint, maximum?: bigint, shared = false): CoreExternType => ({
	kind: "memory",
	minimum,
	...(maximum === undefined ? {} : { maximum }),
	shared,
	index: "i32",
});
const table = (element: string, minimum: bigint, index: "i32" | "i64" = "i32"): CoreExternType => ({
	kind: "table",
	element,
	minimum,
	index,
});

test("external types match by the core specification's rules", () => {
	const cases: readonly (readonly [CoreExternType, CoreExternType, string | null])[] = [
		[func(["i32"]), func(["i32"]), null],
		[func(["i32"], ["i64"]), func([]), "expected: (func), found: (func (param i32) (result i64))"],
		[func([]), global("i32"), "expected global, found func"],
		[global("i32"), global("i32", true), "global types differ in mutability"],
		[global("(ref func)"), global("funcref"), null],
		[global("nullref"), global("eqref"), null],
		[global("(ref (struct))"), global("(ref any)"), null],
		[
			global("(ref (func (param i32)))"),
			global("(ref extern)"),
			"expected global type (ref extern), found (ref (func (param i32)))",
		],
		[global("funcref"), global("(ref func)"), "expected global type (ref func), found funcref"],
		[global("(ref func)", true), global("funcref", true), "expected global type funcref, found (ref func)"],
		[memory(2n, 3n), memory(1n), null],
		[memory(2n, 3n), memory(1n, 3n), null],
		[memory(1n), memory(2n), "mismatch in memory limits"],
		[memory(1n), memory(1n, 2n), "mismatch in memory limits"],
		[memory(1n, 2n, true), memory(1n), "mismatch in the shared flag for memories"],
		[table("funcref", 1n), table("funcref", 1n), null],
		[table("externref", 1n), table("funcref", 1n), "expected table element type funcref, found externref"],
		[table("funcref", 1n, "i64"), table("funcref", 1n), "mismatch in index type used for tables"],
	];
	for (const [actual, expected, outcome] of cases) assert.equal(matchCoreExternType(actual, expected), outcome);
});

test("a module may import less and export more", () => {
	const module = (imports: readonly string[], exports: readonly string[]): CoreModuleType => ({
		imports: imports.map((name) => ({ module: "m", name, type: func([]) })),
		exports: new Map(exports.map((name) => [name, func([])])),
	});
	assert.equal(matchCoreModuleType(module(["a"], ["x", "y"]), module(["a", "b"], ["x"])), null);
	assert.equal(matchCoreModuleType(module(["a"], []), module([], [])), "missing expected import `m::a`");
	assert.equal(matchCoreModuleType(module([], []), module([], ["x"])), "missing expected export `x`");
});
