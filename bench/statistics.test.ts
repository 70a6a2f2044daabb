import assert from "node:assert/strict";
import { it } from "node:test";
import { median, toQuantiles, toSpread } from "./statistics.ts";

it("median: the middle, by number and not by text, without touching its input", () => {
	const cases: [number[], number][] = [
		[[], Number.NaN],
		[[7], 7],
		[[1, 2], 1.5],
		[[100, 9, 20], 20],
		[[4, 1, 3, 2], 2.5],
	];
	for (const [values, due] of cases) {
		const before = [...values];
		assert.equal(median(values), due);
		assert.deepEqual(values, before);
	}
});

it("toSpread: keeps the rounds in their order", () => {
	assert.deepEqual(toSpread([3, 1, 2]), { median: 2, min: 1, max: 3, rounds: [3, 1, 2] });
});

it("toQuantiles: the middle, and what 99 of 100 do not exceed", () => {
	const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
	assert.deepEqual(toQuantiles(hundred), { median: 50.5, p99: 99 });
	assert.deepEqual(toQuantiles([7]), { median: 7, p99: 7 });
});
