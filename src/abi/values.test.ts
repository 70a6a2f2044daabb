import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import * as fc from "fast-check";
import { flattenType, type ValueType } from "../component/mod.ts";
import { Trap } from "../fault/mod.ts";
import { createGuest, func, lowerSync, t } from "./guest.fixture.ts";
import { layoutOf } from "./layout.ts";
import { canonLift, type CoreValue, hostFunction } from "./mod.ts";

interface Sample {
	readonly type: ValueType;
	readonly values: fc.Arbitrary<unknown>;
}

const NUMBERS: Record<string, [fc.Arbitrary<unknown>, (values: any[]) => unknown]> = {
	u8: [fc.integer({ min: 0, max: 255 }), (v) => Uint8Array.from(v)],
	s8: [fc.integer({ min: -128, max: 127 }), (v) => Int8Array.from(v)],
	u16: [fc.integer({ min: 0, max: 65535 }), (v) => Uint16Array.from(v)],
	s16: [fc.integer({ min: -32768, max: 32767 }), (v) => Int16Array.from(v)],
	u32: [fc.integer({ min: 0, max: 2 ** 32 - 1 }), (v) => Uint32Array.from(v)],
	s32: [fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (v) => Int32Array.from(v)],
	u64: [fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (v) => BigUint64Array.from(v)],
	s64: [fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (v) => BigInt64Array.from(v)],
	f32: [fc.float(), (v) => Float32Array.from(v)],
	f64: [fc.double(), (v) => Float64Array.from(v)],
};

const primitives: fc.Arbitrary<Sample> = fc.constantFrom(
	...Object.entries(NUMBERS).map(([kind, [values]]) => ({ type: { kind } as ValueType, values })),
	{ type: t("bool"), values: fc.boolean() },
	{ type: t("char"), values: fc.string({ unit: "binary", minLength: 1, maxLength: 1 }) },
	{ type: t("string"), values: fc.string({ unit: "binary" }) },
	{ type: { kind: "enum", names: ["a", "b", "c"] }, values: fc.constantFrom("a", "b", "c") },
	{
		type: { kind: "flags", names: ["a", "b-c"], keys: ["a", "bC"] },
		values: fc.record({ a: fc.boolean(), bC: fc.boolean() }, { noNullPrototype: true }),
	},
);

function toList({ type, values }: Sample, length: number | undefined): Sample {
	const lengths = length === undefined ? { maxLength: 5 } : { minLength: length, maxLength: length };
	const arrays = fc.array(values, lengths);
	const typed = NUMBERS[type.kind]?.[1];
	return {
		type: length === undefined ? { kind: "list", element: type } : { kind: "list", element: type, length },
		values: typed === undefined ? arrays : arrays.map(typed),
	};
}

function toVariant(samples: readonly (Sample | null)[]): Sample {
	const cases = samples.map((sample, i) => ({ name: `c-${i}`, type: sample?.type ?? null }));
	const values = samples.map((sample, i) =>
		sample === null
			? fc.constant({ tag: `c-${i}` })
			: fc.record({ tag: fc.constant(`c-${i}`), val: sample.values }, { noNullPrototype: true }),
	);
	return { type: { kind: "variant", cases }, values: fc.oneof(...values) };
}

function toOption({ type, values }: Sample): Sample {
	const nested = type.kind === "option";
	const some = nested ? fc.record({ tag: fc.constant("some"), val: values }, { noNullPrototype: true }) : values;
	const none = fc.constant(nested ? { tag: "none" } : undefined);
	return { type: { kind: "option", element: type }, values: fc.oneof(some, none) };
}

function toResult(ok: Sample | null, err: Sample | null): Sample {
	const side = (tag: string, sample: Sample | null): fc.Arbitrary<unknown> =>
		sample === null
			? fc.constant({ tag })
			: fc.record({ tag: fc.constant(tag), val: sample.values }, { noNullPrototype: true });
	const type: ValueType = { kind: "result", ok: ok?.type ?? null, err: err?.type ?? null };
	return { type, values: fc.oneof(side("ok", ok), side("err", err)) };
}

function toRecord(samples: readonly Sample[]): Sample {
	const fields = samples.map((sample, i) => ({ name: `f-${i}`, key: `f${i}`, type: sample.type }));
	const values = fc.record(Object.fromEntries(samples.map((sample, i) => [`f${i}`, sample.values])), {
		noNullPrototype: true,
	});
	return { type: { kind: "record", fields }, values };
}

