import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as fc from "fast-check";
import { createLinuxPageMapper, tryPageMapper } from "./linux-pages.ts";
import { createMemoryImage } from "./strategy.ts";
import { NO_DELTA } from "./page-delta.ts";
import { FIRST_REVIEWS, IDLE_REVIEWS, type PageMapper, REVIEW_INTERVAL } from "./pages.ts";
import { createSlotMemory, type SlotMemory } from "./slot-memory.ts";

const WASM_PAGE = 65_536;
const mapper = createLinuxPageMapper();
/** As where the system refuses userfaultfd, as containers do. */
const unprotected = tryPageMapper([{ protect: false, faults: "listed" }]);
/** As where faults are not listed, as for most users on some systems. */
const counting = tryPageMapper([{ protect: true, faults: "counted" }]);
/** As where nothing is known of faults. */
const scanning = tryPageMapper([{ protect: true, faults: "unknown" }]);

function createMemory(pages: number, pageMapper: PageMapper | undefined): SlotMemory {
	const limits = { minimum: BigInt(pages), maximum: BigInt(pages + 4), shared: false, index: "i32" } as const;
	return createSlotMemory(limits, pageMapper);
}

function pattern(length: number): Uint8Array {
	const bytes = new Uint8Array(length);
	for (let i = 0; i < length; i++) bytes[i] = i * 31 + (i >> 12);
	return bytes;
}

const absent = (found: PageMapper | string): string | false =>
	typeof found === "string" ? `no copy-on-write memory here: ${found}` : false;
const present = (found: PageMapper | string): PageMapper | undefined => (typeof found === "string" ? undefined : found);

/** All have to do the same. */
const STRATEGIES = [
	{ name: "copy", title: "copy", mapper: undefined, skip: false as const },
	{ name: "cow", title: `cow (${present(mapper)?.method})`, mapper: present(mapper), skip: absent(mapper) },
	{ name: "cow", title: "cow without userfaultfd", mapper: present(unprotected), skip: absent(unprotected) },
	{ name: "cow", title: "cow with faults counted", mapper: present(counting), skip: absent(counting) },
	{ name: "cow", title: "cow without knowing faults", mapper: present(scanning), skip: absent(scanning) },
];

