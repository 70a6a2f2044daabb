import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { LinePatch, LineStore, type Placed } from "./line-patch.ts";
import { PageContent } from "./page-delta.ts";
import { webAssembly, type WasmMemory } from "../v8/v8.ts";

const PAGE = 4096;
/** More than after which a page is put back by its lines. */
const OFTEN = 40;

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

function createPages(runs: readonly (readonly [page: number, pages: number])[], seed: number): Placed {
	const random = createRandom(seed);
	const offsets = runs.flatMap(([page, pages]) => Array.from({ length: pages }, (_, i) => (page + i) * PAGE));
	return { offsets, pages: offsets.map(() => new PageContent(createContent(PAGE, random))), listed: undefined };
}

const createMemory = (pages = 16, options = {}): WasmMemory =>
	new (webAssembly().Memory)({ initial: pages, ...options });

const createPatch = (memory: WasmMemory, store: LineStore = new LineStore()): LinePatch =>
	new LinePatch(memory, new Uint8Array(memory.buffer), () => store);

/** Puts pages back so often that it is done by lines, if at all, and once more: how many are. */
function settle(patch: LinePatch, pages: Placed): number {
	for (let i = 0; i < OFTEN; i++) patch.put(pages);
	return patch.put(pages);
}

/** What is to be in a memory that held this. */
function withPages(bytes: Uint8Array, { offsets, pages }: Placed): Uint8Array {
	const due = bytes.slice();
	for (const [i, page] of pages.entries()) due.set(page.bytes, offsets[i]);
	return due;
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
		const patch = createPatch(memory);
		const due = withPages(bytes, pages);
		assert.equal(settle(patch, pages), 10);
		for (let round = 0; round < 200; round++) {
			for (let k = random(40); k > 0; k--) {
				const at = (pages.offsets[random(10)] as number) + random(PAGE);
				bytes.fill(random(256), at, Math.min(at + random(300), at + PAGE - (at % PAGE)));
			}
			assert.equal(patch.put(pages), 10);
			assert.ok(Buffer.compare(bytes, due) === 0, `round ${round}`);
		}
	});

	test("pages that are written from end to end are no exception", () => {
		const memory = createMemory();
		const bytes = new Uint8Array(memory.buffer);
		const pages = createPages(SCATTERED, 6);
		const patch = createPatch(memory);
		const put = Array.from({ length: OFTEN }, () => {
			bytes.fill(0xa5);
			return patch.put(pages);
		});
		assert.deepEqual([put[0], put.at(-1)], [0, 10]);
		assert.ok(Buffer.compare(bytes.slice(), withPages(bytes.fill(0xa5), pages)) === 0);
	});

	test("every single bit of a line is looked at", () => {
		const memory = createMemory(1);
		const bytes = new Uint8Array(memory.buffer);
		const pages = createPages([[2, 8]], 3);
		const patch = createPatch(memory);
		assert.equal(settle(patch, pages), 8);
		const due = bytes.slice();
		// A block of four lines, and the last one.
		for (const from of [2 * PAGE, 10 * PAGE - 256]) {
			for (let bit = 0; bit < 256 * 8; bit++) {
				const at = from + (bit >> 3);
				bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7));
				patch.put(pages);
				assert.equal(bytes[at], due[at], `bit ${bit}`);
			}
		}
		assert.ok(Buffer.compare(bytes, due) === 0);
	});

	test("memories of one image, whose pages take turns: those that are known are put back by their lines at once", () => {
		const store = new LineStore();
		const [one, other] = [createPages(SCATTERED, 1), createPages(SCATTERED, 2)];
		const mixed = {
			offsets: one.offsets,
			pages: one.pages.map((page, i) => (i % 3 ? page : other.pages[i]!)),
			listed: undefined,
		};
		const rare = {
			offsets: one.offsets,
			pages: one.pages.map((page, i) => (i % 3 ? page : new PageContent(page.bytes))),
			listed: undefined,
		};
		const slots = [1, 2, 3].map(() => {
			const memory = createMemory();
			return { bytes: new Uint8Array(memory.buffer), patch: createPatch(memory, store) };
		});
		const [{ patch }] = slots as [(typeof slots)[number]];
		assert.deepEqual([settle(patch, one), settle(patch, other)], [10, 10]);
		for (const pages of [one, other, mixed, rare, one, one, mixed, other]) {
			for (const slot of slots) {
				slot.bytes.fill(0x5a, 3 * PAGE + 70, 3 * PAGE + 200);
				const due = withPages(slot.bytes, pages);
				const expected = slot.patch === patch ? (pages === rare ? 6 : 10) : undefined;
				const listed = slot.patch.put(pages);
				if (expected !== undefined) assert.equal(listed, expected);
				assert.ok(Buffer.compare(slot.bytes, due) === 0);
			}
		}
	});

	test("a store that is full begins anew, also in the midst of pages that it has", () => {
		const store = new LineStore();
		const random = createRandom(11);
		const begun = store.generation;
		// Of lines that are all different: five times this is more than a store has.
		const slots = Array.from({ length: 5 }, () => {
			const memory = createMemory();
			const contents = Array.from({ length: 240 }, () => new Uint8Array(PAGE).map(() => random(256)));
			const pages = {
				offsets: contents.map((_, i) => i * PAGE),
				pages: contents.map((c) => new PageContent(c)),
				listed: undefined,
			};
			const bytes = new Uint8Array(memory.buffer);
			const patch = createPatch(memory, store);
			return { bytes, due: withPages(bytes, pages), pages, patch };
		});
		for (const [i, { bytes, due, pages, patch }] of [...slots, ...slots].entries()) {
			// Now and then only half of them, so that not all are known when the store begins anew.
			const half = { offsets: pages.offsets.slice(120), pages: pages.pages.slice(120), listed: undefined };
			let most = 0;
			for (let k = 0; k < 3 * OFTEN; k++) {
				bytes.fill(k, 700_000, 700_100);
				most = Math.max(most, patch.put(k < OFTEN / 2 ? half : pages));
				assert.ok(Buffer.compare(bytes.subarray(120 * PAGE), due.subarray(120 * PAGE)) === 0, `slot ${i}, ${k}`);
			}
			assert.equal(most, 240);
			assert.ok(Buffer.compare(bytes, due) === 0);
		}
		assert.ok(store.generation > begun);
	});

	for (const { name, memory = createMemory(32), pages = createPages(SCATTERED, 5) } of [
		{ name: "few pages", pages: createPages([[1, 7]], 5) },
		{ name: "more pages than there is room for", pages: createPages([[0, 300]], 5) },
		{ name: "shared memory", memory: createMemory(32, { maximum: 32, shared: true }) },
	]) {
		test(`copied: ${name}`, () => {
			const bytes = new Uint8Array(memory.buffer);
			const patch = createPatch(memory);
			for (let i = 0; i < OFTEN; i++) {
				bytes.fill(0xa5);
				assert.equal(patch.put(pages), 0);
			}
			assert.ok(Buffer.compare(bytes.slice(), withPages(bytes.slice(), pages)) === 0);
		});
	}
});