function toTuple(samples: readonly Sample[]): Sample {
	return {
		type: { kind: "tuple", elements: samples.map((sample) => sample.type) },
		values: fc.tuple(...samples.map((sample) => sample.values)),
	};
}

function toMap({ type, values }: Sample): Sample {
	const entries = fc.array(fc.tuple(fc.string({ unit: "binary" }), values), { maxLength: 4 });
	return { type: { kind: "map", key: t("string"), value: type }, values: entries.map((pairs) => new Map(pairs)) };
}

const samples: fc.Arbitrary<Sample> = fc.letrec<{ any: Sample }>((tie) => ({
	any: fc.oneof(
		{ depthSize: "small", withCrossShrink: true },
		primitives,
		fc.tuple(tie("any"), fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined })).map(([s, n]) => toList(s, n)),
		fc.array(tie("any"), { minLength: 1, maxLength: 4 }).map(toRecord),
		fc.array(tie("any"), { minLength: 1, maxLength: 4 }).map(toTuple),
		fc.array(fc.option(tie("any")), { minLength: 1, maxLength: 4 }).map(toVariant),
		tie("any").map(toOption),
		fc.tuple(fc.option(tie("any")), fc.option(tie("any"))).map(([ok, err]) => toResult(ok, err)),
		tie("any").map(toMap),
	),
})).any;

const sampleAndValue = samples.chain(({ type, values }) => fc.tuple(fc.constant(type), values));
const ENCODINGS = fc.constantFrom<("utf8" | "utf16" | "latin1+utf16")[]>("utf8", "utf16", "latin1+utf16");
const PADDING: readonly ValueType[] = Array.from({ length: 17 }, () => t("u8"));
const ZEROS = PADDING.map(() => 0);

test("any value survives host → memory → host", async () => {
	// More than 16 flat values: the core function gets a pointer, and returns it.
	const guest = await createGuest('(func (export "same") (param i32) (result i32) (local.get 0))');
	fc.assert(
		fc.property(sampleAndValue, ENCODINGS, ([type, value], encoding) => {
			const wide: ValueType = { kind: "tuple", elements: [type, ...PADDING] };
			const same = canonLift(func([wide], wide), guest.exports["same"]!, guest.options({ encoding }), guest.instance);
			assert.deepEqual(same.call([[value, ...ZEROS]]), [value, ...ZEROS]);
			assert.equal(guest.instance.mayLeave, true);
			assert.equal(guest.instance.entered, false);
		}),
		{ numRuns: 300 },
	);
});

test("any value survives host → flat → host, and its flat values are those of its type", async () => {
	const guest = await createGuest();
	fc.assert(
		fc.property(sampleAndValue, ENCODINGS, ([type, value], encoding) => {
			const slots = flattenType(type);
			fc.pre(slots.length <= 16);
			let got: unknown;
			const options = guest.options({ encoding });
			const sink = hostFunction(func([type]), (v) => {
				got = v;
			});
			const lowered = lowerSync(func([type]), sink, options, guest.instance);
			const core = (...flat: CoreValue[]): undefined => {
				const kinds = flat.map((v) => (typeof v === "bigint" ? "bigint" : "number"));
				assert.deepEqual(
					kinds,
					slots.map((slot) => (slot === "i64" ? "bigint" : "number")),
				);
				lowered(...flat);
			};
			canonLift(func([type]), core, options, guest.instance).call([value]);
			assert.deepEqual(got, value);
		}),
		{ numRuns: 300 },
	);
});

test("any value survives guest → guest in every pair of encodings", async () => {
	const source = await createGuest('(func (export "same") (param i32) (result i32) (local.get 0))');
	const target = await createGuest('(func (export "same") (param i32) (result i32) (local.get 0))', {}, source.store);
	fc.assert(
		fc.property(sampleAndValue, ENCODINGS, ENCODINGS, ([type, value], from, to) => {
			const wide: ValueType = { kind: "tuple", elements: [type, ...PADDING] };
			const same = func([wide], wide);
			const inner = canonLift(same, target.exports["same"]!, target.options({ encoding: to }), target.instance);
			const through = lowerSync(same, inner, source.options({ encoding: from }), source.instance);
			const { size, alignment } = layoutOf(wide);
			const outer = canonLift(
				same,
				(pointer) => {
					const result = Number(source.exports["realloc"]!(0, 0, alignment, size));
					through(pointer, result);
					return result;
				},
				source.options({ encoding: from }),
				source.instance,
			);
			assert.deepEqual(outer.call([[value, ...ZEROS]]), [value, ...ZEROS]);
		}),
		{ numRuns: 150 },
	);
});