for (const strategy of STRATEGIES) {
	suite(`memory strategy ${strategy.title}`, { skip: strategy.skip }, () => {
		const pages = 4;
		const bytes = pattern(pages * WASM_PAGE);

		test("is the one that is meant", () => {
			using image = createMemoryImage(bytes, strategy.mapper, { copyLimit: 0 });
			assert.equal(image.strategy, strategy.name);
			assert.equal(image.length, bytes.length);
		});

		test("attaching gives a memory the image, whatever was in it", () => {
			using image = createMemoryImage(bytes, strategy.mapper, { copyLimit: 0 });
			const memory = createMemory(pages, strategy.mapper);
			memory.bytes.fill(0xaa);
			image.attach(memory);
			assert.deepEqual(memory.bytes, bytes);
		});

		test("restores any set of writes, again and again", () => {
			using image = createMemoryImage(bytes, strategy.mapper, { copyLimit: 0 });
			const memory = createMemory(pages, strategy.mapper);
			const attached = image.attach(memory);
			const writes = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255), fc.integer({ min: 1, max: 20_000 })), {
				maxLength: 40,
			});
			fc.assert(
				fc.property(writes, (list) => {
					const view = memory.bytes;
					for (const [at, value, length] of list) view.fill(value, at, Math.min(at + length, view.length));
					assert.ok((attached.restore() ?? -1) >= 0);
					assert.equal(Buffer.compare(view, bytes), 0);
				}),
				{ numRuns: 100 },
			);
		});

		test("two memories over one image do not see each other's writes", () => {
			using image = createMemoryImage(bytes, strategy.mapper, { copyLimit: 0 });
			const [a, b] = [createMemory(pages, strategy.mapper), createMemory(pages, strategy.mapper)];
			image.attach(a);
			image.attach(b);
			a.bytes.fill(1);
			assert.equal(Buffer.compare(b.bytes, bytes), 0);
		});

		test("a memory that has grown is made small again, where that can be done, and is empty when it grows anew", () => {
			using image = createMemoryImage(bytes, strategy.mapper, { copyLimit: 0 });
			const memory = createMemory(pages, strategy.mapper);
			const attached = image.attach(memory);
			for (let round = 0; round < 3; round++) {
				assert.ok(memory.grow(2n));
				assert.equal(memory.bytes.length, (pages + 2) * WASM_PAGE);
				assert.ok(memory.bytes.subarray(bytes.length).every((byte) => byte === 0));
				memory.bytes.fill(round + 1);
				const restored = attached.restore();
				if (strategy.mapper === undefined) {
					assert.equal(restored, undefined);
					return;
				}
				assert.ok((restored ?? 0) > 0);
				assert.equal(Buffer.compare(memory.bytes, bytes), 0);
			}
		});

		test("goes from one content to another, with or without writes between them", () => {
			using image = createMemoryImage(bytes, strategy.mapper, { copyLimit: 0 });
			const memory = createMemory(pages, strategy.mapper);
			const attached = image.attach(memory);
			// Pages of the image, pages that two contents have in common, and pages of one alone
			const contents = [[], [0, 5, 63], [5, 6, 30], [0, 5, 31, 63]].map((changed, i) => {
				const content = bytes.slice();
				for (const page of changed) content.fill(page === 5 ? 200 : i, page * 4096 + 7, page * 4096 + 900);
				return { content, delta: image.compare(content) };
			});
			assert.deepEqual(
				contents.map(({ delta }) => delta.offsets.length),
				[0, 3, 3, 4],
			);
			assert.equal(contents[1]?.delta.pages[1], contents[3]?.delta.pages[1], "equal pages are kept once");
			const step = fc.record({ to: fc.nat(3), clean: fc.boolean(), writes: fc.array(fc.nat(bytes.length - 1)) });
			fc.assert(
				fc.property(fc.array(step), (steps) => {
					let from: (typeof contents)[number] | undefined = contents[0];
					attached.restore();
					for (const { to, clean, writes } of steps) {
						const next = contents[to];
						assert.ok(from && next);
						if (clean) attached.change(from.delta, next.delta);
						else {
							for (const at of writes) memory.bytes[at] = 99;
							assert.ok((attached.restore(next.delta) ?? -1) >= 0);
						}
						assert.equal(Buffer.compare(memory.bytes, next.content), 0);
						from = next;
					}
				}),
				{ numRuns: 100 },
			);
			// Across the looks at what is still written, and after everything was given back
			const [, some, other] = contents;
			assert.ok(some && other);
			for (let i = 0; i < 2 * REVIEW_INTERVAL.least; i++) {
				const next: (typeof contents)[number] = i % 3 === 0 ? some : other;
				if (i % 100 === 50) memory.bytes.fill(1);
				memory.bytes[(i * 12_345) % bytes.length] = 1;
				attached.restore(next.delta);
				if (i % 64 > 60) assert.equal(Buffer.compare(memory.bytes, next.content), 0);
			}
		});

		test("the pages of a state are not written again unless the guest did", { skip: strategy.name === "copy" }, () => {
			const large = pattern(16 * WASM_PAGE);
			using image = createMemoryImage(large, strategy.mapper, { copyLimit: 0 });
			const memory = createMemory(16, strategy.mapper);
			const attached = image.attach(memory);
			const [own, near, far] = [40, 41, 0].map((changed, i) => {
				const content = large.slice();
				for (let page = 0; page < changed; page++)
					content.fill(page < 39 ? 1 : i + 2, page * 20_480, page * 20_480 + 9);
				return { content, delta: image.compare(content) };
			});
			assert.ok(own && near && far);
			attached.change(NO_DELTA, own.delta);
			const restore = (to: typeof own): number => {
				memory.bytes[8192] = 7;
				const written = attached.restore(to.delta) ?? -1;
				assert.equal(Buffer.compare(memory.bytes, to.content), 0);
				return written;
			};
			for (let i = 0; i <= FIRST_REVIEWS.interval * IDLE_REVIEWS; i++) restore(own);
			const renews = strategy.mapper !== present(unprotected);
			assert.equal(restore(own), (renews ? 1 : 41) * 4096);
			if (renews)
				assert.deepEqual(
					[near, near, own, near].map((to) => restore(to) / 4096),
					[3, 3, 3, 3],
				);
			// Everything, and no more than once
			restore(far);
			for (let i = 0; i < 2 * REVIEW_INTERVAL.least; i++) restore(i % 3 ? own : near);
			restore(far);
			restore(near);
		});

		test("exactly, whatever is written often, seldom, or not any more, in whichever order contents take turns", () => {
			const pages = 16;
			const large = pattern(pages * WASM_PAGE);
			using image = createMemoryImage(large, strategy.mapper, { copyLimit: 0 });
			const memory = createMemory(pages, strategy.mapper);
			const attached = image.attach(memory);
			let seed = 1;
			const below = (bound: number): number => {
				seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
				return (seed >>> 8) % bound;
			};
			const contents = [0, 3, 90, 200].map((changed, i) => {
				const content = large.slice();
				for (let k = 0; k < changed; k++) content[below(content.length)] = i;
				return { content, delta: image.compare(content) };
			});
			let hot: readonly number[] = [];
			let from = contents[0] as (typeof contents)[number];
			for (let i = 0; i < 12 * REVIEW_INTERVAL.least; i++) {
				// Some time with one app, then apps in turns, and other pages that are written
				if (i % 80 === 0) hot = Array.from({ length: below(40) }, () => below(256));
				const next = i % 160 < 80 && below(12) > 0 ? from : (contents[below(contents.length)] as typeof from);
				if (below(6) === 0) attached.change(from.delta, next.delta);
				else {
					for (const page of hot) if (below(4) > 0) memory.bytes[page * 4096 + below(4096)] = below(256);
					if (below(9) === 0) memory.bytes[below(large.length)] = 77;
					if (below(150) === 0) memory.bytes.fill(1);
					assert.ok((attached.restore(next.delta) ?? -1) >= 0);
				}
				assert.equal(Buffer.compare(memory.bytes, next.content), 0, `after ${i}`);
				from = next;
			}
		});

		test("more separate pages than one scan reports, at both ends and across each batch", () => {
			const large = pattern(160 * WASM_PAGE);
			using image = createMemoryImage(large, strategy.mapper, { copyLimit: 0 });
			const memory = createMemory(160, strategy.mapper);
			const attached = image.attach(memory);
			const view = memory.bytes;
			for (const [first, step] of [
				[0, 2],
				[1, 2],
				[1, 3],
				[2559, 1],
			] as const) {
				for (let page = first; page < 2560; page += step) view[page * 4096 + (page % 4096)] = ~(view[page * 4096] ?? 0);
				attached.restore();
				assert.equal(Buffer.compare(view, large), 0);
			}
		});

		test("every page written, more than stay resident", () => {
			const large = pattern(160 * WASM_PAGE);
			using image = createMemoryImage(large, strategy.mapper, { copyLimit: 0 });
			const memory = createMemory(160, strategy.mapper);
			const attached = image.attach(memory);
			const view = memory.bytes;
			for (let round = 0; round < 3; round++) {
				view.fill(0xee);
				assert.equal(attached.restore(), large.length);
				assert.equal(Buffer.compare(view, large), 0);
			}
		});

		test(
			"pages that one call dirtied and no later one are not copied for ever",
			{ skip: strategy.name === "copy" },
			() => {
				const large = pattern(8 * WASM_PAGE);
				using image = createMemoryImage(large, strategy.mapper, { copyLimit: 0 });
				const memory = createMemory(8, strategy.mapper);
				const attached = image.attach(memory);
				const view = memory.bytes;
				view.fill(1);
				const kept = FIRST_REVIEWS.interval * IDLE_REVIEWS;
				for (let i = 1; i <= kept; i++) assert.equal(attached.restore(), large.length);
				for (const page of [2, 77, 127]) {
					view[page * 4096 + 9] = 1;
					attached.restore();
					assert.equal(Buffer.compare(view, large), 0);
				}
				// The system tells of those three, or of what is not the image's.
				assert.equal(attached.restore(), 3 * 4096);
			},
		);
	});
}

test("small images are copied even where pages could be mapped", () => {
	using image = createMemoryImage(pattern(WASM_PAGE), typeof mapper === "string" ? undefined : mapper);
	assert.equal(image.strategy, "copy");
});
