import assert from "node:assert/strict";
import { test } from "node:test";

import { Trap } from "../fault/mod.ts";
import { GuestMemory, viewOf } from "./guest-memory.ts";

test("what is beyond the logical size is never touched, though the buffer has it", () => {
	const buffer = new ArrayBuffer(256);
	const memory = new GuestMemory(
		() => ({ buffer, byteLength: 100 }),
		() => false,
	);
	assert.equal(memory.byteLength, 100);
	memory.setU32(96, 0xffff_ffff);
	assert.equal(memory.getU32(96), 0xffff_ffff);
	assert.equal(viewOf(memory, 100, 0).length, 0);
	const beyond: readonly (() => unknown)[] = [
		() => memory.getU32(97),
		() => memory.setU8(100, 1),
		() => memory.setU64(93, 1n),
		() => memory.write(99, Uint8Array.of(1, 2)),
		() => memory.read(0, 101),
		() => viewOf(memory, 101, 0),
		() => memory.text(-1, 1),
		() => memory.text(0, -1),
		() => memory.read(0xffff_ffff, 0xffff_ffff),
		() => memory.read(2n ** 64n - 1n, 1n),
	];
	for (const access of beyond) {
		assert.throws(access, (error) => error instanceof Trap && error.message.startsWith("out of bounds memory access"));
	}
	assert.deepEqual(new Uint8Array(buffer, 100), new Uint8Array(156));
});

test("a memory that grows is seen as it is", () => {
	let buffer = new ArrayBuffer(8);
	const memory = new GuestMemory(
		() => ({ buffer }),
		() => false,
	);
	assert.throws(() => memory.getU8(8), Trap);
	buffer = new ArrayBuffer(16);
	memory.setU16(14, 0x1234);
	assert.deepEqual([memory.getU8(14), memory.getU16(14), memory.getU64(8)], [0x34, 0x1234, 0x1234_0000_0000_0000n]);
	assert.equal(
		new GuestMemory(
			() => undefined,
			() => false,
		).byteLength,
		0,
	);
});

test("texts are UTF-8, also from shared memory", () => {
	const buffer = new SharedArrayBuffer(16);
	const memory = new GuestMemory(
		() => ({ buffer }),
		() => false,
	);
	memory.write(0, new TextEncoder().encode("\u{feff}gr\u00fc\u00dfe"));
	assert.equal(memory.text(0, 10), "\u{feff}gr\u00fc\u00dfe");
	memory.setU8(0, 0xff);
	assert.match(memory.text(0, 1), /^\ufffd$/);
});
