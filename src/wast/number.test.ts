import assert from "node:assert/strict";
import { test } from "node:test";

import { floatBits, integerBits, isArithmeticNaN, isCanonicalNaN } from "./number.ts";

const view = new DataView(new ArrayBuffer(8));

function bitsOf(value: number, width: 32 | 64): bigint {
	if (width === 32) {
		view.setFloat32(0, value);
		return BigInt(view.getUint32(0));
	}
	view.setFloat64(0, value);
	return view.getBigUint64(0);
}

test("floats that JavaScript can say", () => {
	for (const value of [0, 1, 0.1, 123.456, 1e-7, 2 ** -149, 2 ** -126, 3.4e38, 65_504, 5e-324, 1.7e308, 2.2e-308]) {
		assert.equal(floatBits(String(value), 64), bitsOf(value, 64), String(value));
		assert.equal(floatBits(`-${value}`, 64), bitsOf(-value, 64), `-${value}`);
	}
	for (const value of [0, 1, 0.5, 2 ** -149, 2 ** -126, 16_777_215]) {
		assert.equal(floatBits(String(value), 32), bitsOf(value, 32), String(value));
	}
});

test("bits that JavaScript cannot say", () => {
	for (const [text, width, bits] of [
		["nan", 32, 0x7fc00000n],
		["-nan:0x1", 32, 0xff800001n],
		["nan:0x4_0000_0000_0001", 64, 0x7ff4000000000001n],
		["-inf", 32, 0xff800000n],
		["-0x0p0", 64, 0x8000000000000000n],
		["0x1.fffffep+127", 32, 0x7f7fffffn],
		["0x1.ffffffp+127", 32, 0x7f800000n],
		["0x1p-149", 32, 1n],
		["0x1p-150", 32, 0n],
		["0x1.8p-150", 32, 1n],
		["0x1.8p-149", 32, 2n],
		// Rounded by way of a double it would be 0x3f800000.
		["0x1.000001000000001p0", 32, 0x3f800001n],
		["1.000000059604644775390625000000000001", 32, 0x3f800001n],
		["0x1.000001p0", 32, 0x3f800000n],
		["0x.8", 64, 0x3fe0000000000000n],
	] as const) {
		assert.equal(floatBits(text, width), bits, text);
	}
});

test("integers and the kinds of NaN", () => {
	assert.equal(integerBits("-1", 8), 255n);
	assert.equal(integerBits("0x7fff_ffff", 32), 0x7fffffffn);
	assert.equal(integerBits("-0x8000000000000000", 64), 1n << 63n);
	assert.deepEqual(
		["nan", "-nan", "nan:0x600000", "nan:0x1", "inf"].map((text) => {
			const bits = floatBits(text, 32);
			return [isCanonicalNaN(bits, 32), isArithmeticNaN(bits, 32)];
		}),
		[
			[true, true],
			[true, true],
			[false, true],
			[false, false],
			[false, false],
		],
	);
});