test("a map between guests keeps its order and its duplicates", async () => {
	const type = func([{ kind: "map", key: t("u8"), value: t("u8") }]);
	const source = await createGuest();
	const target = await createGuest("", {}, source.store);
	const pairs = [9, 1, 3, 2, 9, 3];
	new Uint8Array(source.memory.buffer).set(pairs, 64);
	let arrived: number[] = [];
	const core = (pointer?: CoreValue, length?: CoreValue): undefined => {
		arrived = [...new Uint8Array(target.memory.buffer, Number(pointer), Number(length) * 2)];
	};
	const lifted = canonLift(type, core, target.options(), target.instance);
	lowerSync(type, lifted, source.options(), source.instance)(64, 3);
	assert.deepEqual(arrived, pairs);
	let host: unknown;
	const sink = hostFunction(type, (map) => {
		host = map;
	});
	lowerSync(type, sink, source.options(), source.instance)(64, 3);
	assert.deepEqual(
		host,
		new Map([
			[9, 3],
			[3, 2],
		]),
	);
});

const LIFTED: [what: string, type: ValueType, flat: CoreValue, value: unknown][] = [
	["bool 0", t("bool"), 0, false],
	["bool 1", t("bool"), 1, true],
	["bool 2", t("bool"), 2, true],
	["bool -1", t("bool"), -1, true],
	["u8", t("u8"), 0xf01, 1],
	["u8 of -1", t("u8"), -1, 255],
	["s8", { kind: "s8" }, 0xff, -1],
	["s8 of 0x80", { kind: "s8" }, 0x17f, 127],
	["u16", { kind: "u16" }, -1, 0xffff],
	["s16", { kind: "s16" }, 0x1_8000, -0x8000],
	["u32", t("u32"), -1, 0xffff_ffff],
	["s32", t("s32"), -1, -1],
	["u64", t("u64"), -1n, 2n ** 64n - 1n],
	["s64", { kind: "s64" }, -1n, -1n],
	["char", t("char"), 0x1f370, "🍰"],
	["char U+D7FF", t("char"), 0xd7ff, "\ud7ff"],
	["char U+E000", t("char"), 0xe000, "\ue000"],
	["char U+10FFFF", t("char"), 0x10ffff, "\u{10ffff}"],
	["flags above the last are ignored", { kind: "flags", names: ["a"], keys: ["a"] }, 0xffff_fffe, { a: false }],
];

for (const [what, type, flat, value] of LIFTED) {
	test(`rule 24: ${what} is lifted as ${inspect(value)}`, async () => {
		const guest = await createGuest();
		assert.deepEqual(canonLift(func([], type), () => flat, guest.options(), guest.instance).call([]), value);
	});
}

test("rule 24: narrow values and bools in memory are lifted the same way", async () => {
	const type: ValueType = { kind: "tuple", elements: [t("bool"), t("u8"), { kind: "s16" }, { kind: "s8" }] };
	const guest = await createGuest();
	new Uint8Array(guest.memory.buffer).set([7, 255, 0, 0x80, 0xff], 64);
	const lifted = canonLift(func([], type), () => 64, guest.options(), guest.instance);
	assert.deepEqual(lifted.call([]), [true, 255, -0x8000, -1]);
});

for (const bits of [0xd800, 0xdfff, 0x110000, -1]) {
	test(`rule 24: char 0x${(bits >>> 0).toString(16)} traps`, async () => {
		const guest = await createGuest();
		const lifted = canonLift(func([], t("char")), () => bits, guest.options(), guest.instance);
		assert.throws(
			() => lifted.call([]),
			(error) => error instanceof Trap && error.message === "invalid `char` bit pattern",
		);
	});
}

