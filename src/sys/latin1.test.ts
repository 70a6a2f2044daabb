import assert from "node:assert/strict";
import { test } from "node:test";
import { toLatin1 } from "./mod.ts";

test("each byte is a character, however many there are, and wherever they lie", () => {
	for (const length of [0, 1, 2, 63, 64, 65, 256, 1000]) {
		for (const offset of [0, 3]) {
			const bytes = Uint8Array.from({ length: length + offset + 2 }, (_, i) => i * 7).subarray(offset, offset + length);
			const expected = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
			assert.equal(toLatin1(bytes), expected, `${length} bytes at ${offset}`);
			// What was longer before leaves nothing behind.
			assert.equal(toLatin1(bytes.subarray(0, length >> 1)), expected.slice(0, length >> 1));
		}
	}
});
