import assert from "node:assert/strict";
import { test } from "node:test";

import type { CoreFunction } from "../abi/mod.ts";
import { Trap } from "../fault/mod.ts";
import type { AccountOptions } from "./account.ts";
import { Gate } from "./gate.ts";
import { guest, type Import } from "./guest.fixture.ts";
import { threadRelay } from "./relay.ts";
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
