import assert from "node:assert/strict";
import { test } from "node:test";
import { takeTurns } from "./turns.ts";

/** Runs on a clock of their own; each is told how often it ran right before, and takes what it says. */
function simulate(
	count: number,
	took: (which: number, again: number) => number,
	least: number,
): ReturnType<typeof takeTurns> & { readonly order: readonly number[] } {
	let clock = 0;
	const order: number[] = [];
	const runs = Array.from({ length: count }, (_, which) => () => {
		let again = 0;
		while (order[order.length - 1 - again] === which) again++;
		order.push(which);
		const time = took(which, again);
		clock += time;
		return time;
	});
	const options = { warmUp: 0, milliseconds: 0, leastWarmUp: 1, least, now: () => clock };
	return { ...takeTurns(runs, options), order };
}

test("what is quicker behind itself is so for all", () => {
	for (const least of [1, 2, 3, 7, 8]) {
		const { shortest } = simulate(4, (_, again) => (again === 0 ? 10 : 6), least);
		assert.deepEqual(shortest, [6, 6, 6, 6]);
	}
});

test("long runs stand alone, and none follows itself", () => {
	const { shortest, order, rounds } = simulate(4, (which, again) => (again === 0 ? 100 + which : 50), 8);
	assert.deepEqual(shortest, [100, 101, 102, 103]);
	assert.equal(rounds, 8);
	assert.equal(order.length, 9 * 4);
});

test("each stands at each place as often", () => {
	const { order } = simulate(3, () => 100, 2);
	assert.deepEqual(order, [0, 1, 2, 1, 2, 0, 2, 0, 1]);
});

test("what warms up is not counted, and time is what ends it", () => {
	let clock = 0;
	let runs = 0;
	const run = (): number => {
		clock += 100;
		return ++runs <= 5 ? 1 : 2;
	};
	// A run of less than 60 ms is one of four: the sixth is in the second turn, which ends the warming up
	const found = takeTurns([run], { warmUp: 800, milliseconds: 1000, leastWarmUp: 1, least: 1, now: () => clock });
	assert.deepEqual(found, { shortest: [2], rounds: 3 });
});
