import assert from "node:assert/strict";
import { test } from "node:test";
import { webAssembly } from "../src/engine/mod.ts";
import { assembleProbe, OwnCore, stillAlone } from "./own-core.ts";

/** Each look takes two of the readings. */
function look(readings: readonly number[], best: number): { alone: boolean[]; best: number } {
	const left = [...readings];
	const core = new OwnCore(() => left.shift() ?? Number.NaN, best);
	const alone = Array.from({ length: readings.length / 2 }, () => core.isAlone());
	return { alone, best: core.best };
}

test("a core is one's own while it is as quick as it ever was", () => {
	assert.deepEqual(look([27, 28], Infinity), { alone: [true], best: 28 });
	assert.deepEqual(look([47, 47, 27, 27, 47, 47, 29, 29], Infinity), { alone: [true, true, false, true], best: 27 });
	assert.deepEqual(look([47, 47], 27), { alone: [false], best: 27 });
});

test("an interrupt hits one of two readings", () => {
	assert.deepEqual(look([27, 90, 90, 27, 90, 90], 27), { alone: [true, true, false], best: 27 });
});

test("a reading that is too short alone is none", () => {
	assert.deepEqual(look([27, 27, 20, 27, 27, 27], Infinity), { alone: [true, true, true], best: 27 });
});

test("who knew only shared cores is found out later", () => {
	assert.equal(stillAlone(28, 27), true);
	assert.equal(stillAlone(47, 27), false);
});

test("the probe computes, and longer the more it is told to", async () => {
	let now = 0;
	const probe = await assembleProbe();
	// Two looks at the clock each time: 5 ms lie between them
	const core = OwnCore.create(probe, () => (now += 5), Infinity);
	assert.equal(core.isAlone(), true);
	assert.equal(core.best, 5);
	const { exports } = new (webAssembly().Instance)(new (webAssembly().Module)(probe), {});
	const run = exports["probe"] as (n: number, x: number) => number;
	// By hand: each of eight lanes is (lane ^ n) + x, for n from 3 down to 1; then their sum and x
	let lane = 0;
	for (let n = 3; n > 0; n--) lane = (lane ^ n) + 10;
	assert.equal(run(3, 10), 10 + 8 * lane);
});
