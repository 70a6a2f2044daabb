import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { Soon } from "./soon.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What happened, in its order. */
function follow(soon: Promise<unknown>, log: unknown[]): void {
	soon.then(
		(value) => log.push(["value", value]),
		(error: unknown) => log.push(["error", error]),
	);
}

suite("what comes soon", () => {
	test("tells at once of a value and of an error, before and after it is there", () => {
		for (const settle of ["resolve", "reject"] as const) {
			const log: unknown[] = [];
			const soon = new Soon<string>();
			follow(soon, log);
			log.push("before");
			soon[settle]("x");
			log.push("after");
			follow(soon, log);
			const told = settle === "resolve" ? ["value", "x"] : ["error", "x"];
			assert.deepEqual(log, ["before", told, "after", told]);
		}
	});

	for (const [name, make, told] of [
		["a value is passed on", (s: Promise<number>) => s.then((n) => n + 1).then((n) => n * 2), ["value", 4]],
		[
			"an error goes past those who want a value",
			(s: Promise<number>) => s.then(() => fail("a")).then(() => 7),
			["error", "a"],
		],
		[
			"an error is caught",
			(s: Promise<number>) => s.then(() => fail("a")).catch((error: unknown) => [error]),
			["value", ["a"]],
		],
		["an error in its place", (s: Promise<number>) => s.then(() => fail("a")).catch(() => fail("b")), ["error", "b"]],
		["finally", (s: Promise<number>) => s.finally(() => fail("c")), ["error", "c"]],
		["nothing asked", (s: Promise<number>) => s.then(null).then(undefined, () => 0), ["value", 1]],
	] as const) {
		test(`what is made of it comes as soon: ${name}`, () => {
			const log: unknown[] = [];
			const soon = new Soon<number>();
			const made = make(soon);
			assert.ok(made instanceof Soon);
			follow(made, log);
			assert.deepEqual(log, []);
			soon.resolve(1);
			assert.deepEqual(log, [told]);
		});
	}

	test("what is made of it can take longer", async () => {
		const log: unknown[] = [];
		const soon = new Soon<number>();
		follow(
			soon.then((n) => turn().then(() => n + 1)),
			log,
		);
		follow(
			soon.then(() => turn().then(() => fail("late"))),
			log,
		);
		follow(
			soon.finally(() => 7),
			log,
		);
		const told = soon.then(() => turn());
		(told as Soon<void>).onLate(() => log.push("gets late"));
		soon.resolve(1);
		assert.deepEqual(log, ["gets late"]);
		await turn();
		await turn();
		assert.deepEqual(log, ["gets late", ["value", 1], ["value", 2], ["error", "late"]]);
	});

	test("an error that nobody asks about is one of the process", async () => {
		const { promise: caught, resolve } = Promise.withResolvers<unknown>();
		// The test runner has one of its own, which fails the test.
		const listeners = process.rawListeners("unhandledRejection") as (() => void)[];
		process.removeAllListeners("unhandledRejection").once("unhandledRejection", resolve);
		try {
			new Soon<number>().reject("heard of too late");
			const soon = new Soon<number>();
			soon.reject("heard of in this turn");
			const log: unknown[] = [];
			follow(soon, log);
			const made = new Soon<number>();
			follow(made, log);
			made.reject("heard of before");
			const awaited = new Soon<number>();
			awaited.reject("awaited");
			await assert.rejects((async () => await awaited)(), (error) => error === "awaited");
			assert.equal(await caught, "heard of too late");
			await turn();
			assert.deepEqual(log, [
				["error", "heard of in this turn"],
				["error", "heard of before"],
			]);
		} finally {
			process.removeAllListeners("unhandledRejection");
			for (const listener of listeners) process.on("unhandledRejection", listener);
		}
	});

	test("it can be awaited", async () => {
		const soon = new Soon<number>();
		const waiting = (async () => (await soon) + 1)();
		soon.resolve(1);
		assert.equal(await waiting, 2);
	});

	test("all who have something made of it are told, once, that it gets late", () => {
		const log: unknown[] = [];
		const soon = new Soon<number>();
		const made = soon.then((n) => n).catch(() => 0) as Soon<number>;
		soon.onLate(() => log.push("soon"));
		made.onLate(() => log.push("made"));
		assert.equal(log.length, 0);
		soon.delay();
		assert.deepEqual(log, ["soon", "made"]);
		made.onLate(() => log.push("later"));
		soon.resolve(1);
		assert.deepEqual(log, ["soon", "made", "later"]);
	});
});

function fail(error: unknown): never {
	throw error;
}
