import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Signal, type Waitable } from "../../sys/mod.ts";
import { createWasiContext } from "../context.ts";
import { createDeadline } from "./deadline.ts";
import { Pollable, pollAll } from "./pollable.ts";
import { watchOf } from "./watch.ts";

const MS = 1_000_000n;

/** A waitable that counts how often it was waited for. */
class Gate implements Waitable {
	open = false;
	waits = 0;
	readonly signal: Signal = new Signal();

	ready(): boolean {
		return this.open;
	}

	wait(): Promise<void> {
		this.waits++;
		return this.signal.wait();
	}

	unlock(): void {
		this.open = true;
		this.signal.fire();
	}
}

function timers(): number {
	return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
}

suite("poll", { timeout: 120_000 }, () => {
	test("returns plainly, and all that are ready in order, when one is", () => {
		const [a, b, c] = [new Gate(), new Gate(), new Gate()];
		a.unlock();
		c.unlock();
		const pollables = [b, a, b, c, a].map((gate) => Pollable.of(gate));
		assert.deepEqual(pollAll(pollables), [1, 3, 4]);
		assert.deepEqual([a.waits, b.waits, c.waits], [0, 0, 0]);
	});

	test("waits for the first of several, the same one given twice included", async () => {
		const [a, b] = [new Gate(), new Gate()];
		const pollable = Pollable.of(b);
		const polled = pollAll([Pollable.of(a), pollable, pollable]);
		assert.ok(polled instanceof Promise);
		b.unlock();
		assert.deepEqual(await polled, [1, 2]);
	});

	test("goes on waiting after a wake-up that made nothing ready", async () => {
		const gate = new Gate();
		const polled = pollAll([Pollable.of(gate)]);
		let settled = false;
		void Promise.resolve(polled).then(() => (settled = true));
		gate.signal.fire();
		await new Promise(setImmediate);
		assert.equal(settled, false);
		gate.unlock();
		assert.deepEqual(await polled, [0]);
	});

	test("leaves one waiter, however often the losers were polled through new pollables", async () => {
		const never = new Gate();
		for (let i = 0; i < 100; i++) {
			const gate = new Gate();
			const polled = pollAll([Pollable.of(never), Pollable.of(gate)]);
			gate.unlock();
			assert.deepEqual(await polled, [1]);
		}
		assert.equal(never.waits, 1);
		// Whoever watched before has stopped: only this one is woken.
		let woken = 0;
		watchOf(never).watch(() => woken++);
		never.unlock();
		await new Promise(setImmediate);
		assert.equal(woken, 1);
	});

	test("block returns plainly when ready, else waits", async () => {
		const gate = new Gate();
		const pollable = Pollable.of(gate);
		const blocked = pollable.block();
		assert.ok(blocked instanceof Promise);
		gate.unlock();
		assert.equal(await blocked, undefined);
		assert.equal(pollable.block(), undefined);
	});
});

suite("deadlines", { timeout: 120_000 }, () => {
	test("the first deadline wins, not too early, and the loser's timer is given back", async () => {
		const context = createWasiContext();
		const before = timers();
		const start = context.monotonicClock.now();
		const late = createDeadline(context, start + 60_000n * MS);
		const soon = createDeadline(context, start + 10n * MS);
		assert.equal(timers(), before, "no timer without a waiter");
		const polled = pollAll([late, soon]);
		assert.equal(timers(), before + 2);
		assert.deepEqual(await polled, [1]);
		assert.ok(context.monotonicClock.now() >= start + 10n * MS);
		assert.equal(timers(), before);
		assert.deepEqual([late.ready(), soon.ready()], [false, true]);
		context.end();
	});

	test("dropping a pollable that is waited for, and the end of the context, give timers back", () => {
		const before = timers();
		const context = createWasiContext();
		const hour = 3_600_000n * MS;
		const dropped = createDeadline(context, hour);
		void dropped.block();
		void createDeadline(context, hour).block();
		assert.equal(timers(), before + 2);
		dropped.drop();
		assert.equal(timers(), before + 1);
		context.end();
		assert.equal(timers(), before);
		void createDeadline(context, hour).block();
		assert.equal(timers(), before, "no new timer after the end");
	});

	test("a deadline in the past is ready at once", () => {
		const context = createWasiContext();
		assert.equal(createDeadline(context, 0n).block(), undefined);
	});
});
