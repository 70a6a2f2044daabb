import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuest } from "./guest.fixture.ts";
import { GuestMemory } from "./memory.ts";

test("the views of a memory that grows are renewed, and only then", async () => {
	const { memory } = await createGuest();
	const guest = GuestMemory.of(memory);
	assert.equal(GuestMemory.of(memory), guest, "one for all functions");
	guest.refresh();
	const { bytes, view } = guest;
	assert.deepEqual([bytes.length, view.byteLength], [65_536, 65_536]);
	guest.refresh();
	assert.equal(guest.bytes, bytes);
	assert.equal(guest.view, view);
	memory.grow(1);
	guest.refresh();
	assert.deepEqual([guest.bytes.length, guest.view.byteLength], [131_072, 131_072]);
	assert.equal(guest.buffer, memory.buffer);
});

test("of a buffer that is larger than the guest's memory, no view goes beyond that", () => {
	const source = { buffer: new ArrayBuffer(100), byteLength: 10 };
	const guest = GuestMemory.of(source);
	guest.refresh();
	assert.deepEqual([guest.bytes.length, guest.view.byteLength], [10, 10]);
	source.byteLength = 30;
	guest.refresh();
	assert.deepEqual([guest.bytes.length, guest.view.byteLength], [30, 30]);
	source.byteLength = 10;
	guest.refresh();
	assert.equal(guest.bytes.length, 10, "a reset takes it back");
	source.byteLength = 1000;
	guest.refresh();
	assert.equal(guest.bytes.length, 100);
});

test("a shared buffer is not detached when its memory grows", () => {
	const source = { buffer: new SharedArrayBuffer(8) };
	const guest = GuestMemory.of(source);
	guest.refresh();
	source.buffer = new SharedArrayBuffer(16);
	guest.refresh();
	assert.equal(guest.bytes.length, 16);
});

test("without a memory there is nothing", () => {
	const guest = GuestMemory.of(null);
	guest.refresh();
	assert.equal(guest.bytes.length, 0);
});

test("who tells of a new size is not asked for it, and is believed at once", () => {
	let asked = 0;
	let size = 10;
	let tell: () => void = () => {};
	const source = {
		buffer: new ArrayBuffer(100),
		get byteLength() {
			asked++;
			return size;
		},
		onResize(resized: () => void): void {
			tell = resized;
		},
	};
	const guest = GuestMemory.of(source);
	guest.refresh();
	assert.equal(guest.bytes.length, 10);
	asked = 0;
	for (let i = 0; i < 10; i++) guest.refresh();
	assert.equal(asked, 0);
	for (size of [30, 20, 20]) {
		tell();
		guest.refresh();
		assert.deepEqual([guest.bytes.length, guest.view.byteLength], [size, size]);
	}
});
