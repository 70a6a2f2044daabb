import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { ValueType } from "../component/mod.ts";
import { createGuest, func, lowerSync, t } from "./guest.fixture.ts";
import { hasMany, hostSizeOf } from "./host-size.ts";
import { hostFunction } from "./host-function.ts";
import { Store } from "./mod.ts";

const list = (element: ValueType): ValueType => ({ kind: "list", element });
const record = (...types: ValueType[]): ValueType => ({
	kind: "record",
	fields: types.map((type, i) => ({ name: `f-${i}`, key: `f${i}`, type })),
});
const times = (count: number, type: ValueType): ValueType[] => Array.from({ length: count }, () => type);

suite("what an element of a list takes in the host", () => {
	const sizes: readonly [type: ValueType, size: number][] = [
		[t("bool"), 16],
		[t("u64"), 40],
		[t("string"), 48],
		[list(t("u8")), 216],
		[list(t("bool")), 80],
		[record(t("bool"), t("string")), 16 + 32 + 8 + 8 + 32],
		[{ kind: "option", element: t("u64") }, 16 + 64 + 24],
	];
	for (const [type, size] of sizes) test(JSON.stringify(type), () => assert.equal(hostSizeOf(type), size));

	test("a type that holds another twice, a hundred times over, is looked at once", () => {
		let type: ValueType = t("string");
		for (let depth = 0; depth < 100; depth++) type = record(type, type);
		assert.equal(hostSizeOf(type), 16 + 2 ** 40);
		assert.ok(hasMany(type));
	});
});

const many: readonly [name: string, type: ValueType, isMany: boolean][] = [
	["four strings", record(...times(4, t("string"))), false],
	["five strings", record(...times(5, t("string"))), true],
	["five lists of numbers", { kind: "tuple", elements: times(5, list(t("u16"))) }, true],
	["lists of strings, whose elements are counted anyway", record(...times(5, list(t("string")))), false],
	["five numbers", record(...times(5, t("u64"))), false],
	["a list of fixed length", { kind: "list", element: t("string"), length: 5 }, true],
	["one of fixed length, of numbers", { kind: "list", element: t("u8"), length: 500 }, false],
];
for (const [name, type, isMany] of many)
	test(`many strings and lists: ${name}`, () => assert.equal(hasMany(type), isMany));

test("many strings that are one piece of memory are counted, few are not", async () => {
	for (const [count, values, isTooMuch] of [
		[4, 100, false],
		[5, 5 * 1000 - 1, true],
		[5, 5 * 1000, false],
		[20, 20 * 1000 - 1, true],
		[20, 20 * 1000, false],
	] as const) {
		const guest = await createGuest("", {}, new Store(undefined, { values }));
		const seen: unknown[][] = [];
		const type = func(times(count, t("string")));
		const call = lowerSync(
			type,
			hostFunction(type, (...args: unknown[]) => void seen.push(args)),
			guest.options(),
			guest.instance,
		);
		const flat = times(count, t("string")).flatMap(() => [64, 1000]);
		// More than 16 values are in memory
		new Uint32Array(guest.memory.buffer, 8192, flat.length).set(flat);
		const lower = (): unknown => (flat.length > 16 ? call(8192) : call(...flat));
		const message = `too much in the lists of one call (limit "values": ${values})`;
		// Each call is counted by itself
		for (let i = 0; i < 3; i++) {
			if (isTooMuch) assert.throws(lower, { name: "Trap", message });
			else lower();
		}
		assert.deepEqual(
			seen.map((args) => args.length),
			isTooMuch ? [] : [count, count, count],
		);
	}
});
