import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { collectYoung, youngHeap } from "./heap.ts";
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
			const look = (): ReturnType<typeof youngHeap> => ({ small: small * MIB, large: large * MIB, room: room * MIB });
			new Nursery(look, () => times++).make(left);
			assert.equal(times, collected ? 1 : 0);
		});
	}

	test("far from its end nobody looks", () => {
		new Nursery(() => assert.fail("it looked"), assert.fail).make(1_000);
	});

	test("where the heap cannot be looked into, nothing is collected", () => {
		new Nursery(() => undefined, assert.fail).make(0);
	});

	test("V8 says how much is there, and a collection makes room", () => {
		const objects: object[] = [];
		for (let i = 0; i < 1_000; i++) objects.push({ i });
		const before = youngHeap();
		collectYoung();
		collectYoung();
		const after = youngHeap();
		assert.ok(before !== undefined && after !== undefined && objects.length === 1_000);
		assert.ok(before.small > 20_000, `${before.small}`);
		assert.ok(after.small < before.small && after.room >= before.room, JSON.stringify({ before, after }));
	});
});
