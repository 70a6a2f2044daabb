import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { PooledSandbox } from "../pool/mod.ts";
import { Admission } from "./admission.ts";

/** A pool that logs what it does. A sandbox is its number. */
class LoggingPool {
	readonly log: string[] = [];
	idle: number;
	failing = false;
	#made = 0;

	constructor(idle = 0) {
		this.idle = idle;
	}

	acquire(): PooledSandbox {
		if (this.failing) throw new Error("start function: unreachable");
		if (this.idle > 0) {
			this.idle--;
			this.log.push("reuse");
		} else this.log.push(`make ${++this.#made}`);
		return { end: () => this.idle++ } as unknown as PooledSandbox;
	}
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

suite("Admission", () => {
	test("what is ready is had at once, in the same turn", () => {
		const pool = new LoggingPool(3);
		const admission = new Admission(pool);
		for (let i = 0; i < 3; i++) assert.ok(!(admission.acquire() instanceof Promise));
		assert.deepEqual(pool.log, ["reuse", "reuse", "reuse"]);
	});

	test("a burst is served by one instance, in order, when that comes back in time", async () => {
		const pool = new LoggingPool();
		const admission = new Admission(pool);
		const served: number[] = [];
		const serve = async (id: number): Promise<void> => {
			const sandbox = await admission.acquire();
			served.push(id);
			sandbox.end(undefined);
			admission.released();
		};
		await Promise.all(Array.from({ length: 32 }, (_, id) => serve(id)));
		assert.deepEqual(
			served,
			Array.from({ length: 32 }, (_, id) => id),
		);
		assert.deepEqual(pool.log, ["make 1", ...Array.from({ length: 31 }, () => "reuse")]);
	});

	test("where none comes back, one is made in each turn", async () => {
		const pool = new LoggingPool();
		const admission = new Admission(pool);
		const all = Array.from({ length: 4 }, () => admission.acquire());
		const counts: number[] = [];
		for (let i = 0; i < 5; i++) {
			counts.push(pool.log.length);
			await turn();
		}
		assert.deepEqual(counts, [1, 2, 3, 4, 4]);
		for (const each of all) await each;
	});

	test("what keeps an instance from being made is told to each who waits", async () => {
		const pool = new LoggingPool();
		const admission = new Admission(pool);
		void admission.acquire();
		const waiting = [admission.acquire(), admission.acquire()];
		pool.failing = true;
		for (const each of waiting) await assert.rejects(async () => await each, /start function/);
		await turn();
		assert.throws(() => admission.acquire(), /start function/);
		await admission.prepare(undefined);
	});

	test("prepares a few, one in a turn, and keeps none", async () => {
		const pool = new LoggingPool();
		await new Admission(pool).prepare(undefined);
		assert.deepEqual(pool.log, ["make 1", "make 2", "make 3", "make 4"]);
		assert.equal(pool.idle, 4);
	});
});
