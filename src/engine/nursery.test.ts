import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Nursery } from "./nursery.ts";

const MIB = 1024 * 1024;

suite("new objects of guests are collected while there is time for it", () => {
	for (const [name, made, collected] of [
		["a guest that has long to go", [[1, 1000], ...Array.from({ length: 99 }, () => [1, 900])], []],
		["one without a limit of time", Array.from({ length: 99 }, () => [16, Infinity]), []],
		["as much as it has the time for, and a millisecond more", [[5.5, 10], [0.1, 10]], [1]], // prettier-ignore
		["that much was the guest before it that made it", [[5, 1000], [0.5, 10.2], [0.5, 10]], [2]], // prettier-ignore
		["after that it begins anew", [[6, 10], [5, 10], [5, 10]], [0, 2]], // prettier-ignore
		["too little to make anyone late", [[0.25, 0], [0.25, 0], [0.25, 0]], [2]], // prettier-ignore
		["more than there is room for counts for no more", [[1000, 63], [1000, 62]], [1]], // prettier-ignore
	] as const) {
		test(name, () => {
			let i = 0;
			const at: number[] = [];
			const nursery = new Nursery(() => void at.push(i));
			for (const [mib = 0, left = 0] of made) {
				nursery.make(mib * MIB, () => left);
				i++;
			}
			assert.deepEqual(at, collected);
		});
	}

	test("nobody reads a clock for what cannot make anyone late", () => {
		const nursery = new Nursery(assert.fail);
		for (let i = 0; i < 4; i++) nursery.make(MIB / 8, () => assert.fail("it was read"));
	});
});
