import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import type { CoreFunction } from "../../abi/mod.ts";
import { type Limits, Trap } from "../../fault/mod.ts";
import type { AccountOptions } from "../stop/account.ts";
import { Gate } from "./gate.ts";
import { guest, type Import } from "../guest.fixture.ts";
import { meteredGuest } from "./metered.fixture.ts";
import { Relay, threadRelay } from "./relay.ts";
import { Soon } from "./soon.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const PAIR = { params: ["i32", "i32"], results: [] };

/** `f(a, b)` tells the host of both; then it traps if b is 13, or else waits if the host does. */
const GUEST = `(module (import "host" "tell" (func $tell (param i32 i32)))
	(func (export "f") (param i32 i32)
		(call $tell (local.get 0) (local.get 1))
		(if (i32.eq (local.get 1) (i32.const 13)) (then unreachable))
		(call $tell (i32.const -1) (local.get 1))))`;

interface Caller {
	readonly gate: Gate;
	readonly call: CoreFunction;
}

async function caller(tell: Import[1], options: AccountOptions = {}): Promise<Caller> {
	const gate = new Gate(options);
	const { exports } = await guest(gate, GUEST, { tell: ["i32 i32 ->", tell] });
	return { gate, call: gate.wrapExport(exports["f"], true, PAIR, true) };
}

/** Makes the calls in one relay, each as a server does: by invitation, going on when it is over. */
function relay(log: unknown[], calls: readonly (readonly [Caller, number, number])[]): void {
	let next = 0;
	threadRelay().run(() => {
		const made = calls[next++];
		if (made === undefined) return false;
		const [{ gate, call }, a, b] = made;
		const returned = threadRelay().invite(() => {
			const held = gate.hold();
			try {
				return call(a, b);
			} finally {
				if (held) gate.release();
			}
		});
		log.push(`called ${b}`);
		if (!(returned instanceof Promise)) log.push(`at once ${b}`);
		else {
			if (returned instanceof Soon) returned.onLate(() => log.push(`late ${b}`));
			else log.push(`a promise ${b}`);
			returned.then(
				() => log.push(`over ${b}`),
				(error: unknown) => log.push(`failed ${b}: ${(error as Error).message}`),
			);
		}
		return true;
	});
	log.push("all");
}

test("guests are called one after another, each when the host is done with the one before", async () => {
	const log: unknown[] = [];
	const tell = (a: unknown, b: unknown): undefined => void log.push([a, b]);
	const [one, other] = [await caller(tell), await caller(tell)];
	relay(log, [
		[one, 1, 2],
		[other, 3, 4],
		[one, 5, 6],
	]);
	const first = ["called 2", [1, 2], [-1, 2], "over 2"];
	const second = ["called 4", [3, 4], [-1, 4], "over 4"];
	const third = ["called 6", [5, 6], [-1, 6], "over 6"];
	assert.deepEqual(log, [...first, ...second, ...third, "all"]);
	assert.deepEqual([one.gate.quiet, other.gate.quiet], [true, true]);
});

test("a guest that waits keeps its stack, and those after it are called all the same", async () => {
	const log: unknown[] = [];
	const settle: (() => void)[] = [];
	const tell = (a: unknown, b: unknown): undefined | Promise<undefined> => {
		log.push([a, b]);
		return b === 4 ? new Promise((resolve) => settle.push(() => resolve(undefined))) : undefined;
	};
	const [one, other] = [await caller(tell), await caller(tell)];
	relay(log, [
		[one, 1, 2],
		[other, 3, 4],
		[one, 5, 6],
	]);
	const before = [
		"called 2",
		[1, 2],
		[-1, 2],
		"over 2",
		"called 4",
		[3, 4],
		"late 4",
		"called 6",
		[5, 6],
		[-1, 6],
		"over 6",
		"all",
	];
	assert.deepEqual(log, before);
	assert.deepEqual([one.gate.quiet, other.gate.quiet], [true, false]);
	settle[0]?.();
	await turn();
	assert.deepEqual(log, [...before, [-1, 4]]);
	// Others may be relayed while it waits.
	relay(log, [[one, 7, 8]]);
	settle[1]?.();
	await turn();
	assert.deepEqual(log, [...before, [-1, 4], "called 8", [7, 8], [-1, 8], "over 8", "all", "over 4"]);
	assert.equal(other.gate.quiet, true);
});

