import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResourceType, ValueType } from "../component/mod.ts";
import { checkValue } from "./check.ts";
import { t } from "./guest.fixture.ts";
import { ComponentInstance, GuestResource, Store } from "./mod.ts";

const store = new Store(undefined);
const R: ResourceType = { name: "r" };
const H: ResourceType = { name: "h" };
store.resources.set(R, { instance: new ComponentInstance(store, null), destructor: null });
store.resources.set(H, { instance: null, destructor: null });

const option = (element: ValueType): ValueType => ({ kind: "option", element });
const list = (element: ValueType, length?: number): ValueType =>
	length === undefined ? { kind: "list", element } : { kind: "list", element, length };
const record: ValueType = {
	kind: "record",
	fields: [
		{ name: "file-name", key: "fileName", type: t("string") },
		{ name: "size", key: "size", type: option(t("u64")) },
	],
};
const variant: ValueType = {
	kind: "variant",
	cases: [
		{ name: "none-at-all", type: null },
		{ name: "some", type: t("u8") },
	],
};
const flags: ValueType = { kind: "flags", names: ["read", "write-all"], keys: ["read", "writeAll"] };
/** Labels of the names that every object inherits something under. */
const inherited: ValueType = {
	kind: "record",
	fields: [
		{ name: "constructor", key: "constructor", type: option(t("u8")) },
		{ name: "value-of", key: "valueOf", type: { kind: "flags", names: ["to-string"], keys: ["toString"] } },
	],
};
/** Typed arrays that have lost what they were views of. */
function lose(): Uint8Array[] {
	const [moved, shrunk] = [new Uint8Array(2), new ArrayBuffer(2, { maxByteLength: 2 })];
	const views = [moved, new Uint8Array(shrunk, 1, 1)];
	structuredClone(moved, { transfer: [moved.buffer] });
	shrunk.resize(0);
	return views;
}
const map: ValueType = { kind: "map", key: t("string"), value: t("u8") };
const spent = new GuestResource(R, 1, false, store.epoch);
GuestResource.spend(spent);

const RIGHT: [type: ValueType, values: unknown[]][] = [
	[t("bool"), [true, false]],
	[t("u8"), [0, 255, -0]],
	[{ kind: "s8" }, [-128, 127]],
	[t("u64"), [0n, 2n ** 64n - 1n]],
	[{ kind: "s64" }, [-(2n ** 63n), 2n ** 63n - 1n]],
	[t("f32"), [NaN, Infinity, 1.1]],
	[t("char"), ["a", "🍰", "\0"]],
	[t("string"), ["", "🍰"]],
	[list(t("u8")), [[], [1, 2], new Uint8Array(3), new Uint16Array([255])]],
	[list(t("string")), [[], ["a"]]],
	[list(t("u8"), 2), [[1, 2], new Uint8Array(2)]],
	[map, [new Map(), new Map([["a", 1]])]],
	[record, [{ fileName: "a", size: undefined }, { fileName: "a" }, { fileName: "a", size: 1n, more: 1 }]],
	[inherited, [{ valueOf: {} }, { constructor: 1, valueOf: { toString: true } }]],
	[{ kind: "tuple", elements: [t("u8"), t("string")] }, [[1, "a"]]],
	[flags, [{}, { read: true }, { read: false, writeAll: true }]],
	[{ kind: "enum", names: ["a-b"] }, ["a-b"]],
	[variant, [{ tag: "none-at-all" }, { tag: "some", val: 1 }]],
	[option(t("u8")), [undefined, 1]],
	[option(option(t("u8"))), [{ tag: "none" }, { tag: "some", val: undefined }, { tag: "some", val: 1 }]],
	[{ kind: "result", ok: null, err: t("u8") }, [{ tag: "ok" }, { tag: "ok", val: "ignored" }, { tag: "err", val: 1 }]],
	[{ kind: "own", resource: H }, [0, 1, {}]],
	[{ kind: "own", resource: R }, [new GuestResource(R, 1, false, store.epoch)]],
	[
		{ kind: "borrow", resource: R },
		[new GuestResource(R, 1, false, store.epoch), new GuestResource(R, 1, true, store.epoch)],
	],
];

for (const [type, values] of RIGHT) {
	test(`${type.kind}: what fits is accepted`, () => {
		for (const value of values) checkValue(store, type, value, "x");
	});
}