test("rule 24: NaN is canonical after lifting: flat, in memory, in lists, in joins", async () => {
	const guest = await createGuest();
	const bytes = new Uint8Array(guest.memory.buffer);
	// a signalling and a negative NaN with payload
	bytes.set([1, 0, 0xa0, 0x7f, 0xff, 0xff, 0xff, 0xff], 64);
	const view = new DataView(guest.memory.buffer);
	view.setUint32(16, 64, true);
	view.setUint32(20, 2, true);
	const list = canonLift(func([], { kind: "list", element: t("f32") }), () => 16, guest.options(), guest.instance);
	const numbers = list.call([]) as Float32Array;
	assert.deepEqual([...new Uint32Array(numbers.buffer)], [0x7fc00000, 0x7fc00000]);
	const either: ValueType = {
		kind: "variant",
		cases: [
			{ name: "f", type: t("f32") },
			{ name: "l", type: t("u64") },
		],
	};
	let got: unknown;
	const sink = hostFunction(func([either]), (v) => {
		got = v;
	});
	const lowered = lowerSync(func([either]), sink, guest.options(), guest.instance);
	lowered(0, 0xffff_ffff_ffa0_0001n);
	assert.deepEqual(got, { tag: "f", val: NaN });
	lowered(0, 0xffff_ffff_4049_0fdbn);
	assert.deepEqual(got, { tag: "f", val: Math.fround(Math.PI) }, "the high half of the slot is dropped");
	lowered(1, 0xfedc_ba98_7654_3210n);
	assert.deepEqual(got, { tag: "l", val: 0xfedc_ba98_7654_3210n });
});

test("joins: each pair of payload types shares a slot, in both directions", async () => {
	const guest = await createGuest();
	const kinds = ["u8", "s32", "u64", "f32", "f64"] as const;
	const values = { u8: 200, s32: -5, u64: 2n ** 63n, f32: 1.5, f64: -0.1 };
	for (const a of kinds) {
		for (const b of kinds) {
			const type: ValueType = {
				kind: "variant",
				cases: [
					{ name: "a", type: { kind: a } },
					{ name: "b", type: { kind: "option", element: { kind: "result", ok: { kind: b }, err: null } } },
				],
			};
			for (const value of [
				{ tag: "a", val: values[a] },
				{ tag: "b", val: { tag: "ok", val: values[b] } },
			]) {
				let got: unknown;
				const sink = hostFunction(func([type]), (v) => {
					got = v;
				});
				const lowered = lowerSync(func([type]), sink, guest.options(), guest.instance);
				const core = (...flat: CoreValue[]): undefined => void lowered(...flat);
				canonLift(func([type]), core, guest.options(), guest.instance).call([value]);
				assert.deepEqual(got, value, `${a} | ${b}`);
			}
		}
	}
	// A negative s32 in an i64 slot is extended with zeros.
	const wide: ValueType = { kind: "result", ok: t("s32"), err: t("u64") };
	const seen: CoreValue[][] = [];
	const core = (...flat: CoreValue[]): undefined => void seen.push(flat);
	canonLift(func([wide]), core, guest.options(), guest.instance).call([{ tag: "ok", val: -1 }]);
	assert.deepEqual(seen, [[0, 0xffff_ffffn]]);
});

const DISCRIMINANTS: [type: ValueType, flat: number][] = [
	[{ kind: "enum", names: ["a", "b"] }, 2],
	[{ kind: "variant", cases: [{ name: "x", type: null }] }, 1],
	[{ kind: "result", ok: null, err: null }, 2],
	[{ kind: "enum", names: ["a", "b"] }, -1],
];

for (const [type, flat] of DISCRIMINANTS) {
	test(`a ${type.kind} with discriminant ${flat} traps, flat and in memory`, async () => {
		const guest = await createGuest();
		const flatly = canonLift(func([], type), () => flat, guest.options(), guest.instance);
		const expected = { name: "Trap", message: "invalid variant discriminant" };
		assert.throws(() => flatly.call([]), expected);
		const other = await createGuest();
		new Uint8Array(other.memory.buffer)[64] = flat;
		const two = func([], { kind: "tuple", elements: [type, type] });
		const stored = canonLift(two, () => 64, other.options(), other.instance);
		assert.throws(() => stored.call([]), expected);
	});
}

