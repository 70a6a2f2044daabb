import assert from "node:assert/strict";
import { test } from "node:test";

import { Parked } from "../../abi/mod.ts";
import { LimitExceeded, type Limits } from "../../fault/mod.ts";
import { Account } from "../stop/account.ts";
import { ENDED, threadSchedule } from "../stop/schedule.ts";
import { Waits } from "./waits.ts";

/** Waits of a guest that is on the thread, and what the guest was failed with. */
function createWaits(limits: Limits = {}) {
	const schedule = threadSchedule();
	const faults: unknown[] = [];
	const account: Account = new Account(
		{ failed: false, fail: (reason) => void faults.push(reason), pause: () => waits.queue(), told: () => {} },
		{ limits },
	);
	const waits = new Waits(schedule, account);
	return {
		waits,
		faults,
		/** As trampolines do. */
		wait: (result: PromiseLike<number | undefined> | undefined): Promise<number> => {
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

test("what another guest does is told at once, and to each who waits for it what is his", async () => {
	const { waits, wait, take, faults } = createWaits();
	const [first, second] = [new Parked<number>(), new Parked<number>()];
	for (const round of [1, 2, 3]) {
		const a = wait(first.renew());
		const b = wait(second.renew());
		second.resolve(-round);
		// The waiter that served for it serves again, while its ticket is not taken yet.
		const third = new Parked<number>();
		const c = wait(third);
		first.resolve(round);
		third.resolve(100 + round);
		const tickets = await Promise.all([a, b, c]);
		assert.equal(new Set(tickets).size, 3);
		assert.deepEqual(tickets.map(take), [round, -round, 100 + round]);
	}
	const [ended, failed] = [wait(first.renew()), wait(second.renew())];
	const error = new Error("of the other");
	second.reject(error);
	waits.end();
	first.resolve(7);
	assert.deepEqual(await Promise.all([ended, failed]), [ENDED, ENDED]);
	assert.deepEqual(faults, [error]);
});

test("the wall limit is looked at while anybody waits, whoever came or went before, and no longer", async () => {
	const WALL = 30;
	const never = new Promise<number>(() => {});
	const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 3 * WALL));
	type Made = ReturnType<typeof createWaits>;
	const cases: [string, boolean, (made: Made) => unknown][] = [
		["one", true, ({ wait }) => wait(never)],
		["one of two", true, ({ wait }) => [wait(Promise.resolve(1)), wait(never)]],
		[
			"one after another, whose turn has come and who has not run yet",
			true,
			({ wait }) => {
				const parked = new Parked<number>();
				void wait(parked);
				parked.resolve(1);
				return wait(never);
			},
		],
		[
			"one beside another that runs again",
			true,
			async ({ wait, take }) => {
				const ticket = wait(Promise.resolve(1));
				void wait(never);
				assert.equal(take(await ticket), 1);
			},
		],
		[
			"one beside a paused one, after a wait that is over",
			true,
			async ({ waits, wait, take }) => {
				take(await wait(Promise.resolve(1)));
				void waits.queue();
				void wait(never);
			},
		],
		["nobody", false, async ({ wait, take }) => take(await wait(Promise.resolve(1)))],
		[
			"nobody, of two",
			false,
			async ({ wait, take }) => {
				const tickets = await Promise.all([wait(Promise.resolve(1)), wait(Promise.resolve(2))]);
				for (const ticket of tickets) take(ticket);
			},
		],
	];
	for (const [name, fails, run] of cases) {
		const made = createWaits({ wall: WALL });
		void run(made);
		await later();
		const isWall = made.faults.map((fault) => fault instanceof LimitExceeded && fault.limit === "wall");
		assert.deepEqual(isWall, fails ? [true] : [], name);
		made.waits.end();
	}
});
