/** Threads that stop in favour of another, with guests of JavaScript. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { type TestGuest, turn, World } from "./guest.fixture.ts";
import { canonResumeLater, canonSwitch, canonThreadIndex, canonThreadNew, canonYield } from "./thread-builtins.ts";

/** The builtins for threads of a guest. */
function threads({ instance }: TestGuest) {
	const after = { yields: false, promotes: false, cancellable: false };
	return {
		own: canonThreadIndex(instance),
		create: (body: () => Promise<void>): number => {
			const start = async (): Promise<undefined> => {
				await body();
				return undefined;
			};
			return Number(canonThreadNew(instance, { get: () => start })(0, 0));
		},
		giveWay: canonYield(instance, false),
		resumeLater: canonResumeLater(instance),
		suspendThenResume: canonSwitch(instance, after),
		yieldThenResume: canonSwitch(instance, { ...after, yields: true }),
	};
}

test("the thread in whose favour another stops runs before those that wait", async () => {
	const world = new World();
	const [first, second] = [world.guest(), world.guest()];
	const { own, create, giveWay, resumeLater, suspendThenResume } = threads(first);
	const log: string[] = [];
	const yieldOther = threads(second).giveWay;
	const state = { over: false };
	const others = second.run(async () => {
		for (let i = 0; !state.over && i < 100; i++) {
			log.push("other");
			await yieldOther();
		}
	});
	await first.run(async () => {
		await giveWay();
		const self = own();
		const next = create(async () => {
			log.push("next");
			void resumeLater(self);
		});
		log.push("first");
		await suspendThenResume(next);
		log.push("first again");
		state.over = true;
	});
	await others;
	const from = log.indexOf("first");
	assert.deepEqual(log.slice(from), ["first", "next", "other", "first again"]);
});

for (const [when, yields] of [
	["from the first", false],
	["once they have waited", true],
] as const) {
	test(`threads that stop in favour of each other give the host its turn, ${when}`, async () => {
		const guest = new World().guest();
		const { own, create, giveWay, resumeLater, suspendThenResume } = threads(guest);
		const most = 1000;
		const state = { over: false };
		let [rounds, turns] = [0, 0];
		const count = (): void => {
			turns++;
			if (!state.over) setImmediate(count);
		};
		setImmediate(count);
		await guest.run(async () => {
			if (yields) await giveWay();
			const self = own();
			const other = create(async () => {
				while (!state.over) await suspendThenResume(self);
				void resumeLater(self);
			});
			for (; rounds < most; rounds++) await suspendThenResume(other);
			state.over = true;
			await suspendThenResume(other);
		});
		// Two stops a round, and a turn at least every 64.
		assert.ok(turns >= Math.floor((2 * most) / 64), `${turns} turns`);
	});
}

test("threads that stop in favour of each other do so no more once their sandbox has ended", async () => {
	for (const yields of [false, true]) {
		const guest = new World().guest();
		const { own, create, giveWay, suspendThenResume } = threads(guest);
		let rounds = 0;
		const reason = new Error("of the test");
		const run = guest.run(async () => {
			if (yields) await giveWay();
			const self = own();
			const other = create(async () => {
				for (;;) await suspendThenResume(self);
			});
			for (; ; rounds++) await suspendThenResume(other);
		});
		setImmediate(() => guest.world.store.dispose(reason));
		await assert.rejects(run, (error) => error === reason);
		const ended = rounds;
		for (let i = 0; i < 3; i++) await turn();
		assert.equal(rounds, ended);
		assert.ok(ended > 0);
		assert.equal(guest.world.scheduler.idle, true);
	}
});
