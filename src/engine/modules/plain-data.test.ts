import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { SkerryError } from "../../fault/mod.ts";
import { decodePlain, encodePlain } from "./plain-data.ts";

const leaf = fc.oneof(
	fc.constantFrom(undefined, null, true, false, -0, 0, NaN, Infinity, 2 ** 31, -(2 ** 31), 2 ** 53),
	fc.integer(),
	fc.double(),
	fc.bigInt({ min: -(2n ** 127n), max: 2n ** 127n - 1n }),
	fc.string({ unit: "grapheme" }),
	fc.uint8Array(),
	fc.uint32Array(),
);
const data = fc.letrec((tie) => ({
	value: fc.oneof(
		{ maxDepth: 4 },
		leaf,
		fc.array(tie("value")),
		fc.dictionary(fc.string(), tie("value"), { noNullPrototype: true }),
	),
})).value;

test("what is encoded comes back, values of every kind", () => {
	fc.assert(fc.property(data, (value) => assert.deepEqual(decodePlain(encodePlain(value)), value)));
	const odd = Object.fromEntries([["__proto__", 1]]);
	assert.deepEqual(decodePlain(encodePlain(odd)), odd);
});

test("words that stand anywhere in the bytes", () => {
	for (let shift = 0; shift < 4; shift++) {
		const value = ["x".repeat(shift), Uint32Array.of(1, 0xffff_ffff, 7)];
		assert.deepEqual(decodePlain(encodePlain(value)), value);
	}
});

test("what cannot be kept is refused, not lost", () => {
	for (const value of [
		new Map(),
		new Date(),
		() => 1,
		Symbol("s"),
		new Float32Array(1),
		2n ** 127n,
		new URL("file:///"),
	])
		assert.throws(() => encodePlain({ value }), TypeError);
	let deep: unknown = 1;
	for (let i = 0; i < 40; i++) deep = [deep];
	assert.throws(() => encodePlain(deep), TypeError);
});

test("bytes that were damaged are an error of ours or other data, whatever they are", () => {
	const bytes = encodePlain({ a: [1, 2.5, 3n, "text", Uint8Array.of(1, 2), Uint32Array.of(3)], b: { c: null } });
	for (let end = 0; end < bytes.length; end++) assert.throws(() => decodePlain(bytes.subarray(0, end)), SkerryError);
	assert.throws(() => decodePlain(Uint8Array.of(...bytes, 0)), SkerryError);
	fc.assert(
		fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
			try {
				decodePlain(bytes.with(at, value));
			} catch (error) {
				assert.ok(error instanceof SkerryError, String(error));
			}
		}),
	);
	assert.throws(() => decodePlain(new Uint8Array(1000).fill(10)), SkerryError, "lists in lists");
});
