import assert from "node:assert/strict";
import { test } from "node:test";
import { SharedBuffer } from "./shared-buffer.ts";

const memory = Uint8Array.from({ length: 70_000 }, (_, i) => i * 7);

test("each list has its bytes to itself, aligned for every number, in buffers that grow to 64 KiB", () => {
	const shared = new SharedBuffer();
	const lists: { list: Uint8Array; expected: Uint8Array }[] = [];
	const sizes = new Set<number>();
	for (let i = 0; i < 300; i++) {
		const size = 65 + ((i * 37) % 1984);
		const at = shared.put(memory, i, size);
		assert.equal(at % 8, 0);
		lists.push({ list: new Uint8Array(shared.buffer, at, size), expected: memory.slice(i, i + size) });
		sizes.add(shared.buffer.byteLength);
	}
	for (const { list, expected } of lists) assert.deepEqual(list, expected);
	for (const { list } of lists) list.fill(0);
	for (const { list, expected } of lists) {
		assert.ok(list.every((byte) => byte === 0));
		list.set(expected);
	}
	for (const { list, expected } of lists) assert.deepEqual(list, expected);
	assert.deepEqual([...sizes], [65, 4096, 16_384, 65_536]);
});

test("the first list has a buffer for itself; those that are shared stay where they are", () => {
	const shared = new SharedBuffer();
	shared.put(memory, 0, 100);
	const first = shared.buffer;
	assert.equal(structuredClone(first, { transfer: [first] }).byteLength, 100);
	const at = shared.put(memory, 3, 100);
	const list = new Uint8Array(shared.buffer, at, 100);
	assert.throws(() => structuredClone(list, { transfer: [list.buffer] }), { name: "DataCloneError" });
	assert.throws(() => list.buffer.transfer(), TypeError);
	assert.deepEqual(list, memory.slice(3, 103));
});

test("what was dropped is not used again", () => {
	const shared = new SharedBuffer();
	for (let i = 0; i < 2; i++) shared.put(memory, 0, 100);
	const before = shared.buffer;
	shared.drop();
	shared.put(memory, 9, 100);
	assert.notEqual(shared.buffer, before);
	assert.equal(shared.buffer.byteLength, 100);
});