test("a trap ends its guest alone, and is told of later", async () => {
	const log: unknown[] = [];
	const tell = (a: unknown, b: unknown): undefined => void log.push([a, b]);
	const [one, other] = [await caller(tell), await caller(tell)];
	relay(log, [
		[one, 1, 13],
		[other, 3, 4],
	]);
	const before = ["called 13", [1, 13], "late 13", "called 4", [3, 4], [-1, 4], "over 4", "all"];
	assert.deepEqual(log, before);
	await turn();
	assert.deepEqual(log, [...before, "failed 13: unreachable"]);
	assert.equal(one.gate.quiet, true);
});

test("what the host throws in a call ends that guest, and what it throws in between ends the relay", async () => {
	const log: unknown[] = [];
	const fails = await caller(() => {
		throw new Trap("of the host");
	});
	const well = await caller((a, b) => void log.push([a, b]));
	relay(log, [
		[fails, 1, 2],
		[well, 3, 4],
	]);
	await turn();
	assert.deepEqual(log, ["called 2", "late 2", "called 4", [3, 4], [-1, 4], "over 4", "all", "failed 2: of the host"]);
	const error = new Error("in between");
	let times = 0;
	const work = (): boolean => {
		times++;
		throw error;
	};
	assert.throws(() => threadRelay().run(work), error);
	assert.equal(times, 1);
	log.length = 0;
	relay(log, [[well, 5, 6]]);
	assert.deepEqual(log, ["called 6", [5, 6], [-1, 6], "over 6", "all"]);
});

test("calls that nobody invited, or that a guest's host function makes, are as any others", async () => {
	const log: unknown[] = [];
	const inner = await caller((a, b) => void log.push([a, b]));
	const outer = await caller((a, b) => {
		log.push([a, b]);
		if (a === -1) return;
		const returned = threadRelay().invite(() => inner.call(7, 8));
		log.push(returned instanceof Promise ? "a promise" : "at once");
		// A relay within another
		relay(log, [[inner, 9, 10]]);
	});
	relay(log, [[outer, 1, 2]]);
	const nested = [[7, 8], [-1, 8], "at once", [9, 10], [-1, 10], "called 10", "at once 10", "all"];
	assert.deepEqual(log, ["called 2", [1, 2], ...nested, [-1, 2], "over 2", "all"]);
	log.length = 0;
	assert.equal(inner.call(1, 2), undefined);
	assert.deepEqual(log, [
		[1, 2],
		[-1, 2],
	]);
});

test("a relayed guest's time counts", async () => {
	const log: unknown[] = [];
	const busy = await caller(
		(a) => {
			const until = performance.now() + 15;
			while (performance.now() < until);
			log.push(a);
		},
		{ limits: { cpu: 100 }, app: "x" },
	);
	relay(log, [[busy, 1, 2]]);
	const { cpu } = busy.gate.usage;
	assert.ok(cpu >= 20 && cpu < 100, `${cpu} ms`);
	assert.deepEqual(log, ["called 2", 1, -1, "over 2", "all"]);
});

/** In a relay, which is over then. */
function once(work: () => unknown): void {
	let left = 1;
	threadRelay().run(() => {
		if (left-- === 0) return false;
		work();
		return true;
	});
}

test("a call whose asker fails is never made", async () => {
	const log: unknown[] = [];
	const one = await caller((a, b) => void log.push([a, b]));
	const error = new Error("of the asker");
	// What asked is told, and goes on.
	once(() => {
		const ask = (): never => {
			void one.call(1, 2);
			throw error;
		};
		assert.throws(() => threadRelay().invite(ask), error);
	});
	assert.deepEqual([log, one.gate.quiet], [[], true]);
	// What asked has gone on, and then all of it fails.
	let returned: unknown;
	const work = (): never => {
		returned = threadRelay().invite(() => one.call(3, 4));
		throw error;
	};
	assert.throws(() => threadRelay().run(work), error);
	await assert.rejects(returned as Promise<unknown>, /of the asker/);
	relay(log, [[one, 5, 6]]);
	assert.deepEqual(log, ["called 6", [5, 6], [-1, 6], "over 6", "all"]);
	assert.equal(one.gate.quiet, true);
});

