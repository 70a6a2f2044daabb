import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { webAssembly, type WasmMemory } from "../engine/mod.ts";
import { ALLOCATOR, PAGE } from "./heap.fixture.ts";
import { fillHeap } from "./heap.ts";

interface Heap {
	readonly memory: WasmMemory;
	readonly cabi_realloc: (old: number, oldSize: number, alignment: number, size: number) => number;
}

function instantiate(binary: Uint8Array): Heap {
	const { Instance, Module } = webAssembly();
	return new Instance(new Module(binary), { host: { call: () => {} } }).exports as unknown as Heap;
}

describe("fillHeap", () => {
	it("leaves large holes alone, and in nothing else any room", async () => {
		const text = `(module (import "host" "call" (func)) (memory (export "memory") 9)
			(data (i32.const 0x11800) "in a hole") (data (i32.const 0x40000) "in a large one") ${ALLOCATOR})`;
		const binary = new Uint8Array(await parse(text));
		const filled = fillHeap(binary);
		assert.ok(filled);
		const [before, after] = [instantiate(binary), instantiate(filled)];
		assert.equal(after.memory.buffer.byteLength, 9 * PAGE, "the memory has not grown");
		const [old, now] = [before, after].map(({ memory }) => new Uint8Array(memory.buffer)) as [Uint8Array, Uint8Array];
		assert.equal(Buffer.compare(now.subarray(4096), old.subarray(4096)), 0, "only what the allocator knows is another");
		// Each took from the hole that fits best: now all of them take from the large one.
		const place = ({ cabi_realloc }: Heap): number[] => [24, 40, 4000].map((size) => cabi_realloc(0, 0, 8, size));
		assert.deepEqual(place(before), [0x1_0000, 0x2_0000, 0x1_1000]);
		assert.deepEqual(place(after), [0x3_0000, 0x3_0018, 0x3_0040]);
		const left = instantiate(filled);
		assert.deepEqual(
			[1, 2, 3].map(() => left.cabi_realloc(0, 0, 8, 128 * 1024)),
			[0x3_0000, 0x5_0000, 0x8_0000],
			"two blocks of the large hole, then the end of the heap",
		);
	});

	it("leaves modules alone that it cannot do that with", async () => {
		const none = [
			`(module (memory (export "memory") 9))`,
			`(module ${ALLOCATOR} (memory 9))`,
			`(module (import "host" "memory" (memory 1)) (func (export "cabi_realloc")))`,
			`(module (memory (export "memory") 1) (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0)))`,
			`(module (import "host" "call" (func $call)) (memory (export "memory") 1)
				(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) call $call i32.const 8))`,
			`(module (memory (export "memory") 1) (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable))`,
		];
		for (const text of none) assert.equal(fillHeap(new Uint8Array(await parse(text))), undefined, text);
	});
});
