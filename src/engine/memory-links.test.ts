import assert from "node:assert/strict";
import { test } from "node:test";
import { linkCopier, linkScanner } from "./memory-links.ts";
import { webAssembly, type WasmMemory } from "./v8.ts";

const PAGE = 65_536;

function memory(more: object = {}): WasmMemory {
	return new (webAssembly().Memory)({ initial: 1, ...more });
}

test("a byte that is not ASCII is found wherever it is, and none beside the range", () => {
	const scanned = memory();
	const scan = linkScanner(scanned);
	assert.ok(scan !== null);
	const bytes = new Uint8Array(scanned.buffer).fill(0x80);
	for (const start of [0, 3, PAGE]) {
		for (let length = 0; length <= 200; length++) {
			const pointer = start === PAGE ? PAGE - length : start;
			bytes.fill(0x7f, pointer, pointer + length);
			assert.equal(scan(pointer, length), 0, `${length} bytes at ${pointer}`);
			for (let i = pointer; i < pointer + length; i++) {
				bytes[i] = 0x80;
				assert.notEqual(scan(pointer, length), 0, `${length} bytes at ${pointer}, of which ${i}`);
				bytes[i] = 0x7f;
			}
			bytes.fill(0x80, pointer, pointer + length);
		}
	}
});

test("bytes are copied to another memory, and within one, also after it has grown", () => {
	const [from, to] = [memory(), memory()];
	const across = linkCopier(from, to);
	const within = linkCopier(to, to);
	assert.ok(across !== null && within !== null);
	new Uint8Array(from.buffer).set([1, 2, 3, 4], PAGE - 4);
	to.grow(1);
	across(2 * PAGE - 3, PAGE - 3, 3);
	within(2 * PAGE - 5, 2 * PAGE - 4, 3);
	across(0, 0, 0);
	assert.deepEqual([...new Uint8Array(to.buffer, 2 * PAGE - 6)], [0, 0, 2, 3, 3, 4]);
	assert.ok(new Uint8Array(to.buffer, 0, 2 * PAGE - 6).every((byte) => byte === 0));
});

for (const [name, more] of [
	["shared", { shared: true, maximum: 2 }],
	["of 64 bits", { initial: 1n, address: "i64" }],
] as const) {
	test(`there is nothing for a memory that is ${name}`, () => {
		assert.equal(linkScanner(memory(more)), null);
		assert.equal(linkCopier(memory(), memory(more)), null);
		assert.equal(linkCopier(memory(more), memory()), null);
	});
}