test("a guest that is ended before its turn is not called, and those after it are", async () => {
	const log: unknown[] = [];
	const well = await caller((a, b) => void log.push([a, b]));
	const gate = new Gate();
	const text = `(module (global $ran (export "ran") (mut i32) (i32.const 0))
		(func (export "f") (param i32 i32) (global.set $ran (i32.const 1))))`;
	const { exports } = await guest(gate, text);
	const ended = { gate, call: gate.wrapExport(exports["f"], true, PAIR, true) };
	let returned: unknown;
	const calls = [
		() => {
			returned = threadRelay().invite(() => ended.call(1, 2));
			ended.gate.fail(new Trap("ended"));
		},
		() => void threadRelay().invite(() => well.call(3, 4)),
	];
	threadRelay().run(() => {
		const call = calls.shift();
		call?.();
		return call !== undefined;
	});
	assert.ok(returned instanceof Soon);
	await assert.rejects(returned, /^Trap: ended$/);
	assert.deepEqual(log, [
		[3, 4],
		[-1, 4],
	]);
	assert.deepEqual([gate.quiet, (exports["ran"] as { value: number }).value], [true, 0]);
});

test("guests that wait are resumed in any order, in turns of their own and of others", async () => {
	const log: unknown[] = [];
	const settle = new Map<string, () => void>();
	const tell = (a: unknown, b: unknown): Promise<undefined> => {
		log.push([a, b]);
		return new Promise((resolve) => settle.set(`${String(a)} ${String(b)}`, () => resolve(undefined)));
	};
	const [one, two, three] = [await caller(tell), await caller(tell), await caller(tell)];
	const never = await caller(tell);
	relay(log, [
		[one, 1, 2],
		[never, 8, 9],
		[two, 3, 13],
		[three, 5, 6],
	]);
	assert.equal(log.splice(0).length, 13);
	const resume = async (name: string): Promise<unknown[]> => {
		settle.get(name)?.();
		await turn();
		return log.splice(0);
	};
	assert.deepEqual(await resume("5 6"), [[-1, 6]]);
	assert.deepEqual(await resume("1 2"), [[-1, 2]]);
	const quick = await caller((a, b) => void log.push([a, b]));
	relay(log, [[quick, 1, 1]]);
	assert.equal(log.splice(0).length, 5);
	assert.deepEqual(await resume("-1 6"), ["over 6"]);
	assert.deepEqual(await resume("3 13"), ["failed 13: unreachable"]);
	never.gate.fail(new Trap("the client has gone"));
	assert.deepEqual(await resume("-1 2"), ["failed 9: the client has gone", "over 2"]);
	assert.ok([one, two, three, never, quick].every(({ gate }) => gate.quiet));
});

test("an overflow of the stack, in a guest or in what it calls, is the guest's alone", async () => {
	const log: unknown[] = [];
	const text = `(module (import "host" "tell" (func $tell (param i32 i32)))
		(func $f (export "f") (param i32 i32)
			(if (local.get 0) (then (call $tell (local.get 0) (local.get 1))))
			(call $f (local.get 0) (local.get 1)) (drop (i32.const 0))))`;
	const deep = async (): Promise<Caller> => {
		const gate = new Gate();
		const { exports } = await guest(gate, text, { tell: ["i32 i32 ->", () => void String(log.length)] });
		return { gate, call: gate.wrapExport(exports["f"], true, PAIR, true) };
	};
	const [bare, calling, well] = [await deep(), await deep(), await caller((a, b) => void log.push([a, b]))];
	relay(log, [
		[bare, 0, 1],
		[calling, 1, 2],
		[well, 3, 4],
	]);
	await turn();
	const late = ["called 1", "late 1", "called 2", "late 2"];
	const failed = ["failed 1: call stack exhausted", "failed 2: call stack exhausted"];
	assert.deepEqual(log, [...late, "called 4", [3, 4], [-1, 4], "over 4", "all", ...failed]);
	assert.ok([bare, calling, well].every(({ gate }) => gate.quiet));
});

