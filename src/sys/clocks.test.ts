import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { createMonotonicClock, createWallClock } from "./clocks.ts";

const MS = 1_000_000n;

function timers(): number {
	return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
}

suite("monotonic clock", { timeout: 120_000 }, () => {
	test("starts near zero and never goes back", () => {
		const clock = createMonotonicClock();
		let last = clock.now();
		assert.ok(last >= 0n && last < 1000n * MS);
		for (let i = 0; i < 1000; i++) {
			const now = clock.now();
			assert.ok(now >= last);
			last = now;
		}
		assert.ok(clock.resolution() > 0n);
	});

	for (const ms of [-1000n, 0n, 1n, 15n]) {
		test(`wakes once, not before ${ms} ms from now and not within the call`, async () => {
			const clock = createMonotonicClock();
			const when = clock.now() + ms * MS;
			let wakes = 0;
			await new Promise<void>((resolve) => {
				clock.at(when, () => {
					wakes++;
					resolve();
				});
				assert.equal(wakes, 0);
			});
			assert.ok(clock.now() >= when);
			await new Promise((resolve) => setTimeout(resolve, 5));
			assert.equal(wakes, 1);
		});
	}

	test("a wait that is too long for one timer holds one, and gives it back when cancelled", () => {
		const clock = createMonotonicClock();
		const before = timers();
		const cancel = clock.at(2n ** 64n - 1n, () => assert.fail("woken"));
		assert.equal(timers(), before + 1);
		cancel();
		cancel();
		assert.equal(timers(), before);
	});
});

test("the wall clock tells the time", () => {
	const clock = createWallClock();
	const { seconds, nanoseconds } = clock.now();
	assert.ok(Math.abs(Number(seconds) * 1000 + nanoseconds / 1e6 - Date.now()) < 1000);
	assert.ok(nanoseconds >= 0 && nanoseconds < 1e9);
	assert.deepEqual(clock.resolution(), { seconds: 0n, nanoseconds: 1_000_000 });
});
