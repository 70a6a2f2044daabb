import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { LinePatch, LineStore } from "./line-patch.ts";
import { webAssembly, type WasmMemory } from "./v8.ts";

const PAGE = 4096;
/** More than after which a list is made. */
const OFTEN = 80;

interface Pages {
	readonly offsets: readonly number[];
	readonly contents: readonly Uint8Array[];
	readonly bytes: number;
}

/** Numbers that are the same with each run. */
function createRandom(seed: number): (below: number) => number {
	let state = seed;
	return (below) => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return Math.floor((state / 2 ** 32) * below);
	};
}

/** Pages with much that is alike, as heaps have it: lines of zeros, of one byte, and of anything. */
function createContent(length: number, random: (below: number) => number): Uint8Array {
	const content = new Uint8Array(length);
	for (let at = 0; at < length; at += 64) {
		const kind = random(3);
		if (kind === 1) content.fill(random(4), at, at + 64);
		if (kind === 2) for (let i = at; i < at + 64; i++) content[i] = random(256);
	}
	return content;
}

function createPages(runs: readonly (readonly [page: number, pages: number])[], seed: number): Pages {
	const random = createRandom(seed);
	const contents = runs.map(([, pages]) => createContent(pages * PAGE, random));
	return {
		offsets: runs.map(([page]) => page * PAGE),
		contents,
		bytes: contents.reduce((sum, { length }) => sum + length, 0),
	};
}

const createMemory = (pages = 16, options = {}): WasmMemory =>
	new (webAssembly().Memory)({ initial: pages, ...options });

/** Does what a restore does: by lines, or by a copy. Whether it was by lines. */
function put(patch: LinePatch, memory: WasmMemory, pages: Pages): boolean {
	if (patch.restore(pages)) return true;
	const bytes = new Uint8Array(memory.buffer);
	for (const [i, content] of pages.contents.entries()) bytes.set(content, pages.offsets[i]);
	return false;
}

/** Puts pages back so often that it is done by lines, if at all, and once more. */
function settle(patch: LinePatch, memory: WasmMemory, pages: Pages): boolean {
	for (let i = 0; i < OFTEN; i++) put(patch, memory, pages);
	return put(patch, memory, pages);
}

const SCATTERED: readonly (readonly [number, number])[] = [
	[0, 1],
	[3, 2],
	[9, 1],
	[40, 5],
	[255, 1],
];

suite("putting pages back by lines", () => {
	test("whatever was written in them is gone, and nothing else is touched", () => {
		const random = createRandom(7);
		const memory = createMemory();
		const bytes = new Uint8Array(memory.buffer);
		for (let i = 0; i < bytes.length; i++) bytes[i] = random(256);
		const pages = createPages(SCATTERED, 8);
		const patch = new LinePatch(memory, () => new LineStore());
		assert.ok(settle(patch, memory, pages));
		const due = bytes.slice();
		for (let round = 0; round < 200; round++) {
			for (let k = random(40); k > 0; k--) {
				const run = random(SCATTERED.length);
				const at = (pages.offsets[run] as number) + random((pages.contents[run] as Uint8Array).length);
				bytes.fill(random(256), at, Math.min(at + random(300), (pages.offsets[run] as number) + PAGE));
			}
			assert.ok(put(patch, memory, pages));
			assert.ok(Buffer.compare(bytes, due) === 0, `round ${round}`);
		}
	});

	test("every single bit of a line is looked at", () => {
		const memory = createMemory(1);
		const bytes = new Uint8Array(memory.buffer);
		const pages = createPages([[2, 8]], 3);
		const patch = new LinePatch(memory, () => new LineStore());
		assert.ok(settle(patch, memory, pages));
		const due = bytes.slice();
		// A block of four lines, and the last one.
		for (const from of [2 * PAGE, 10 * PAGE - 256]) {
			for (let bit = 0; bit < 256 * 8; bit++) {
				const at = from + (bit >> 3);
				bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7));
				patch.restore(pages);
				assert.equal(bytes[at], due[at], `bit ${bit}`);
			}
		}
		assert.ok(Buffer.compare(bytes, due) === 0);
	});

	test("memories of one image, each with pages of its own, and pages that take turns", () => {
		const store = new LineStore();
		const slots = [1, 2, 3].map((seed) => {
			const memory = createMemory();
			return { memory, pages: createPages(SCATTERED, seed), patch: new LinePatch(memory, () => store) };
		});
		const expected = slots.map(({ memory, pages, patch }) => {
			assert.ok(settle(patch, memory, pages));
			return new Uint8Array(memory.buffer).slice();
		});
		for (const [i, { memory, pages, patch }] of slots.entries()) {
			new Uint8Array(memory.buffer)[3 * PAGE + 77]! ^= 1;
			assert.ok(put(patch, memory, pages));
			assert.deepEqual(new Uint8Array(memory.buffer), expected[i]);
			const other = createPages(SCATTERED, 9);
			assert.equal(put(patch, memory, other), false);
			assert.equal(put(patch, memory, pages), false);
			assert.deepEqual(new Uint8Array(memory.buffer), expected[i]);
		}
	});

	test("a store that is full begins anew: the lists in it are void, and made again", () => {
		const store = new LineStore();
		const random = createRandom(11);
		// Of lines that are all different: five times this is more than a store has.
		const slots = Array.from({ length: 5 }, () => {
			const memory = createMemory();
			const content = new Uint8Array(960 * 1024).map(() => random(256));
			const pages = { offsets: [0], contents: [content], bytes: content.length };
			const patch = new LinePatch(memory, () => store);
			assert.ok(settle(patch, memory, pages));
			return { memory, pages, patch };
		});
		assert.ok(store.generation > 0);
		const { memory, pages, patch } = slots[0] as (typeof slots)[number];
		const bytes = new Uint8Array(memory.buffer);
		for (const byLines of [false, true]) {
			bytes.fill(1, 5000, 5100);
			assert.equal(byLines ? settle(patch, memory, pages) : put(patch, memory, pages), byLines);
			assert.ok(Buffer.compare(bytes.subarray(0, pages.bytes), pages.contents[0] as Uint8Array) === 0);
		}
	});

	for (const { name, memory = createMemory(32), pages = createPages(SCATTERED, 5), spoil = () => {} } of [
		{ name: "few pages", pages: createPages([[1, 7]], 5) },
		{ name: "more pages than there is room for", pages: createPages([[0, 300]], 5) },
		{ name: "shared memory", memory: createMemory(32, { maximum: 32, shared: true }) },
		{ name: "pages that are written from end to end", spoil: (bytes: Uint8Array) => bytes.fill(0xa5) },
	]) {
		test(`copied: ${name}`, () => {
			const bytes = new Uint8Array(memory.buffer);
			const patch = new LinePatch(memory, () => new LineStore());
			for (let i = 0; i < OFTEN; i++) {
				spoil(bytes);
				assert.equal(put(patch, memory, pages), false);
			}
			for (const [i, content] of pages.contents.entries()) {
				const at = pages.offsets[i] as number;
				assert.ok(Buffer.compare(bytes.slice(at, at + content.length), content) === 0);
			}
		});
	}
});
