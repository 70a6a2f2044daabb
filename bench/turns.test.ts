import assert from "node:assert/strict";
import { test } from "node:test";
import { takeTurns, type Turns } from "./turns.ts";

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
	const options = { ...ALONE, warmUp: 0, milliseconds: 0, leastWarmUp: 1, least, now: () => clock };
	return { ...takeTurns(runs, options), order };
}

const ALONE = {
	patience: 0,
	alone: () => true,
	pause: () => assert.fail("nothing to wait for"),
	settled: () => true,
};

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
	const options = { ...ALONE, warmUp: 800, milliseconds: 1000, leastWarmUp: 1, least: 1, now: () => clock };
	assert.deepEqual(takeTurns([run], options), { shortest: [2], undisturbed: [9], rounds: 3 });
});

test("nothing counts before what runs is compiled, or patience is at an end", () => {
	for (const [compiledAt, patience, took] of [
		[4, 10_000, 100],
		[4, 250, 300],
	] as const) {
		let clock = 0;
		let turns = 0;
		const run = (): number => {
			const time = ++turns > compiledAt ? 100 : 300;
			clock += time;
			return time;
		};
		const settled = (): boolean => turns >= compiledAt;
		const options = { ...ALONE, patience, settled, warmUp: 0, milliseconds: 0, leastWarmUp: 1, now: () => clock };
		assert.deepEqual(takeTurns([run], { ...options, least: 1 }), { shortest: [took], undisturbed: [1], rounds: 1 });
	}
});

/** Two runs of 100 ms, twice as long on a core that others use at the times that `shared` names. */
function onSharedCore(shared: (clock: number) => boolean, patience: number): Turns & { readonly took: number } {
	let clock = 0;
	const run = (which: number) => (): number => {
		const end = clock + 100 + which;
		let work = 0;
		for (; clock < end || work < 100 + which; clock++) work += shared(clock) ? 0.5 : 1;
		return clock - end + 100 + which;
	};
	const found = takeTurns([run(0), run(1)], {
		warmUp: 0,
		milliseconds: 0,
		leastWarmUp: 1,
		least: 1,
		patience,
		now: () => clock,
		alone: () => !shared(clock),
		pause: () => void clock++,
		settled: () => true,
	});
	return { ...found, took: clock };
}

test("runs wait for a core of their own, and count when it still is one afterwards", () => {
	const cases: readonly [name: string, shared: (clock: number) => boolean, patience: number, expected: object][] = [
		["never shared", () => false, 0, { shortest: [100, 101], undisturbed: [1, 1], rounds: 1 }],
		["shared until later", (t) => t < 1000, 5000, { shortest: [100, 101], undisturbed: [1, 1], rounds: 1 }],
		["shared from within the first on", (t) => t > 250, 0, { shortest: [200, 152], undisturbed: [0, 0], rounds: 1 }],
		["shared within one", (t) => t > 260 && t < 500, 5000, { shortest: [100, 101], undisturbed: [2, 1], rounds: 2 }],
		["always: given up", () => true, 3000, { shortest: [200, 202], undisturbed: [0, 0], rounds: 1 }],
	];
	for (const [name, shared, patience, expected] of cases) {
		const { took, ...found } = onSharedCore(shared, patience);
		assert.deepEqual(found, expected, name);
		assert.ok(took <= patience + 1000 || !shared(0), `${name}: ${took}`);
	}
});
