import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createLinuxPageMapper } from "./linux-pages.ts";
import type { PageMapper } from "./pages.ts";
import { createSlotMemory, type SlotMemory, WASM_PAGE } from "./slot-memory.ts";
import { webAssembly, type WasmGlobal } from "../v8/v8.ts";

const found = createLinuxPageMapper();
const skip = typeof found === "string" ? `no copy-on-write memory here: ${found}` : false;
const mapper = found as PageMapper;
const FIXTURE = fileURLToPath(new URL("reserved-memory.fixture.ts", import.meta.url));
const TRAP = "memory access out of bounds";

for (const { name, flags } of [
	{ name: "V8 handles faults", flags: [] },
	{ name: "V8 does not: memories are its own", flags: ["--disable-wasm-trap-handler"] },
]) {
	test(`whatever touches the part that is not the guest's traps, and the process lives; ${name}`, { skip }, () => {
		assertTraps(flags);
	});
}

function assertTraps(flags: readonly string[]): void {
	const { status, signal, stdout, stderr } = spawnSync(process.execPath, [...flags, FIXTURE], { encoding: "utf8" });
	assert.deepEqual({ status, signal }, { status: 0, signal: null }, stderr);
	const { grow, ...accesses } = JSON.parse(stdout) as Record<string, Record<string, string>>;
	assert.equal(Object.keys(accesses).length, 17);
	for (const [name, outcome] of Object.entries(accesses)) {
		assert.deepEqual(outcome, { behind: TRAP, far: TRAP, "V8's end": TRAP, beyond: TRAP }, name);
	}
	assert.deepEqual(grow, {
		size: "1",
		by1: "1",
		load: "0",
		by300: "2",
		"load far": "0",
		behind: TRAP,
		"too far": "-1",
		"size then": "302",
	});
}

function create(maximum: number | undefined, given: PageMapper | undefined, capacity = 0): SlotMemory {
	const limits = {
		minimum: 2n,
		...(maximum === undefined ? {} : { maximum: BigInt(maximum) }),
		shared: false,
		index: "i32",
	} as const;
	return createSlotMemory(limits, given, capacity);
}

function pagesGlobal(): WasmGlobal {
	return new (webAssembly().Global)({ value: "i32", mutable: true }, 0);
}

suite("createSlotMemory", { skip }, () => {
	test("grows to its maximum and not beyond, and back; every module is told", () => {
		const memory = create(5, mapper);
		const pages = pagesGlobal();
		memory.watch(pages);
		assert.deepEqual([pages.value, memory.shrinks], [2, true]);
		assert.equal(memory.grow(4n), false);
		assert.equal(memory.grow(-1n), false);
		assert.equal(memory.grow(3n), true);
		assert.deepEqual([pages.value, memory.byteLength], [5, 5 * WASM_PAGE]);
		assert.equal(memory.grow(1n), false);
		assert.equal(memory.grow(0n), true);
		assert.equal(memory.shrink(2 * WASM_PAGE), true);
		assert.deepEqual([pages.value, memory.bytes.length], [2, 2 * WASM_PAGE]);
	});

	test("beyond what is reserved it becomes another memory, once; made for more, it stays the same", () => {
		const first = create(undefined, mapper);
		const { buffer } = first;
		first.bytes[7] = 42;
		assert.equal(first.grow(1000n), true);
		assert.notEqual(first.buffer, buffer);
		assert.deepEqual([first.shrinks, first.bytes.length, first.bytes[7]], [false, 1002 * WASM_PAGE, 42]);
		assert.equal(first.shrink(2 * WASM_PAGE), false);
		const next = create(undefined, mapper, first.byteLength);
		assert.equal(next.grow(1000n), true);
		assert.deepEqual([next.shrinks, next.shrink(2 * WASM_PAGE)], [true, true]);
	});

	for (const { name, refusing } of [
		{ name: "mprotect refuses to take away", refusing: { ...methods(), protect: () => false } },
		{ name: "there is no mapper", refusing: undefined },
	]) {
		test(`${name}: a memory as V8 makes it, that grows and stays so`, () => {
			const memory = create(5, refusing);
			const pages = pagesGlobal();
			memory.watch(pages);
			assert.equal(memory.shrinks, false);
			assert.equal(memory.buffer.byteLength, 2 * WASM_PAGE);
			assert.equal(memory.grow(2n), true);
			assert.equal(memory.grow(2n), false);
			assert.deepEqual([pages.value, memory.bytes.length], [4, 4 * WASM_PAGE]);
			assert.equal(memory.shrink(2 * WASM_PAGE), false);
		});
	}

	test("mprotect refuses to give: the guest is told that there is no more, and loses nothing", () => {
		const memory = create(5, { ...methods(), unprotect: () => false });
		memory.bytes.fill(9);
		assert.equal(memory.grow(1n), false);
		assert.ok(memory.bytes.length === 2 * WASM_PAGE && memory.bytes.every((byte) => byte === 9));
	});

	test("address space exhausted: V8's own memories while there is room for them", () => {
		const { Memory } = webAssembly();
		const kept: unknown[] = [];
		const whole = webAssembly() as { Memory: unknown };
		// As V8 does it: what is too large is refused.
		whole.Memory = function refuse(type: { initial: number; maximum: number }) {
			if (type.initial > 2) throw new RangeError("could not allocate memory");
			const made = new Memory(type);
			kept.push(made);
			return made;
		};
		try {
			const memory = create(5, mapper);
			assert.deepEqual([memory.shrinks, memory.byteLength, kept.length], [false, 2 * WASM_PAGE, 1]);
		} finally {
			whole.Memory = Memory;
		}
	});

	test("64-bit and shared memories are V8's own", () => {
		for (const special of [{ index: "i64" }, { shared: true }] as const) {
			const limits = { minimum: 1n, maximum: 4n, shared: false, index: "i32", ...special } as const;
			const memory = createSlotMemory(limits, mapper);
			assert.equal(memory.shrinks, false);
			assert.equal(memory.grow(1n), true);
			assert.equal(memory.byteLength, 2 * WASM_PAGE);
		}
	});
});

function methods(): PageMapper {
	return {
		pageSize: mapper.pageSize,
		method: mapper.method,
		createImage: (bytes) => mapper.createImage(bytes),
		protect: (buffer, from, to) => mapper.protect(buffer, from, to),
		unprotect: (buffer, from, to) => mapper.unprotect(buffer, from, to),
	};
}
