import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { collectYoung, heapUse } from "./heap.ts";
import { Nursery } from "./nursery.ts";

const MIB = 1024 * 1024;

suite("new objects of guests are collected while there is time for it", () => {
	for (const [name, left, small, large, room, collected] of [
		["a guest that has long to go", 160, 32, 0, 0, false],
		["one without a limit of time", Infinity, 32, 32, 0, false],
		["what moving takes is left, and a millisecond less", 19, 4, 0, 12, false],
		["a little less than that", 18.9, 4, 0, 12, true],
		["large objects stay where they are", 19, 2, 6.6, 12, false],
		["yet are looked at", 19, 2, 6.8, 12, true],
		["it cannot make as much as there is room for", 2, 6, 0, 8, false],
		["it might", 2, 6, 0, 7.9, true],
		["too little to make anyone late", 0, 0.2, 0, 0, false],
		["a guest that is to end already", -1, 8, 0, 8, false],
	] as const) {
		test(name, () => {
			let times = 0;
			const look = (): ReturnType<typeof heapUse> => ({
				small: small * MIB,
				large: large * MIB,
				room: room * MIB,
				old: 0,
			});
			assert.equal(new Nursery(look, () => times++).make(left, 0), collected);
			assert.equal(times, collected ? 1 : 0);
		});
	}

	for (const [name, before, bytes, room, collected] of [
		["it was slow until now", 3, 1, 8, false],
		["it was fast", 2.5, 2, 31.9, true],
		["it was, and there is room for all that it can make", 2.5, 2, 32, false],
		["it was neither", 3, 2, 15.9, true],
		["it was neither, and may be some times as fast", 3, 2, 16, false],
		["another guest came before", 1, 8, 8, false],
	] as const) {
		test(`what a guest may make yet: ${name}`, () => {
			let times = 0;
			let young = { small: 0, large: 0, room: Infinity, old: 0 };
			const nursery = new Nursery(
				() => young,
				() => times++,
			);
			nursery.make(before, bytes * MIB);
			young = { small: 6 * MIB, large: 0, room: room * MIB, old: 0 };
			nursery.make(2, 0);
			assert.equal(times, collected ? 1 : 0);
		});
	}

	/** Guests of so many milliseconds leave so many MiB each, of which some are still in use after one collection and not after the next. */
	for (const [name, guests, collections] of [
		["a guest that has long in all", [{ most: 640, small: 32 }], 0],
		["one that has little, and may have left nothing in use", [{ most: 10, small: 0.6 }], 1],
		["it has left little", [{ most: 10, small: 0.4 }], 0],
		["one with next to no time", [{ most: 0, small: 0.09 }], 0],
		["what is still in use is moved to where it is not new", [{ most: 10, small: 2, used: 2 }], 2],
		["but not when it is little", [{ most: 10, small: 2, used: 0.4 }], 1],
		[
			"another one has little time",
			[
				{ most: 10, small: 0 },
				{ most: 640, small: 0.6 },
			],
			1,
		],
		[
			"nothing of it was in use the last time",
			[
				{ most: 10, small: 2 },
				{ most: 10, small: 2 },
			],
			1,
		],
		[
			"but that is not believed for ever",
			[
				{ most: 10, small: 2 },
				{ most: 10, small: 2.1 },
			],
			2,
		],
		[
			"all was in use the last time",
			[
				{ most: 10, small: 2, used: 2 },
				{ most: 10, small: 0.6 },
			],
			3,
		],
	] as const) {
		test(`a guest has ended: ${name}`, () => {
			let times = 0;
			let now = 0;
			let [small, used] = [0, 0];
			const look = (): ReturnType<typeof heapUse> => ({ small: small * MIB, large: 0, room: Infinity, old: 0 });
			const collect = (): void => {
				times++;
				// As long as a MiB in use takes
				now += 5 * used;
				[small, used] = [used, 0];
			};
			const nursery = new Nursery(look, collect, () => now);
			for (const guest of guests) {
				({ small, used } = { used: 0, ...guest });
				nursery.make(Infinity, 0);
				nursery.leave(guest.most);
			}
			assert.equal(times, collections);
		});
	}

	for (const [name, limited, others, collected] of [
		["at once", [0], [0], [true]],
		["some minutes later", [0], [550], [true]],
		["some minutes later, and in between", [0], [250, 550], [true, true]],
		["after a long time of others", [0], [300, 600], [true, false]],
		["after a long time of nothing", [0], [600], [false]],
		["after a long time in which those have come again and again", [0, 250, 500], [800], [true]],
	] as const) {
		test(`what a guest of much time leaves is in the way of those who have little, and have ended of late: ${name}`, () => {
			let now = 0;
			let times = 0;
			let small = 0.4 * MIB;
			const nursery = new Nursery(
				() => ({ small, large: 0, room: Infinity, old: 0 }),
				() => times++,
				() => now,
			);
			const isCollectedFor = (second: number, most: number): boolean => {
				const before = times;
				now = second * 1_000;
				nursery.make(Infinity, 0);
				nursery.leave(most);
				return times > before;
			};
			for (const second of limited) assert.ok(!isCollectedFor(second, 10));
			small = 4 * MIB;
			assert.deepEqual(
				others.map((second) => isCollectedFor(second, 640)),
				collected,
			);
		});
	}

	/** At the end of each guest there are so many MiB of old objects, of which so many are in use. A collection takes a millisecond for each of these. */
	for (const [name, guests, collections] of [
		["few more than there were", [[20], [27.9]], 0],
		["as many more as V8 begins by", [[20], [28]], 1],
		["V8 has collected them in between", [[20], [27], [19], [26.9]], 0],
		["the next time, as many more as were in use", [[20], [28], [39.9]], 1],
		["that many", [[20], [28], [40]], 2],
		[
			"few in use, and no more than what V8 begins by",
			[
				[4, 4],
				[12, 4],
				[11.9, 4],
			],
			1,
		],
		[
			"few in use, and more",
			[
				[4, 4],
				[12, 4],
				[12, 4],
			],
			2,
		],
		[
			"so many in use that it would take long",
			[
				[97, 97],
				[160, 97],
			],
			0,
		],
		[
			"a guest that has long in all",
			[
				[20, 20, 640],
				[60, 20, 640],
			],
			0,
		],
		[
			"no more of all time than a quarter",
			[
				[4, 4],
				[12, 4, 10, 80],
				[60, 4, 10, 3],
			],
			1,
		],
	] as readonly (readonly [
		string,
		readonly (readonly [old: number, used?: number, most?: number, after?: number])[],
		number,
	])[]) {
		test(`what guests leave of old objects: ${name}`, () => {
			let times = 0;
			let now = 0;
			let [old, used] = [0, 0];
			const nursery = new Nursery(
				() => ({ small: 0, large: 0, room: Infinity, old: old * MIB }),
				() => {},
				() => now,
				() => {
					times++;
					now += used;
					old = used;
				},
			);
			for (const [has, keeps = 20, most = 10, after = 100] of guests) {
				now += after;
				[old, used] = [has, keeps];
				nursery.leave(most);
			}
			assert.equal(times, collections);
		});
	}

	/** What loading has left when the first guest of an app is about to begin: MiB of new and of old objects, of which there were 20. */
	for (const [name, small, old, most, collected] of [
		["a quarter of its time, if all is in use", 0.5, 20, 10, ""],
		["more than that", 0.6, 20, 10, "new"],
		["next to no time, and next to nothing", 0.09, 20, 0, ""],
		["next to no time", 0.11, 20, 0, "new"],
		["as many more old ones as V8 begins by", 0, 28, 10, "all"],
		["guests that have long in all", 32, 60, 640, ""],
	] as const) {
		test(`what loading leaves: ${name}`, () => {
			let use = { small: 0, large: 0, room: Infinity, old: 20 * MIB };
			const collections: string[] = [];
			const nursery = new Nursery(
				() => use,
				() => collections.push("new"),
				() => 0,
				() => collections.push("all"),
			);
			nursery.settle(10);
			use = { ...use, small: small * MIB, old: old * MIB };
			nursery.settle(most);
			assert.equal(collections.join(), collected);
		});
	}

	test("an app that is loaded and has made nothing yet does not have others' objects collected", () => {
		const look = { small: 4 * MIB, large: 0, room: Infinity, old: 0 };
		let times = 0;
		const nursery = new Nursery(
			() => look,
			() => times++,
			() => 0,
		);
		nursery.settle(10);
		nursery.leave(640);
		assert.equal(times, 1);
	});

	test("after guests that have long in all nobody looks", () => {
		new Nursery(() => assert.fail("it looked"), assert.fail).leave(Infinity);
	});

	test("far from its end nobody looks", () => {
		new Nursery(() => assert.fail("it looked"), assert.fail).make(1_000, 0);
	});

	test("where the heap cannot be looked into, nothing is collected", () => {
		new Nursery(() => undefined, assert.fail).make(0, 0);
	});

	test("V8 says how much is there, and a collection makes room", () => {
		const objects: object[] = [];
		for (let i = 0; i < 1_000; i++) objects.push({ i });
		const before = heapUse();
		collectYoung();
		collectYoung();
		const after = heapUse();
		assert.ok(before !== undefined && after !== undefined && objects.length === 1_000);
		assert.ok(before.small > 20_000, `${before.small}`);
		assert.ok(after.small < before.small && after.room >= before.room, JSON.stringify({ before, after }));
	});
});