const LISTS: [what: string, element: ValueType, pointer: number, length: number, message: RegExp][] = [
	["an unaligned pointer at length 0", t("u32"), 2, 0, /unaligned pointer/],
	["an unaligned pointer to records", { kind: "tuple", elements: [t("u8"), t("u64")] }, 4, 1, /unaligned pointer/],
	["a pointer outside at length 0", t("u8"), 65537, 0, /list content out-of-bounds/],
	["a pointer near 2^32 at length 0", t("u8"), 2 ** 32 - 1, 0, /list content out-of-bounds/],
	["an end one byte outside", t("u8"), 65535, 2, /list content out-of-bounds/],
	["a length near 2^32", t("u8"), 0, 2 ** 32 - 1, /list content out-of-bounds/],
	["a length near 2^32 of large elements", t("u64"), 0, 2 ** 32 - 1, /list content out-of-bounds/],
	["strings past the end", t("string"), 65528, 2, /list content out-of-bounds/],
];

for (const [what, element, pointer, length, message] of LISTS) {
	test(`rule 23: a list<${element.kind}> with ${what} traps`, async () => {
		const guest = await createGuest();
		const view = new DataView(guest.memory.buffer);
		view.setUint32(16, pointer, true);
		view.setUint32(20, length, true);
		const type = func([], { kind: "list", element });
		const lifted = canonLift(type, () => 16, guest.options(), guest.instance);
		assert.throws(
			() => lifted.call([]),
			(error) => error instanceof Trap && message.test(error.message),
		);
	});
}

test("rule 23: an empty list at the very end of memory is well", async () => {
	const guest = await createGuest();
	const view = new DataView(guest.memory.buffer);
	view.setUint32(16, 65536, true);
	const type = func([], { kind: "list", element: t("u64") });
	const list = canonLift(type, () => 16, guest.options(), guest.instance).call([]);
	assert.deepEqual(list, new BigUint64Array());
});

const REALLOCS: [what: string, result: number, value: unknown[], message: RegExp][] = [
	["beyond the end", -4, [1, 2], /realloc return: beyond end of memory.*list content out-of-bounds/],
	["beyond the end for nothing", -4, [], /realloc return: beyond end of memory/],
	["unaligned", -1, [1, 2], /realloc return: result not aligned.*unaligned pointer/],
	["at the end for something", 65536, [1], /realloc return: beyond end of memory/],
];

for (const [what, result, value, message] of REALLOCS) {
	test(`rule 22: a realloc result ${what} traps`, async () => {
		const guest = await createGuest();
		const type = func([{ kind: "list", element: t("u32") }]);
		const options = guest.options({ realloc: () => result });
		const lifted = canonLift(type, () => assert.fail("the core function was called"), options, guest.instance);
		assert.throws(
			() => lifted.call([value]),
			(error) => error instanceof Trap && message.test(error.message),
		);
	});
}

test("rule 22: an empty list calls realloc, and what it returns is passed on", async () => {
	const guest = await createGuest();
	const calls: number[][] = [];
	const options = guest.options({
		realloc: (...call) => {
			calls.push(call);
			return 16;
		},
	});
	const seen: CoreValue[][] = [];
	const core = (...flat: CoreValue[]): undefined => void seen.push(flat);
	canonLift(func([{ kind: "list", element: t("u8") }]), core, options, guest.instance).call([[]]);
	assert.deepEqual({ calls, seen }, { calls: [[0, 0, 1, 0]], seen: [[16, 0]] });
});

test("lists of numbers are copies of their own, and arrays are taken for them", async () => {
	const type = func([{ kind: "list", element: t("u32") }], { kind: "list", element: t("u32") });
	const body = `(func (export "f") (param i32 i32) (result i32)
		(i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16))`;
	const guest = await createGuest(body);
	const lifted = canonLift(type, guest.exports["f"]!, guest.options(), guest.instance);
	const list = lifted.call([[1, 2, 2 ** 32 - 1]]) as Uint32Array;
	assert.deepEqual(list, Uint32Array.of(1, 2, 2 ** 32 - 1));
	assert.notEqual(list.buffer, guest.memory.buffer);
	assert.equal(list.buffer.byteLength, 12);
	assert.deepEqual(
		lifted.call([new Uint8Array([7])]),
		Uint32Array.of(7),
		"another typed array is taken by its numbers",
	);
	guest.memory.grow(1);
	assert.deepEqual(lifted.call([list]), list, "after the memory has grown");
});
