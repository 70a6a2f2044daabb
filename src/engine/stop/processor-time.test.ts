import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { before, suite, test } from "node:test";
import { promisify } from "node:util";
import { CPU, ENOUGH, type Outcome, WALL } from "./contended.fixture.ts";
import { LimitExceeded } from "../../fault/mod.ts";
import { watchdogReady } from "./flag.ts";
import { Gate } from "../border/gate.ts";
import { guest } from "../guest.fixture.ts";
import { openProcessorTime } from "./processor-time.ts";

const time = openProcessorTime();
const skip = time === undefined ? "this system does not tell" : false;

test("counts what the thread computes, and not what it sleeps", { skip }, () => {
	assert.ok(time !== undefined);
	const [from, begin] = [time.now(), performance.now()];
	Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
	const slept = time.now() - from;
	assert.ok(slept >= 0 && slept < 25, `${slept} ms of sleep`);
	while (time.now() - from < 30);
	assert.ok(performance.now() - begin >= 50 + 30 - slept - 1);
});

suite("what the host does for a guest counts as what the guest does itself", { skip }, () => {
	const started = watchdogReady();
	const cell = new Int32Array(new SharedArrayBuffer(4));
	for (const [name, act, limits, ends] of [
		["computing is time of `cpu`", () => compute(5), { cpu: 50, wall: 60_000 }, "cpu"],
		["waiting in a call that blocks the thread is not", () => block(5), { cpu: 150, wall: 400 }, "wall"],
	] as const) {
		test(name, async () => {
			await started;
			const gate = new Gate({ limits });
			const { exports } = await guest(
				gate,
				`(module (import "host" "act" (func $act)) (func (export "f") (loop $l (call $act) (br $l))))`,
				{ act: ["->", act] },
			);
			await assert.rejects(
				async () => await gate.wrapExport(exports["f"], false)(),
				(error) => error instanceof LimitExceeded && error.limit === ends,
			);
		});
	}

	function block(ms: number): undefined {
		Atomics.wait(cell, 0, 0, ms);
	}

	function compute(ms: number): undefined {
		const end = (time?.now() ?? 0) + ms;
		while ((time?.now() ?? 0) < end);
	}
});

suite("on a processor that others want too", { skip }, () => {
	let outcomes: readonly Outcome[] = [];
	before(async () => {
		const program = new URL("contended.fixture.ts", import.meta.url).pathname;
		const { stdout } = await promisify(execFile)("taskset", ["-c", "0", process.execPath, program], {
			timeout: 240_000,
		});
		outcomes = JSON.parse(stdout) as Outcome[];
	});
	const find = (title: string): Outcome => {
		const outcome = outcomes.find((outcome) => outcome.title === title);
		assert.ok(outcome !== undefined, title);
		// Otherwise nothing is shown
		assert.ok(outcome.took > 1.5 * outcome.ran, `it had the processor for ${outcome.ran} of ${outcome.took} ms`);
		return outcome;
	};

	for (const metering of ["trap", "yield", "fuel"]) {
		test(`a guest that needs less than its limit is not ended, ${metering}`, () => {
			const { limit, took, ran, charged } = find(`${metering}: enough`);
			assert.equal(limit, undefined);
			assert.ok(took > CPU, `${took} ms`);
			assert.ok(charged > ENOUGH - 15 && charged < ran + 25, `charged ${charged}, ran ${ran} ms`);
		});

		test(`an endless one is, when it has run for so long, ${metering}`, () => {
			const { limit, ran } = find(`${metering}: endless`);
			assert.equal(limit, "cpu");
			assert.ok(ran > CPU - 25 && ran < CPU + 25, `${ran} ms`);
		});
	}

	test("a call that nobody clocks", () => {
		const { limit, took, ran } = find("trap: unclocked");
		assert.equal(limit, "cpu");
		// By the clock it may have eight times as long, if others take that much of the processor
		const isStarved = took >= 8 * CPU;
		assert.ok((isStarved || ran > CPU - 25) && ran < CPU + 25 && took < 9 * CPU, `ran ${ran} of ${took} ms`);
	});

	test("the wall limit is the clock's", () => {
		const { limit, took, ran } = find("trap: wall");
		assert.equal(limit, "wall");
		assert.ok(took >= WALL && ran < CPU, `ended after ${took} ms, of which it ran ${ran}`);
	});
});
