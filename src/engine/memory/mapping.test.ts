import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Dice } from "../../../test/reset/dice.ts";
import { LinePatch, LineStore } from "./line-patch.ts";
import { Mapping } from "./mapping.ts";
import { changePages, comparePages, ImagePages, NO_DELTA, PageShelf } from "./page-delta.ts";
import { FIRST_REVIEWS, IDLE_REVIEWS } from "./pages.ts";
import { webAssembly } from "../v8/v8.ts";

const PAGE = 4096;
const PAGES = 16;

/** A system that tells of faults and of written pages what it is told to. */
function createSystem(): {
	readonly memory: Uint8Array;
	readonly mapping: Mapping;
	readonly written: Set<number>;
	readonly asked: () => number;
	/** Takes pages that changed for written, each with a fault, as a kernel does. */
	readonly tellWritten: () => void;
	faults: number;
	refuses: boolean;
} {
	const image = new Uint8Array(PAGES * PAGE).map((_, i) => i >> 12);
	const own = new (webAssembly().Memory)({ initial: 1 });
	const memory = new Uint8Array(own.buffer, 0, image.length);
	memory.set(image);
	const written = new Set<number>();
	let asked = 0;
	/** What was there when nothing was written. */
	const clean = memory.slice();
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
			clean.set(memory.subarray(from, to), from);
		},
	};
	const drop = (): boolean => {
		memory.set(image);
		clean.set(image);
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
		tellWritten() {
			for (let page = 0; page < PAGES; page++) {
				const [from, to] = [page * PAGE, (page + 1) * PAGE];
				if (written.has(page) || Buffer.compare(memory.subarray(from, to), clean.subarray(from, to)) === 0) continue;
				written.add(page);
				system.faults++;
			}
		},
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

	for (const seed of [1, 2, 3, 4]) {
		test(`nothing of an earlier call is left, whichever pages are written when and whose turn it is: seed ${seed}`, () => {
			const dice = new Dice(seed);
			const system = createSystem();
			const { mapping, memory, written } = system;
			const image = memory.slice();
			const shelf = new PageShelf();
			const apps = [NO_DELTA, ...dice.times(3, createApp)];
			const due = apps.map((delta) => {
				const bytes = image.slice();
				changePages(bytes, image, NO_DELTA, delta);
				return bytes;
			});
			let app = 0;
			let pages: readonly number[] = [];
			let renewed = 0;
			/** As many pages as were taken for unwritten again: so many are written again, but others. */
			let exchanged = 0;
			for (let call = 0; call < 6000; call++) {
				// What is written again and again, who has turns, and how many pages are written beside, by a few calls
				if (dice.oneIn(400)) pages = dice.times(dice.below(6), () => dice.below(PAGES));
				const rare = call % 1000 < 300 && dice.oneIn(20) ? dice.times(1 + dice.below(6), () => dice.below(PAGES)) : [];
				for (const page of [...pages, ...rare])
					if (!dice.oneIn(5)) memory[page * PAGE + dice.below(PAGE)] = dice.bits();
				for (let page = dice.below(PAGES); exchanged > 0 && written.size < PAGES; page = (page + 1) % PAGES) {
					if (written.has(page)) continue;
					memory[page * PAGE + 77]! ^= 1 + dice.below(255);
					system.tellWritten();
					exchanged--;
				}
				system.tellWritten();
				if (dice.oneIn(50)) system.faults++;
				const before = written.size;
				app = dice.oneIn(call % 2000 < 1000 ? 500 : 2) ? dice.below(apps.length) : app;
				assert.ok(mapping.restore(apps[app] ?? NO_DELTA) !== undefined);
				const unwritten = Math.max(0, before - written.size);
				renewed += unwritten;
				exchanged = dice.oneIn(2) ? unwritten : 0;
				// What was put there is a fault as well
				system.tellWritten();
				const found = Buffer.compare(memory, due[app] ?? image);
				assert.equal(found, 0, `call ${call}`);
				if (!dice.oneIn(20)) continue;
				const next = dice.below(apps.length);
				mapping.change(apps[app] ?? NO_DELTA, apps[next] ?? NO_DELTA);
				system.tellWritten();
				assert.equal(Buffer.compare(memory, due[next] ?? image), 0, `a change behind call ${call}`);
				app = next;
			}
			assert.ok(renewed > 10, `${renewed} pages were taken for unwritten again`);

			function createApp(): typeof NO_DELTA {
				const own = image.slice();
				for (const page of dice.times(1 + dice.below(5), () => dice.below(PAGES)))
					own[page * PAGE + 9] = dice.bits() | 1;
				return comparePages(image, own, shelf);
			}
		});
	}
});
