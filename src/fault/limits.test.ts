import assert from "node:assert/strict";
import { test } from "node:test";

import { formatLimit, LimitExceeded, LIMITS, type LimitName, withDefaultLimits } from "./limits.ts";

test("what ended a guest is said with its limit, its value and its app", () => {
	const cases: readonly (readonly [LimitName, number, string | undefined, string])[] = [
		["cpu", 50, "x", 'killed: cpu 50 ms (limit "cpu" of app x)'],
		["memory", 64 * 1024 * 1024, undefined, 'killed: memory 64 MiB (limit "memory")'],
		["memory", 65_537, undefined, 'killed: memory 65537 bytes (limit "memory")'],
		["fuel", 1_000, undefined, 'killed: fuel 1000 instructions (limit "fuel")'],
		["handles", 3, "shop", 'killed: handles 3 handles (limit "handles" of app shop)'],
	];
	for (const [limit, allowed, app, message] of cases) {
		const error = new LimitExceeded(limit, allowed, app);
		assert.deepEqual(
			[error.message, error.code, error.limit, error.allowed],
			[message, "guest/killed", limit, allowed],
		);
	}
});

test("sizes are written in the largest unit that divides them", () => {
	const written = [1, 1024, 1536, 3 << 20, 2 ** 31].map((bytes) => formatLimit("memory", bytes));
	assert.deepEqual(written, ["1 bytes", "1 KiB", "1536 bytes", "3 MiB", "2 GiB"]);
});

test("limits that are not given have their defaults", () => {
	const limits = withDefaultLimits({ cpu: 7 });
	assert.deepEqual(Object.keys(limits), Object.keys(LIMITS));
	assert.deepEqual([limits.cpu, limits.memory], [7, LIMITS.memory.default]);
});
