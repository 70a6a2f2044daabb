import assert from "node:assert/strict";
import { test } from "node:test";
import type { ValueType } from "../../component/mod.ts";
import { createGuest, func, type Guest, liftOf, t } from "../guest.fixture.ts";
import { InterpretedLift } from "../interpret-lift.ts";
import { generateLift } from "./mod.ts";
import { scratch } from "./pack.ts";

const pair: ValueType = {
	kind: "record",
	fields: [
		{ name: "x", key: "x", type: t("u32") },
		{ name: "y", key: "y", type: t("s16") },
		{ name: "z", key: "z", type: t("u16") },
	],
};
const list: ValueType = { kind: "list", element: pair };
const SIZE = 8;

interface Call {
	readonly take: (...args: unknown[]) => unknown;
	/** What each call gave the guest, all of its bytes. */
	readonly given: Uint8Array[];
	readonly guest: Guest;
}

/** A function of these parameters, of which the first is a list of elements of `size` bytes. */
async function taking(types: readonly ValueType[], size: number = SIZE): Promise<Call> {
	const guest = await createGuest();
	const given: Uint8Array[] = [];
	const core = (pointer: unknown, length: unknown): undefined => {
		const start = pointer as number;
		given.push(new Uint8Array(guest.options().memory!.buffer, start, (length as number) * size).slice());
	};
	const type = func(types);
	const lift = liftOf(guest, type, core);
	const take = generateLift(lift, () => new InterpretedLift(lift));
	assert.ok(take !== null);
	return { take, given, guest };
}

function bytesOf(values: readonly { x: number; y: number; z: number }[]): Uint8Array {
	const view = new DataView(new ArrayBuffer(values.length * SIZE));
	for (const [i, { x, y, z }] of values.entries()) {
		view.setUint32(i * SIZE, x, true);
		view.setInt16(i * SIZE + 4, y, true);
		view.setUint16(i * SIZE + 6, z, true);
	}
	return new Uint8Array(view.buffer);
}

const some = [
	{ x: 2 ** 32 - 1, y: -5, z: 65_535 },
	{ x: 7, y: 2, z: 1 },
];

class Point {
	get x(): number {
		return 9;
	}
	readonly y = -1;
	readonly z = 3;
}

const RIGHT: [what: string, values: readonly { x: number; y: number; z: number }[]][] = [
	["records", some],
	["no records", []],
	["objects of classes, with getters", [new Point(), new Point()]],
	["objects without a prototype", [Object.assign(Object.create(null) as object, some[0]!)]],
	["more than are packed", Array.from({ length: 40_000 }, (_, i) => ({ x: i, y: -1, z: i & 0xffff }))],
];

for (const [what, values] of RIGHT) {
	test(`a list of ${what} is in the guest's memory, which is allocated once`, async () => {
		const { take, given, guest } = await taking([list]);
		take(values);
		assert.deepEqual(given, [bytesOf(values)]);
		assert.deepEqual(guest.reallocs, [[0, 0, 4, values.length * SIZE]]);
	});
}

const WRONG: [what: string, values: unknown, message: string][] = [
	["null", [some[0], null], "p0[1]: expected record {x, y, z}, got null"],
	["undefined", [some[0], undefined, some[1]], "p0[1]: expected record {x, y, z}, got undefined"],
	["a number", [3], "p0[0]: expected record {x, y, z}, got 3"],
	["a function", [Object.assign(() => {}, some[0])], "p0[0]: expected record {x, y, z}, got a function"],
	["a fraction", [some[0], { x: 0.5, y: 0, z: 0 }], "p0[1] → x: expected u32, got 0.5"],
	["what is out of range", [{ x: 0, y: 32_768, z: 0 }], "p0[0] → y: expected s16, got 32768"],
	["a missing field", [{ x: 0, y: 0 }], "p0[0] → z: expected u16, got undefined"],
	["no list", { length: 1, 0: some[0] }, "p0: expected list<record {x, y, z}>, got an object (Object)"],
];

for (const [what, values, message] of WRONG) {
	test(`the caller is told of ${what} in a list, and the guest of nothing`, async () => {
		const { take, given, guest } = await taking([list]);
		assert.throws(() => take(values), { code: "call/bad-value", message });
		assert.deepEqual([given, guest.reallocs], [[], []]);
		take(some);
		assert.deepEqual(given, [bytesOf(some)], "it is as it was");
	});
}

test("a getter that passes another list meanwhile does not change this one", async () => {
	const other = await taking([list]);
	const { take, given } = await taking([list, list]);
	const noisy = {
		x: 1,
		y: 2,
		get z() {
			other.take([{ x: 100, y: 100, z: 100 }]);
			return 3;
		},
	};
	const plain = [{ x: 1, y: 2, z: 3 }];
	for (const [first, second] of [
		[[noisy], some],
		[plain, [noisy]],
	]) {
		take(first, second);
	}
	assert.deepEqual(given, [bytesOf(plain), bytesOf(plain)]);
	assert.ok(other.given.length >= 2);
});

test("a getter that calls the same function meanwhile does not change what is passed", async () => {
	const { take, given } = await taking([list, list]);
	let again = true;
	const noisy = {
		x: 1,
		y: 2,
		get z() {
			if (again) {
				again = false;
				take([{ x: 100, y: 100, z: 100 }], some);
			}
			return 3;
		},
	};
	take([{ x: 1, y: 2, z: 3 }], [noisy]);
	assert.deepEqual(given, [bytesOf([{ x: 100, y: 100, z: 100 }]), bytesOf([{ x: 1, y: 2, z: 3 }])]);
});

test("a getter that shortens its list is found out, or read for what it is", async () => {
	const { take, given } = await taking([list]);
	const values: unknown[] = [
		{
			x: 1,
			y: 2,
			get z() {
				values.length = 1;
				return 3;
			},
		},
		some[0],
	];
	take(values);
	assert.deepEqual(given, [bytesOf([{ x: 1, y: 2, z: 3 }])]);
});

test("padding is the guest's: what has any is not packed", async () => {
	const padded: ValueType = { kind: "tuple", elements: [t("u32"), t("u8")] };
	const { take, given, guest } = await taking([{ kind: "list", element: padded }]);
	new Uint8Array(guest.options().memory!.buffer).fill(0xaa, 1024);
	const { ticket } = scratch;
	take([[1, 2]]);
	assert.deepEqual(given, [Uint8Array.of(1, 0, 0, 0, 2, 0xaa, 0xaa, 0xaa)]);
	assert.equal(scratch.ticket, ticket);
});

test("tuples and records in records are packed", async () => {
	const inner: ValueType = { kind: "tuple", elements: [t("u8"), t("bool")] };
	const outer: ValueType = {
		kind: "record",
		fields: [
			{ name: "a", key: "a", type: inner },
			{ name: "b", key: "b", type: t("s16") },
		],
	};
	const { take, given } = await taking([{ kind: "list", element: outer }], 4);
	const { ticket } = scratch;
	take([{ a: [200, true], b: -2 }]);
	assert.deepEqual(given, [Uint8Array.of(200, 1, 0xfe, 0xff)]);
	assert.equal(scratch.ticket, ticket + 1);
	assert.throws(() => take([{ a: [200, true, 1], b: -2 }]), { code: "call/bad-value" });
});
