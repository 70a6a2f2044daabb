import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { LinePatch, LineStore } from "./line-patch.ts";
import { Mapping } from "./mapping.ts";
import { ImagePages, NO_DELTA } from "./page-delta.ts";
import { FIRST_REVIEWS, IDLE_REVIEWS } from "./pages.ts";
import { webAssembly } from "./v8.ts";

const PAGE = 4096;
const PAGES = 16;

/** A system that tells of faults and of written pages what it is told to. */
function createSystem(): {
	readonly memory: Uint8Array;
	readonly mapping: Mapping;
	readonly written: Set<number>;
	readonly asked: () => number;
	faults: number;
	refuses: boolean;
} {
	const image = new Uint8Array(PAGES * PAGE).map((_, i) => i >> 12);
	const own = new (webAssembly().Memory)({ initial: 1 });
	const memory = new Uint8Array(own.buffer, 0, image.length);
	memory.set(image);
	const written = new Set<number>();
	let asked = 0;
	const scan = {
		each(found: (from: number, to: number) => void): boolean {
			asked++;
			if (system.refuses) return false;
			for (const page of [...written].sort((a, b) => a - b)) found(page * PAGE, (page + 1) * PAGE);
			return true;
		},
		mark: () => system.faults,
		isUntouched: (since: number, until: number) => since === until,
		forget: () => written.clear(),
		renews: true,
		renew(from: number, to: number) {
			for (let at = from; at < to; at += PAGE) written.delete(at / PAGE);
		},
	};
	const drop = (): boolean => {
		memory.set(image);
		return true;
	};
	const system = {
		memory,
		mapping: new Mapping(
			memory,
			new ImagePages(image),
			scan,
			PAGE,
			drop,
			new LinePatch(own, memory, () => new LineStore()),
		),
		written,
		asked: () => asked,
		faults: 1,
		refuses: false,
	};
	return system;
}

suite("a mapping and page faults", () => {
	test("pages are looked for where there was a fault, and only there", () => {
		const system = createSystem();
		const { asked, mapping, memory, written } = system;
		const pages: (number | undefined)[] = [];
		const call = (...changed: number[]): void => {
			for (const page of changed) {
				if (!written.has(page)) system.faults++;
				written.add(page);
				memory[page * PAGE + 5] = 99;
			}
			const bytes = mapping.restore(NO_DELTA);
			pages.push(bytes === undefined ? undefined : bytes / PAGE);
			assert.ok(memory.every((byte, i) => byte === i >> 12));
		};
		call(2);
		call(2);
		call();
		assert.deepEqual([pages.splice(0), asked()], [[1, 1, 1], 1]);
		call(2, 3, 6);
		call(6);
		assert.deepEqual([pages.splice(0), asked()], [[3, 3], 2]);
		// A fault of something else
		system.faults++;
		call(3);
		call(3);
		assert.deepEqual([pages, asked()], [[3, 3], 3]);
	});

	test("where faults cannot be told, pages are looked for each time", () => {
		const system = createSystem();
		system.faults = NaN;
		for (let i = 0; i < 4; i++) {
			system.written.add(i);
			system.memory[i * PAGE] = 99;
			assert.equal(system.mapping.restore(NO_DELTA), (i + 1) * PAGE);
		}
		assert.equal(system.asked(), 4);
	});

	test("a system that did not say is asked again, faults or not", () => {
		const system = createSystem();
		system.written.add(1);
		system.mapping.restore(NO_DELTA);
		system.refuses = true;
		system.faults++;
		assert.equal(system.mapping.restore(NO_DELTA), undefined);
		assert.equal(system.mapping.restore(NO_DELTA), undefined);
		system.refuses = false;
		system.memory[PAGE] = 99;
		assert.equal(system.mapping.restore(NO_DELTA), PAGE);
		assert.equal(system.memory[PAGE], 1);
	});

	test("pages that became unwritten are not copied any more", () => {
		const system = createSystem();
		const { mapping, written } = system;
		for (const page of [1, 2]) written.add(page);
		const restored: (number | undefined)[] = [];
		for (let i = 0; i < FIRST_REVIEWS.interval * IDLE_REVIEWS; i++) {
			system.memory[2 * PAGE] = 99;
			restored.push(mapping.restore(NO_DELTA));
		}
		assert.equal(restored[0], 2 * PAGE);
		// With the first page its near neighbour became unwritten, which is written again.
		written.add(2);
		system.faults++;
		system.memory[2 * PAGE] = 99;
		assert.equal(mapping.restore(NO_DELTA), PAGE);
		assert.equal(system.memory[2 * PAGE], 2);
	});

	test("the longer the same pages are written, the more seldom it is looked which; soon again where there are more", () => {
		const system = createSystem();
		const { asked, mapping, memory, written } = system;
		let bytes: number | undefined;
		/** @returns which of so many calls were followed by a look, counted from 1 */
		const call = (times: number): number[] => {
			const looks: number[] = [];
			for (let i = 1; i <= times; i++) {
				for (const page of [1, 2, 3]) memory[page * PAGE] = 99;
				const before = asked();
				bytes = mapping.restore(NO_DELTA);
				if (asked() > before) looks.push(i);
			}
			return looks;
		};
		for (const page of [1, 2, 3]) written.add(page);
		assert.deepEqual(call(FIRST_REVIEWS.until), [1, 8, 16, 24, 32, 40, 48, 56, 64]);
		assert.deepEqual(call(5000), [64, 128, 192, 256, 384, 640, 1152, 2176, 3200, 4224]);
		// As many as that are written once, and given up in the end.
		for (let page = 4; page < PAGES; page++) written.add(page);
		system.faults++;
		assert.deepEqual(call(400), [1, 65, 129, 193, 257, 258, 321]);
		assert.equal(bytes, 3 * PAGE);
	});
});
