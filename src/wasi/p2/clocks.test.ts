import assert from "node:assert/strict";
import { test } from "node:test";
import type { MonotonicClock } from "../../sys/mod.ts";
import { createWasiContext } from "../context.ts";
import type { Pollable } from "../io/pollable.ts";
import { clocksMonotonicClock } from "./clocks-monotonic-clock.ts";
import { clocksWallClock } from "./clocks-wall-clock.ts";

/** A clock that stands still until it is moved. */
function createTestClock(): { clock: MonotonicClock; moveTo: (time: bigint) => void; alarms: () => bigint[] } {
	let time = 0n;
	const alarms = new Map<() => void, bigint>();
	return {
		clock: {
			now: () => time,
			resolution: () => 7n,
			at(when, wake) {
				const entry = (): void => wake();
				alarms.set(entry, when);
				return () => alarms.delete(entry);
			},
		},
		moveTo(to) {
			time = to;
			for (const [wake, when] of alarms) {
				if (when > time) continue;
				alarms.delete(wake);
				wake();
			}
		},
		alarms: () => [...alarms.values()],
	};
}

const U64_MAX = 2n ** 64n - 1n;

for (const [name, argument, due] of [
	["subscribe-instant", 150n, 150n],
	["subscribe-duration", 50n, 150n],
	["subscribe-instant", U64_MAX, U64_MAX],
	// The sum does not fit in an instant: never, as far as anybody can tell.
	["subscribe-duration", U64_MAX, U64_MAX],
] as const) {
	test(`${name} ${argument} at 100 is due at ${due}`, async () => {
		const { clock, moveTo, alarms } = createTestClock();
		const context = createWasiContext({ monotonicClock: clock });
		moveTo(100n);
		const pollable = clocksMonotonicClock.functions[name]?.(context, argument) as Pollable;
		assert.equal(pollable.ready(), false);
		const blocked = pollable.block();
		assert.deepEqual(alarms(), [due]);
		moveTo(due - 1n);
		assert.equal(pollable.ready(), false);
		moveTo(due);
		await blocked;
		assert.deepEqual([pollable.ready(), alarms()], [true, []]);
	});
}

test("now and resolution are those of the context's clocks", () => {
	const { clock, moveTo } = createTestClock();
	moveTo(42n);
	const time = { seconds: 1n, nanoseconds: 2 };
	const grain = { seconds: 0n, nanoseconds: 5 };
	const context = createWasiContext({
		monotonicClock: clock,
		wallClock: { now: () => time, resolution: () => grain },
	});
	assert.deepEqual(
		[clocksMonotonicClock, clocksWallClock].flatMap(({ functions }) => [
			functions["now"]?.(context),
			functions["resolution"]?.(context),
		]),
		[42n, 7n, time, grain],
	);
});