const WRONG: [type: ValueType, value: unknown, message: string][] = [
	[t("bool"), 1, "x: expected bool, got 1"],
	[t("u8"), 256, "x: expected u8, got 256"],
	[t("u8"), -1, "x: expected u8, got -1"],
	[t("u8"), 1.5, "x: expected u8, got 1.5"],
	[t("u8"), NaN, "x: expected u8, got NaN"],
	[t("u8"), 1n, "x: expected u8, got 1n"],
	[t("s32"), 2 ** 31, "x: expected s32, got 2147483648"],
	[t("u32"), "5", 'x: expected u32, got "5"'],
	[t("u64"), 5, "x: expected u64, got 5"],
	[t("u64"), -1n, "x: expected u64, got -1n"],
	[{ kind: "s64" }, 2n ** 63n, "x: expected s64, got 9223372036854775808n"],
	[t("f64"), "1", 'x: expected f64, got "1"'],
	[t("char"), "", 'x: expected char, got ""'],
	[t("char"), "ab", 'x: expected char, got "ab"'],
	[t("char"), "\ud800", 'x: expected char, got "\\ud800"'],
	[t("string"), null, "x: expected string, got null"],
	[t("string"), "a\udc00", 'x: expected string without lone surrogates, got "a\\udc00"'],
	[t("string"), "a".repeat(2 ** 27), `x: expected string of at most 134217727 UTF-16 units, got "${"a".repeat(60)}"…`],
	[list(t("u8")), "ab", 'x: expected list<u8>, got "ab"'],
	[list(t("u8")), [1, 2, 300], "x[2]: expected u8, got 300"],
	[list(t("u8")), new Uint16Array([256]), "x[0]: expected u8, got 256"],
	[list(t("u8")), new DataView(new ArrayBuffer(1)), "x: expected list<u8>, got an object (DataView)"],
	...lose().map((array): [ValueType, unknown, string] => [
		list(t("u8")),
		array,
		"x: expected list<u8>, got a typed array whose buffer was transferred or made smaller",
	]),
	[list(t("u8"), 2), [1], "x: expected list<u8, 2>, got an array of 1"],
	[list(list(record)), [[], [{ fileName: 3 }]], "x[1][0] → fileName: expected string, got 3"],
	[map, {}, "x: expected map<string, u8>, got an object (Object)"],
	[map, new Map([["k", 256]]), 'x["k"]: expected u8, got 256'],
	[map, new Map([[1, 1]]), "x → key: expected string, got 1"],
	[record, undefined, "x: expected record {fileName, size}, got undefined"],
	[record, { fileName: "a", size: 1 }, "x → size: expected u64, got 1"],
	[{ kind: "tuple", elements: [t("u8")] }, [], "x: expected tuple<u8>, got an array of 0"],
	[{ kind: "tuple", elements: [t("u8"), t("bool")] }, [1, 0], "x[1]: expected bool, got 0"],
	[flags, ["read"], "x: expected flags {read, writeAll}, got an array of 1"],
	[flags, { writeAll: 1 }, "x → writeAll: expected bool, got 1"],
	[inherited, {}, "x → valueOf: expected flags {toString}, got undefined"],
	[inherited, { constructor: "a", valueOf: {} }, 'x → constructor: expected u8, got "a"'],
	[{ kind: "enum", names: ["a", "b"] }, "c", 'x: expected enum a | b, got "c"'],
	[variant, { tag: "other" }, 'x: expected variant none-at-all | some, got an object with tag "other"'],
	[variant, { tag: "some" }, "x → some: expected u8, got undefined"],
	[option(t("u8")), null, "x: expected u8, got null"],
	[option(option(t("u8"))), undefined, "x: expected option<option<u8>>, got undefined"],
	[{ kind: "result", ok: null, err: t("u8") }, { tag: "err", val: "e" }, 'x → err: expected u8, got "e"'],
	[{ kind: "result", ok: null, err: t("u8") }, undefined, "x: expected result<_, u8>, got undefined"],
	[{ kind: "own", resource: H }, undefined, "x: expected own<h>, got undefined"],
	[{ kind: "own", resource: H }, null, "x: expected own<h>, got null"],
	[{ kind: "own", resource: R }, 5, "x: expected own<r>, got 5"],
	[{ kind: "own", resource: R }, spent, "x: expected own<r>, got a spent r"],
	[{ kind: "own", resource: R }, new GuestResource(R, 1, true, store.epoch), "x: expected own<r>, got a borrowed r"],
	[{ kind: "borrow", resource: R }, new GuestResource(H, 1, false, store.epoch), "x: expected borrow<r>, got a h"],
	[
		{ kind: "own", resource: R },
		new GuestResource(R, 1, false, new Store(undefined).epoch),
		"x: expected own<r>, got a r",
	],
	[t("u8"), "y".repeat(100), `x: expected u8, got "${"y".repeat(60)}"…`],
];

for (const [type, value, message] of WRONG) {
	test(message, () => {
		assert.throws(() => checkValue(store, type, value, "x"), { name: "SkerryError", code: "call/bad-value", message });
	});
}

test("lists too long to be lowered are refused before anything is allocated", () => {
	assert.throws(() => checkValue(store, list(t("string")), Array.from({ length: 2 ** 25 }), "x"), {
		message: "x: expected list<string> of less than 2^28 bytes, got an array of 33554432",
	});
});
