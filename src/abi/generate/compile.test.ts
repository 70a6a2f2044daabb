import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { FunctionType, ValueType } from "../../component/mod.ts";
import { createGuest, func, type Guest, liftOf, t } from "../guest.fixture.ts";
import type { InterpretedLift } from "../interpret-lift.ts";
import type { CoreFunction } from "../store.ts";
import { compile } from "./compile.ts";
import { generateLift } from "./mod.ts";
import { shapeOf } from "./shape.ts";

const never = (): InterpretedLift => assert.fail("interpreted");

/** A call of `core`, by generated code or not at all. */
function generated(guest: Guest, type: FunctionType, core: CoreFunction): ((...args: unknown[]) => unknown) | null {
	return generateLift(liftOf(guest, type, core), never);
}

const HOSTILE = [
	'"]; globalThis.pwned = true; ["',
	"`${globalThis.pwned = true}`",
	"\\",
	"\\u0022); globalThis.pwned = true; //",
	"*/ globalThis.pwned = true /*",
	"\u2028globalThis.pwned = true",
	"\n globalThis.pwned = true",
	"'",
	"constructor",
	"toString",
	"hasOwnProperty",
	"</script>",
	"\0",
	"\ud800",
	"$&",
];

test("names are never code, wherever a type has them", async () => {
	const guest = await createGuest('(func (export "same") (param i32) (result i32) (local.get 0))');
	const record: ValueType = { kind: "record", fields: HOSTILE.map((key) => ({ name: key, key, type: t("u8") })) };
	const flags: ValueType = { kind: "flags", names: HOSTILE, keys: HOSTILE };
	const enumeration: ValueType = { kind: "enum", names: HOSTILE };
	const few: ValueType = { kind: "variant", cases: HOSTILE.slice(0, 4).map((name) => ({ name, type: t("u8") })) };
	const many: ValueType = { kind: "variant", cases: HOSTILE.map((name) => ({ name, type: t("u8") })) };
	// More than 16 flat values, so that memory goes to the guest and back.
	const type = func([record, flags, enumeration, few, many], {
		kind: "tuple",
		elements: [record, flags, enumeration, few, many],
	});
	const params = type.params.map((param, i) => ({ name: HOSTILE[i]!, type: param.type }));
	const call = generated(guest, { ...type, params }, guest.exports["same"]!);
	assert.ok(call !== null);
	for (const [i, name] of HOSTILE.entries()) {
		const values = [
			Object.fromEntries(HOSTILE.map((key, n) => [key, n + i])),
			Object.fromEntries(HOSTILE.map((key, n) => [key, n === i])),
			name,
			{ tag: HOSTILE[i % 4], val: 1 },
			{ tag: name, val: 2 },
		];
		assert.deepEqual(call(...values), values);
	}
	assert.equal("pwned" in globalThis, false);
});

const record = (key: string): ValueType => ({ kind: "record", fields: [{ name: key, key, type: t("u8") }] });
const wide = (depth: number): ValueType =>
	depth === 0 ? t("u8") : { kind: "tuple", elements: [wide(depth - 1), wide(depth - 1)] };

const RARE: [what: string, type: FunctionType][] = [
	["a property that is the prototype's name", func([record("__proto__")])],
	["a type of too many nodes", func([wide(10)])],
	["names that are too long", func([record("a".repeat(20_000)), t("u8")])],
	["too many names", func([{ kind: "enum", names: Array.from({ length: 600 }, (_, i) => `e${i}`) }])],
];

for (const [what, type] of RARE) {
	test(`rare shapes are left to the interpreter: ${what}`, async () => {
		assert.equal(
			generated(await createGuest(), type, () => undefined),
			null,
		);
	});
}

test("functions of one shape share their code, whatever they and their resources are called", () => {
	const a = { name: "a" };
	const b = { name: "b" };
	const own = (resource: { name: string }): ValueType => ({ kind: "own", resource });
	const shape = (type: FunctionType): string | undefined => shapeOf(type)?.key;
	assert.equal(shape(func([own(a), own(a)])), shape(func([own(b), own(b)])));
	assert.notEqual(shape(func([own(a), own(b)])), shape(func([own(a), own(a)])), "which of them are one is a part");
	assert.notEqual(shape(func([t("u8"), t("u8")])), shape(func([t("u8")], t("u8"))));
	assert.notEqual(shape(func([record('a"record')])), shape(func([record("a")])));
	const write = (): string => "return 1;";
	const first = compile(func([own(a)]), "of this test", write, false);
	const second = compile(func([own(b)]), "of this test", () => assert.fail("written again"), true);
	assert.equal(first?.bind, second?.bind);
	assert.deepEqual([first?.resources, second?.resources], [[a], [b]]);
	assert.equal(compile(func([own(a)]), "never written", write, true), null);
});

test("where code must not be made of strings, the interpreter serves", () => {
	const mod = fileURLToPath(new URL("../mod.ts", import.meta.url));
	const script = `
		import { canonLift, canonLower, ComponentInstance, hostFunction, Store } from ${JSON.stringify(mod)};
		const u32 = { kind: "u32" };
		const params = ["a", "b"].map((name) => ({ name, type: u32 }));
		const type = { kind: "func", async: false, params, result: u32 };
		const options = { encoding: "utf8", memory: null, realloc: null, postReturn: null };
		const instance = new ComponentInstance(new Store(), null);
		const add = canonLower(type, hostFunction(type, (a, b) => a + b), options, instance);
		console.log(canonLift(type, (a, b) => add(a, b), options, instance).call([3, 4]));`;
	const { stdout, stderr } = spawnSync(
		process.execPath,
		["--no-warnings", "--disallow-code-generation-from-strings", "--input-type=module", "--eval", script],
		{ encoding: "utf8" },
	);
	assert.deepEqual({ stdout, stderr }, { stdout: "7\n", stderr: "" });
});
