import assert from "node:assert/strict";
import { test } from "node:test";
import { compareClocks } from "./compare-clocks.ts";

const AHEAD = 5_000;

/** Two clocks of one time; `passes` is how long each reading of one of them takes, the last of them from then on. */
function clocks(passes: readonly number[]): [ahead: () => number, behind: () => number, readings: () => number] {
	let time = 0;
	let readings = 0;
	const read = (offset: number) => (): number => {
		time += passes[Math.min(readings++, passes.length - 1)] ?? 0;
		return time + offset;
	};
	return [read(AHEAD), read(0), () => readings];
}

for (const [name, passes, most] of [
	["the first readings are close", [0.001], 0.001],
	["the thread loses the processor before the other clock is read", [0.001, 30, 0.001, 0.001], 0.001],
	["the thread loses the processor after it", [0.001, 0.001, 30, 0.001], 0.001],
	["it does so again and again", [0.001, 30, 0.001, 0.001, 8, 0.001, 0.001, 0.001, 12, 0.001], 0.001],
	["no readings are ever close: the closest count", [9, 9, 9, 9, 9, 9, 2, 1, 2, 9], 1],
] as const) {
	test(`two clocks are compared: ${name}`, () => {
		const [ahead, behind, readings] = clocks(passes);
		const off = Math.abs(compareClocks(ahead, behind) - AHEAD);
		assert.ok(off <= most, `off by ${off} ms`);
		assert.ok(readings() <= 3_000, `${readings()} readings`);
	});
}

test("two clocks are compared: those of the process and of the thread", () => {
	const difference = compareClocks(() => Number(process.hrtime.bigint()) / 1e6, performance.now.bind(performance));
	for (let i = 0; i < 1_000; i++) {
		const before = Number(process.hrtime.bigint()) / 1e6;
		const now = performance.now() + difference;
		const after = Number(process.hrtime.bigint()) / 1e6;
		assert.ok(before - 0.1 <= now && now <= after + 0.1, `${before}, ${now}, ${after}`);
	}
});