const COUNTS = `(func (export "f") (param i32 i32)
	(loop $again (call $check) (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))`;

/** `f(n, b)` goes through a loop n times. */
async function counter(metering: "trap" | "yield" | "fuel", limits: Limits): Promise<Caller> {
	const gate = new Gate({ metering, limits, app: "x" });
	const { exports } = await meteredGuest(gate, metering, COUNTS);
	return { gate, call: gate.wrapExport(exports["f"], true, PAIR, true) };
}

const FOR_EVER = 0;

for (const metering of ["trap", "yield", "fuel"] as const) {
	test(`limits are each guest's own: metering ${metering}`, async () => {
		const log: unknown[] = [];
		const cpu = await Promise.all([1, 2, 3].map(async () => await counter(metering, { cpu: 30 })));
		const wall = await counter(metering, { wall: 30 });
		const well = await Promise.all([1, 2, 3].map(async () => await counter(metering, { cpu: 30, wall: 20_000 })));
		const [first, second, third] = cpu as [Caller, Caller, Caller];
		const [before, between, after] = well as [Caller, Caller, Caller];
		relay(log, [
			[before, 1000, 1],
			[first, FOR_EVER, 2],
			[between, 1000, 3],
			[second, FOR_EVER, 4],
			[wall, FOR_EVER, 5],
			[third, FOR_EVER, 6],
			[after, 1000, 7],
		]);
		const settled = (): string[] =>
			log
				.map(String)
				.filter((line) => /^(over|failed)/.test(line))
				.sort();
		while (settled().length < 7) await turn();
		const over = [1, 3, 7].map((b) => `over ${b}`);
		const failed = [2, 4, 5, 6].map((b) => `failed ${b}: killed: ${b === 5 ? "wall" : "cpu"} 30 ms`);
		assert.deepEqual(
			settled().map((line) => line.replace(/ \(limit .*$/, "")),
			[...failed, ...over],
		);
		for (const { gate } of [...cpu, ...well, wall]) assert.equal(gate.quiet, true);
		for (const { gate } of well) assert.ok(gate.usage.cpu < 30, `${gate.usage.cpu} ms`);
	});
}

test("fuel is counted as in a call of its own", async () => {
	const alone = await counter("fuel", {});
	const counts = [1, 70_000, 3, 500_000];
	const expected: number[] = [];
	for (const n of counts) {
		alone.gate.begin();
		await alone.call(n, 0);
		expected.push(alone.gate.usage.fuel);
	}
	assert.deepEqual(expected, counts);
	const callers = await Promise.all(counts.map(async () => await counter("fuel", {})));
	relay(
		[],
		callers.map((made, i) => [made, counts[i] as number, i]),
	);
	while (callers.some(({ gate }) => !gate.quiet)) await turn();
	assert.deepEqual(
		callers.map(({ gate }) => gate.usage.fuel),
		expected,
	);
});

test("the guest that was called last is let go of when no other is called for a while", async () => {
	setFlagsFromString("--expose-gc");
	const collect = runInNewContext("gc") as () => void;
	setFlagsFromString("--no-expose-gc");
	mock.timers.enable({ apis: ["setTimeout"] });
	try {
		const relay = new Relay();
		const turns = { enter: () => true, leave: () => undefined, drop: () => undefined };
		const calls: unknown[] = [];
		const make = async (): Promise<WeakRef<object>> => {
			const { exports } = await guest(new Gate(), GUEST, { tell: ["i32 i32 ->", (...args) => void calls.push(args)] });
			const fn = exports["f"] as CoreFunction;
			let left = 1;
			relay.run(() => {
				if (left-- === 0) return false;
				void relay.invite(() => relay.defer(fn, 1, 2, turns));
				return true;
			});
			return new WeakRef(fn);
		};
		const kept = await make();
		const isThere = async (): Promise<boolean> => {
			await turn();
			collect();
			return kept.deref() !== undefined;
		};
		assert.equal(await isThere(), true);
		mock.timers.tick(1_000);
		assert.equal(await isThere(), false);
		// And it is called again as if nothing had been.
		await make();
		relay.run(() => false);
		assert.equal(calls.length, 4);
	} finally {
		mock.timers.reset();
	}
});
