import assert from "node:assert/strict";
import { test } from "node:test";
import { createLinuxPageMapper } from "./linux-pages.ts";
import { chooseStrategy, memoryCosts, type MemoryStrategy, resetTime } from "./costs.ts";
import { createMemoryImage, LEARNING } from "./strategy.ts";
import { createSlotMemory, type SlotMemory, WASM_PAGE } from "./slot-memory.ts";

const KIB = 1024;
const COSTS = { copyKiB: 0.02, scan: 5, page: 0.2 };
const found = createLinuxPageMapper();
const mapper = typeof found === "string" ? undefined : found;
const skip = typeof found === "string" ? found : false;

for (const [length, pages, costs, current, expected] of [
	[64 * KIB, 1, COSTS, undefined, "copy"],
	[260 * KIB, 1, COSTS, undefined, "copy"],
	[261 * KIB, 1, COSTS, undefined, "cow"],
	[261 * KIB, 3, COSTS, undefined, "copy"],
	[9_500 * KIB, 55, COSTS, undefined, "cow"],
	// Where copies are slow, or the system is
	[64 * KIB, 1, { ...COSTS, copyKiB: 1 }, undefined, "cow"],
	[9_500 * KIB, 55, { ...COSTS, scan: 500 }, undefined, "copy"],
	// A little quicker is no reason to change
	[300 * KIB, 1, COSTS, "copy", "copy"],
	[380 * KIB, 1, COSTS, "copy", "cow"],
	[200 * KIB, 1, COSTS, "cow", "cow"],
	[180 * KIB, 1, COSTS, "cow", "copy"],
	[1_000 * KIB, 250, COSTS, "cow", "copy"],
] as const) {
	const now = current === undefined ? "" : `, ${current} so far`;
	test(`${length / KIB} KiB, ${pages} pages, ${JSON.stringify(costs)}${now}: ${expected}`, () => {
		assert.equal(chooseStrategy(length, pages, costs, current), expected);
	});
}

test("what this machine takes is measured once", { skip }, () => {
	assert.ok(mapper !== undefined);
	const costs = memoryCosts(mapper);
	assert.ok(costs !== undefined);
	assert.ok(costs.copyKiB > 0 && costs.copyKiB < 10 && costs.page > 0 && costs.page < 100 && costs.scan < 1_000);
	assert.equal(memoryCosts(mapper), costs);
	// In which it is not a close thing anywhere
	assert.equal(chooseStrategy(64 * KIB * KIB, 1, costs), "cow");
	assert.ok(resetTime("copy", 2 * KIB, 1, costs) > resetTime("copy", KIB, 1, costs));
});

test("a mapper that refuses leaves copying", () => {
	const refusing = {
		pageSize: 4096,
		method: "refusing",
		createImage: () => {
			throw new Error("no");
		},
		protect: () => false,
		unprotect: () => false,
	};
	assert.equal(memoryCosts(refusing), undefined);
	using image = createMemoryImage(new Uint8Array(WASM_PAGE), refusing);
	assert.deepEqual(image.choice, { strategy: "copy", length: WASM_PAGE, pages: undefined, times: undefined });
	using wanted = createMemoryImage(new Uint8Array(WASM_PAGE), refusing, { copyLimit: 0 });
	assert.equal(wanted.strategy, "copy");
});

const PAGES = 4;

function createMemory(): SlotMemory {
	return createSlotMemory({ minimum: BigInt(PAGES), maximum: BigInt(PAGES + 1), shared: false, index: "i32" }, mapper);
}

/** 256 KiB, of which a call writes so many pages. */
for (const { first, writes, later, costs } of [
	{ first: "copy", writes: 1, later: "cow", costs: { copyKiB: 0.1, scan: 10, page: 4 } },
	{ first: "copy", writes: 8, later: "copy", costs: { copyKiB: 0.1, scan: 10, page: 4 } },
	{ first: "cow", writes: 40, later: "copy", costs: { copyKiB: 0.1, scan: 1, page: 1 } },
	{ first: "cow", writes: 3, later: "cow", costs: { copyKiB: 0.1, scan: 1, page: 1 } },
] as const satisfies { first: MemoryStrategy; later: MemoryStrategy; [key: string]: unknown }[]) {
	test(`from ${first} to ${later} where ${writes} pages are written`, { skip }, () => {
		const content = new Uint8Array(PAGES * WASM_PAGE).fill(3);
		using image = createMemoryImage(content, mapper, { costs });
		const [old, next] = [createMemory(), createMemory()];
		const attached = image.attach(old);
		const call = (): void => {
			for (let page = 0; page < writes; page++) old.bytes[page * 4096] = 9;
			assert.ok((attached.restore() ?? -1) > 0);
			assert.equal(Buffer.compare(old.bytes, content), 0);
		};
		for (let i = 1; i < LEARNING.resets; i++) {
			call();
			assert.deepEqual([image.strategy, image.choice.pages], [first, undefined]);
		}
		call();
		const times = { copy: 256 * costs.copyKiB, cow: costs.scan + writes * costs.page };
		assert.deepEqual(image.choice, { strategy: later, length: content.length, pages: writes, times });
		// A slot from then on; and the one that there was
		const attachedLater = image.attach(next);
		next.bytes.fill(8);
		assert.equal(attachedLater.restore(), content.length);
		assert.equal(Buffer.compare(next.bytes, content), 0);
		next.bytes[5] = 1;
		const written = attachedLater.restore() ?? -1;
		assert.equal(Buffer.compare(next.bytes, content), 0);
		if (later === "copy") assert.equal(written, content.length);
		call();
	});
}
