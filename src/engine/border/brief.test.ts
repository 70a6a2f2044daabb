import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import type { CoreFunction } from "../../abi/mod.ts";
import { LimitExceeded, type Limits } from "../../fault/mod.ts";
import { ATTENTIVE_WORD, CALL_WORD, interruptFlag } from "../stop/flag.ts";
import { Gate } from "./gate.ts";
import { guest } from "../guest.fixture.ts";
import { meteredGuest } from "./metered.fixture.ts";

/** `spin` takes as many turns as it is told; 0: for ever. */
const GUEST = `(func (export "spin") (param i32) (result i32) (loop $l (call $check)
	(br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (i32.const 7))`;

/** Of `spin`, so that it takes much longer than the host's part of a call, and is short all the same. */
const TURNS = 3_000;

/** Of `spin`, for many looks of the watchdog. */
const LONG = 50_000_000;

/** Milliseconds that are waited for what comes at once where others leave the processor alone. */
const PATIENCE = 20_000;

const words = new Int32Array(interruptFlag().memory.buffer);

type Spin = (turns: number) => number;

async function start(metering: "trap" | "yield", limits: Limits): Promise<{ gate: Gate; spin: Spin }> {
	const gate = new Gate({ limits, metering });
	const { exports } = await meteredGuest(gate, metering, GUEST);
	return { gate, spin: gate.wrapExport(exports["spin"], false, { params: ["i32"], results: ["i32"] }) as Spin };
}

/** Short calls until they are not clocked any more. */
async function earnTrust(call: () => void): Promise<void> {
	for (const deadline = performance.now() + PATIENCE; performance.now() < deadline;) {
		for (let n = 0; n < 100; n++) {
			const before = words[CALL_WORD];
			call();
			if (words[CALL_WORD] !== before) return;
		}
		await sleep(1);
	}
	assert.fail("short calls are clocked still");
}

function killed(call: () => void, limit: string): LimitExceeded {
	try {
		call();
	} catch (error) {
		assert.ok(error instanceof LimitExceeded, String(error));
		assert.equal(error.limit, limit);
		return error;
	}
	return assert.fail("it returned");
}

for (const metering of ["trap", "yield"] as const) {
	suite(`calls that nobody clocks, metering ${metering}`, () => {
		for (const [limit, limits] of [
			["cpu", { cpu: 50 }],
			["wall", { wall: 50 }],
		] as const) {
			test(`one that does not return is ended by its limit ${limit}`, async () => {
				const { gate, spin } = await start(metering, limits);
				await earnTrust(() => {
					gate.begin();
					spin(1);
				});
				for (let i = 0; i < 3; i++) {
					gate.begin();
					// Unclocked, if it comes at once
					spin(1);
					gate.begin();
					const [from, fromCpu] = [performance.now(), process.threadCpuUsage()];
					killed(() => spin(0), limit);
					const took = performance.now() - from;
					const { user, system } = process.threadCpuUsage(fromCpu);
					// However late it is: what others took of the processor did not keep it running.
					const ran = (user + system) / 1000;
					assert.ok(took >= 49 && ran < 150, `${ran} of ${took} ms`);
					gate.reset();
				}
			});
		}

		test("all of them in one budget are charged", async () => {
			const { gate, spin } = await start(metering, { cpu: 100 });
			await earnTrust(() => spin(1));
			const before = gate.usage.cpu;
			let unclocked = 0;
			const [from, fromCpu] = [performance.now(), process.threadCpuUsage().user];
			killed(() => {
				for (;;) {
					const last = words[CALL_WORD];
					spin(TURNS);
					if (words[CALL_WORD] !== last) unclocked++;
				}
			}, "cpu");
			const cpu = (process.threadCpuUsage().user - fromCpu) / 1000;
			const took = performance.now() - from;
			assert.ok(unclocked > 0, "some went by unclocked");
			// Between the two lies what others took of the processor: what is clocked counts it.
			const allowed = 100 - before;
			assert.ok(took > 0.7 * allowed && cpu < 1.3 * allowed, `killed after ${cpu} to ${took} of ${allowed} ms`);
		});

		test("whoever takes long in one is clocked from then on", async () => {
			const { gate, spin } = await start(metering, { cpu: 60_000 });
			await earnTrust(() => spin(1));
			const before = gate.usage.cpu;
			const [from, fromCpu] = [performance.now(), process.threadCpuUsage()];
			spin(LONG);
			const took = performance.now() - from;
			const { user, system } = process.threadCpuUsage(fromCpu);
			const { cpu } = gate.usage;
			const ran = (user + system) / 1000;
			// The watchdog itself may come late
			assert.ok(cpu - before > ran / 2 && cpu - before <= took, `${cpu - before} of ${ran} to ${took} ms`);
			const last = words[CALL_WORD];
			spin(1);
			assert.equal(words[CALL_WORD], last);
		});

		test("time is asked for within one", async () => {
			const { gate, spin } = await start(metering, { cpu: 60_000 });
			const used: number[] = [];
			const wat = `(module (import "host" "ask" (func $ask)) (func (export "f") (call $ask) (call $ask)))`;
			const { exports } = await guest(gate, wat, { ask: ["->", () => void used.push(gate.usage.cpu)] });
			await earnTrust(() => spin(1));
			const before = gate.usage.cpu;
			const f = gate.wrapExport(exports["f"], false, { params: [], results: [] });
			void f();
			const [first = Number.NaN, second = Number.NaN] = used;
			assert.ok(
				before <= first && first < second && second <= gate.usage.cpu,
				`${before}, ${first}, ${second}, ${gate.usage.cpu}`,
			);
		});
	});
}

test("a wall limit that no call begins anew counts from the first call, by the clock", async () => {
	const { gate, spin } = await start("trap", { wall: 100 });
	// Instantiation has begun a call
	gate.begin();
	const from = performance.now();
	const last = words[CALL_WORD];
	killed(() => {
		for (;;) spin(1);
	}, "wall");
	assert.ok(performance.now() - from >= 99);
	assert.equal(words[CALL_WORD], last);
});

test("another sandbox that is called within one has its own time", async () => {
	const inner = await start("trap", { cpu: 200 });
	const outer = new Gate({ limits: { cpu: 60_000 }, metering: "trap" });
	let spins = 1;
	const wat = `(module (import "host" "call" (func $call)) (func (export "f") (call $call)))`;
	const { exports } = await guest(outer, wat, { call: ["->", () => void inner.spin(spins)] });
	const f: CoreFunction = outer.wrapExport(exports["f"], false, { params: [], results: [] });
	await earnTrust(() => inner.spin(1));
	for (let i = 0; i < 100; i++) void f();
	spins = 0;
	killed(() => void f(), "cpu");
	assert.ok(outer.usage.cpu < 100, `${outer.usage.cpu} ms`);
	assert.equal(inner.gate.failed, true);
});

test("the watchdog looks away when no such calls come, and returns when asked", async () => {
	const { spin } = await start("trap", {});
	await earnTrust(() => spin(1));
	const deadline = performance.now() + PATIENCE;
	while (performance.now() < deadline && words[ATTENTIVE_WORD] !== 0) await sleep(10);
	assert.equal(words[ATTENTIVE_WORD], 0);
	await earnTrust(() => spin(1));
});
