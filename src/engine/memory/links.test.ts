import assert from "node:assert/strict";
import { test } from "node:test";
import { linkPasser, linkScanner } from "./links.ts";
import { webAssembly, type WasmMemory } from "../v8/v8.ts";

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

test("bytes are passed on to where a realloc says, if that is aligned and within the limit", () => {
	const [from, to] = [memory(), memory({ initial: 2 })];
	const calls: number[][] = [];
	let answer = 0;
	const realloc = (...call: number[]): number => {
		calls.push(call);
		return answer;
	};
	const across = linkPasser(from, to, realloc);
	const within = linkPasser(to, to, realloc);
	assert.ok(across !== null && within !== null);
	new Uint8Array(from.buffer).set([1, 2, 3, 4], PAGE - 4);
	const pass = (pointer: number, source: number, size: number, alignment: number, limit: number): number[] => {
		answer = pointer;
		const bytes = new Uint8Array(to.buffer).fill(0);
		assert.equal(across(source, size, alignment, limit) >>> 0, pointer);
		assert.deepEqual(calls.splice(0), [[0, 0, alignment, size]]);
		return [...bytes.entries()].flatMap(([at, byte]) => (byte === 0 ? [] : [at, byte]));
	};
	const end = 2 * PAGE;
	assert.deepEqual(pass(end - 3, PAGE - 3, 3, 1, end), [end - 3, 2, end - 2, 3, end - 1, 4]);
	assert.deepEqual(pass(8, PAGE - 4, 4, 4, 12), [8, 1, 9, 2, 10, 3, 11, 4]);
	assert.deepEqual(pass(9, PAGE - 4, 4, 1, 12), [], "one byte beyond the limit");
	assert.deepEqual(pass(10, PAGE - 4, 4, 4, end), [], "not aligned");
	assert.deepEqual(pass(0, PAGE - 4, 4, 1, 3), [], "more than the limit");
	assert.deepEqual(pass(0xffff_ffff, PAGE - 4, 4, 1, end), []);
	assert.deepEqual(pass(12, 0, 0, 1, 12), []);
	new Uint8Array(to.buffer).set([5, 6, 7], 100);
	answer = 101;
	within(100, 3, 1, end);
	assert.deepEqual([...new Uint8Array(to.buffer, 100, 4)], [5, 5, 6, 7]);
});

for (const [name, more] of [
	["shared", { shared: true, maximum: 2 }],
	["of 64 bits", { initial: 1n, address: "i64" }],
] as const) {
	test(`there is nothing for a memory that is ${name}`, () => {
		assert.equal(linkScanner(memory(more)), null);
		const realloc = (): number => 0;
		assert.equal(linkPasser(memory(), memory(more), realloc), null);
		assert.equal(linkPasser(memory(more), memory(), realloc), null);
	});
}
