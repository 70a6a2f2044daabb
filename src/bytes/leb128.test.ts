import assert from "node:assert/strict";
import { test } from "node:test";
import { assert as check, bigInt, integer, property } from "fast-check";
import { Reader, Writer } from "./mod.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const read = (text: string): Reader => new Reader(Buffer.from(text, "hex"), 100);

test("signed numbers of 32 bits", () => {
	const cases: readonly [number, string][] = [
		[0, "00"],
		[63, "3f"],
		[64, "c000"],
		[-1, "7f"],
		[-64, "40"],
		[-65, "bf7f"],
		[2 ** 31 - 1, "ffffffff07"],
		[-(2 ** 31), "8080808078"],
	];
	for (const [value, text] of cases) {
		assert.equal(hex(new Writer().s32(value).finish()), text);
		assert.equal(read(text).s32(), value);
	}
	check(property(integer(), (value) => assert.equal(new Reader(new Writer().s32(value).finish()).s32(), value)));
});

test("numbers of 64 bits", () => {
	const cases: readonly [bigint, string][] = [
		[0n, "00"],
		[-1n, "7f"],
		[64n, "c000"],
		[2n ** 63n - 1n, "ffffffffffffffffff00"],
		[-(2n ** 63n), "8080808080808080807f"],
	];
	for (const [value, text] of cases) {
		assert.equal(hex(new Writer().s64(value).finish()), text);
		assert.equal(read(text).s64(), value);
	}
	const signed = bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
	check(property(signed, (value) => assert.equal(new Reader(new Writer().s64(value).finish()).s64(), value)));
	const unsigned = bigInt({ min: 0n, max: 2n ** 64n - 1n });
	check(property(unsigned, (value) => assert.equal(new Reader(new Writer().u64(value).finish()).u64(), value)));
});

test("an index of 33 signed bits never reads as negative", () => {
	const index = integer({ min: 0, max: 2 ** 32 - 1 });
	check(property(index, (value) => assert.equal(new Reader(new Writer().s33(value).finish()).s33(), value)));
	assert.equal(hex(new Writer().s33(64).finish()), "c000");
});

test("numbers that are too long or too large are refused where they begin", () => {
	const cases: readonly [string, (reader: Reader) => unknown, RegExp][] = [
		["808080808000", (reader) => reader.s32(), /representation too long/],
		["8080808008", (reader) => reader.s32(), /too large/],
		["ffffffff6f", (reader) => reader.s32(), /too large/],
		["8080808080808080808000", (reader) => reader.s64(), /representation too long/],
		["80808080808080808001", (reader) => reader.s64(), /too large/],
	];
	for (const [text, decode, message] of cases) {
		assert.throws(() => decode(read(text)), { code: "binary/malformed", message, place: { offset: 100 } }, text);
	}
	assert.throws(() => read("80").s64(), { code: "binary/truncated", place: { offset: 101 } });
});

test("a range is copied whole, by hand or in one piece, and the buffer grows for it", () => {
	const source = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
	for (const length of [0, 1, 47, 48, 49, 900]) {
		const written = new Writer(4)
			.u8(7)
			.range(source, 50, 50 + length)
			.u8(9)
			.finish();
		assert.deepEqual(written, Uint8Array.from([7, ...source.subarray(50, 50 + length), 9]), `${length} bytes`);
	}
});
