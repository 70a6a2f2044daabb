import assert from "node:assert/strict";
import { it } from "node:test";
import { isWarm, warmUp } from "./warm-up.ts";

it("isWarm: three seconds have brought nothing more", () => {
	const cases: [number[], boolean][] = [
		[[], false],
		[[100, 100, 100], false],
		[[100, 100, 100, 100], true],
		[[100, 104, 104, 105], true],
		[[100, 100, 100, 106], false],
		// Still rising, however slowly from second to second
		[[100, 104, 108, 112], false],
		// A second that was disturbed is no rise after it.
		[[100, 200, 20, 200, 200], true],
		[[100, 200, 20, 220, 200], false],
		[[0, 0, 0, 0], true],
	];
	for (const [rates, due] of cases) assert.equal(isWarm(rates), due, rates.join(" "));
});

it("warmUp: as long as it rises, and not for ever", async () => {
	const run = async (maximum: number, next: (i: number) => number): Promise<unknown> => {
		let i = 0;
		return warmUp(maximum, async () => next(i++));
	};
	assert.deepEqual(await run(10, () => 7), { rates: [7, 7, 7, 7], settled: true });
	assert.deepEqual(await run(5, (i) => 2 ** i), { rates: [1, 2, 4, 8, 16], settled: false });
	assert.deepEqual(await run(20, (i) => 100 * Math.min(i, 3)), {
		rates: [0, 100, 200, 300, 300, 300, 300],
		settled: true,
	});
	assert.deepEqual(await run(1, () => 7), { rates: [7], settled: false });
});
