import assert from "node:assert/strict";
import { test } from "node:test";

import { Account } from "./account.ts";
import { ENDED, threadSchedule } from "./schedule.ts";
import { Waits } from "./waits.ts";

/** Waits of a guest that is on the thread, and what the guest was failed with. */
function createWaits() {
	const schedule = threadSchedule();
	const faults: unknown[] = [];
	const account: Account = new Account(
		{ failed: false, fail: (reason) => void faults.push(reason), pause: () => waits.queue(), told: () => {} },
		{},
	);
	const waits = new Waits(schedule, account);
	return {
		waits,
		faults,
		/** As trampolines do. */
		wait: (result: Promise<number | undefined> | undefined): Promise<number> => {
			schedule.enter(account, true);
			const ticket = waits.suspend(result);
			assert.equal(schedule.current, undefined, "it has left the thread");
			return ticket;
		},
		take: (ticket: number): unknown => {
			const result = waits.take(ticket);
			assert.equal(schedule.current, account, "it has the thread");
			schedule.leave(undefined, false);
			return result;
		},
	};
}

test("each wait is given its own result, once, in whatever order they come", async () => {
	const { wait, take, faults } = createWaits();
	const [first, second, third] = [7, 8, undefined].map(() => Promise.withResolvers<number | undefined>());
	const tickets = [wait(first?.promise), wait(second?.promise), wait(third?.promise)];
	third?.resolve(undefined);
	second?.resolve(8);
	const [b, c] = await Promise.all([tickets[1], tickets[2]]);
	first?.resolve(7);
	const a = await tickets[0];
	assert.equal(new Set([a, b, c]).size, 3);
	assert.deepEqual(
		[a, b, c, a, b].map((ticket) => take(ticket as number)),
		[7, 8, undefined, undefined, undefined],
	);
	assert.deepEqual(faults, []);
});

test("a wait for nothing is over at once", async () => {
	const { wait, faults } = createWaits();
	assert.equal(await wait(undefined), ENDED);
	assert.deepEqual(faults, []);
});

test("what fails fails the guest, and its promise does not reject", async () => {
	const { wait, faults } = createWaits();
	const error = new Error("of the host");
	assert.equal(await wait(Promise.reject(error)), ENDED);
	assert.deepEqual(faults, [error]);
});

test("the end ends every wait; what comes later is dropped, be it a failure", async () => {
	const { waits, wait, take, faults } = createWaits();
	const [late, failing] = [Promise.withResolvers<number>(), Promise.withResolvers<number>()];
	const log: string[] = [];
	const watched = waits.watch(() => void log.push("watched"));
	const unwatched = waits.watch(() => void log.push("unwatched"));
	const tickets = [wait(late.promise), wait(failing.promise), waits.queue()];
	watched.wait();
	unwatched.wait();
	unwatched.leave();
	waits.end();
	assert.deepEqual(await Promise.all(tickets), [ENDED, ENDED, ENDED]);
	late.resolve(1);
	failing.reject(new Error("too late"));
	await new Promise((resolve) => setImmediate(resolve));
	waits.end();
	assert.deepEqual(log, ["watched"]);
	assert.deepEqual(faults, []);
	assert.equal(take(0), undefined, "nothing is kept of it");
});
