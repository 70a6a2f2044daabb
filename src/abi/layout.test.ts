import assert from "node:assert/strict";
import { test } from "node:test";
import type { ValueType } from "../component/mod.ts";
import { t } from "./guest.fixture.ts";
import { layoutOf } from "./layout.ts";

const record = (...types: ValueType[]): ValueType => ({
	kind: "record",
	fields: types.map((type, i) => ({ name: `f${i}`, key: `f${i}`, type })),
});
const tuple = (...elements: ValueType[]): ValueType => ({ kind: "tuple", elements });
const variant = (...types: (ValueType | null)[]): ValueType => ({
	kind: "variant",
	cases: types.map((type, i) => ({ name: `c${i}`, type })),
});
const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `n${i}`);
const flags = (count: number): ValueType => ({ kind: "flags", names: names(count), keys: names(count) });
const enumeration = (count: number): ValueType => ({ kind: "enum", names: names(count) });

const CASES: [what: string, type: ValueType, size: number, alignment: number][] = [
	["bool", t("bool"), 1, 1],
	["u8", t("u8"), 1, 1],
	["s16", { kind: "s16" }, 2, 2],
	["u32", t("u32"), 4, 4],
	["s64", { kind: "s64" }, 8, 8],
	["f32", t("f32"), 4, 4],
	["f64", t("f64"), 8, 8],
	["char", t("char"), 4, 4],
	["string", t("string"), 8, 4],
	["list", { kind: "list", element: t("u64") }, 8, 4],
	["fixed-length list", { kind: "list", element: { kind: "u16" }, length: 3 }, 6, 2],
	["map", { kind: "map", key: t("u8"), value: t("u64") }, 8, 4],
	["record with padding inside and at the end", record(t("u8"), t("u32"), t("u8")), 12, 4],
	["tuple", tuple(t("u8"), { kind: "u16" }, t("u8")), 6, 2],
	["tuple of u64 last", tuple(t("u8"), t("u64")), 16, 8],
	["8 flags", flags(8), 1, 1],
	["9 flags", flags(9), 2, 2],
	["16 flags", flags(16), 2, 2],
	["17 flags", flags(17), 4, 4],
	["32 flags", flags(32), 4, 4],
	["enum of 1", enumeration(1), 1, 1],
	["enum of 256", enumeration(256), 1, 1],
	["enum of 257", enumeration(257), 2, 2],
	["enum of 65536", enumeration(65536), 2, 2],
	["enum of 65537", enumeration(65537), 4, 4],
	["variant", variant(t("u8"), null, t("u64")), 16, 8],
	["variant without payloads", variant(null, null), 1, 1],
	["option<u8>", { kind: "option", element: t("u8") }, 2, 1],
	["option<u64>", { kind: "option", element: t("u64") }, 16, 8],
	["result<_, u16>", { kind: "result", ok: null, err: { kind: "u16" } }, 4, 2],
	["result", { kind: "result", ok: null, err: null }, 1, 1],
	["own", { kind: "own", resource: { name: "r" } }, 4, 4],
	["borrow", { kind: "borrow", resource: { name: "r" } }, 4, 4],
];

for (const [what, type, size, alignment] of CASES) {
	test(`layout of ${what}`, () => {
		const layout = layoutOf(type);
		assert.deepEqual({ size: layout.size, alignment: layout.alignment }, { size, alignment });
		assert.equal(layoutOf(type), layout, "computed once");
	});
}

test("offsets of fields, and of a variant's payload", () => {
	assert.deepEqual(layoutOf(record(t("u8"), t("u32"), t("u8"), t("u64"))).offsets, [0, 4, 8, 16]);
	assert.equal(layoutOf(variant(t("u8"), t("u32"))).payloadOffset, 4);
	assert.equal(layoutOf({ kind: "option", element: t("u8") }).payloadOffset, 1);
});
