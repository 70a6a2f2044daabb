import assert from "node:assert/strict";
import { test } from "node:test";
import { BufferMeter } from "./buffer-meter.ts";
import { DeferredSink } from "./deferred-sink.ts";
import type { BodySink } from "./http-sink.ts";

/** Writes down what happens to it. */
function createLog(): { readonly log: string[]; readonly sink: BodySink } {
	const log: string[] = [];
	const sink: BodySink = {
		ready: () => true,
		wait: () => Promise.resolve(),
		capacity: () => 100,
		write: (bytes) => void log.push(`write ${Buffer.from(bytes).toString()}`),
		flush: () => void log.push("flush"),
		flushed: () => log.at(-1) === "flush",
		close: () => void log.push("close"),
		finish: (trailers) => void log.push(`finish ${trailers.join(",")}`),
		abort: () => void log.push("abort"),
	};
	return { log, sink };
}

type Step = (sink: DeferredSink) => void;
const write =
	(text: string): Step =>
	(sink) =>
		sink.write(Buffer.from(text));

test("what was done before the destination is known is done to it afterwards, in order", () => {
	const cases: [string, Step[], Step[], string[]][] = [
		["nothing", [], [], []],
		["kept and passed through", [write("a"), write("b")], [write("c")], ["write a", "write b", "write c"]],
		["flushed before", [write("a"), (sink) => sink.flush()], [], ["write a", "flush"]],
		["flushed after", [write("a")], [(sink) => sink.flush()], ["write a", "flush"]],
		["finished before", [write("a"), (sink) => sink.finish(["t", "1"])], [], ["write a", "finish t,1"]],
		["finished after", [write("a")], [(sink) => sink.finish([])], ["write a", "finish "]],
		["closed", [write("a"), (sink) => sink.close()], [(sink) => sink.finish(["t", "1"])], ["write a", "finish "]],
		["aborted before", [write("a"), (sink) => sink.abort()], [write("b")], ["abort"]],
		["aborted after", [write("a")], [(sink) => sink.abort(), (sink) => sink.abort()], ["write a", "abort"]],
		["finished, then aborted", [write("a"), (sink) => sink.finish([]), (sink) => sink.abort()], [], ["abort"]],
		[
			"delivered, then aborted",
			[write("a"), (sink) => sink.finish([])],
			[(sink) => sink.abort()],
			["write a", "finish "],
		],
	];
	for (const [name, before, after, expected] of cases) {
		const meter = new BufferMeter();
		const sink = new DeferredSink({ bound: 8, meter });
		const { log, sink: target } = createLog();
		for (const step of before) step(sink);
		sink.attach(target);
		assert.equal(meter.current, 0, name);
		for (const step of after) step(sink);
		assert.deepEqual(log, expected, name);
	}
});

test("it keeps no more than its bound, and its writer waits for the destination", async () => {
	const meter = new BufferMeter();
	const sink = new DeferredSink({ bound: 4, meter });
	assert.equal(sink.capacity(), 4);
	sink.write(Buffer.from("abc"));
	assert.deepEqual([sink.capacity(), sink.ready(), sink.flushed(), meter.current], [1, true, true, 3]);
	sink.write(Buffer.from("d"));
	assert.deepEqual([sink.capacity(), sink.ready(), meter.current], [0, false, 4]);
	let woken = false;
	const waiting = sink.wait().then(() => (woken = true));
	await new Promise((resolve) => setImmediate(resolve));
	assert.equal(woken, false);
	sink.attach(createLog().sink);
	await waiting;
	assert.deepEqual([sink.capacity(), sink.ready(), meter.current, meter.peak], [100, true, 0, 4]);
});

test("the demand for a destination is told once, also to who asks later", () => {
	const demanding: [string, Step[], boolean][] = [
		["written", [write("abc")], false],
		["full", [write("abcd")], true],
		["flushed", [(sink) => sink.flush()], true],
		["finished", [(sink) => sink.finish([])], true],
		["aborted", [(sink) => sink.abort()], true],
		["flushed and finished", [(sink) => sink.flush(), (sink) => sink.finish([])], true],
	];
	for (const [name, steps, demanded] of demanding) {
		let early = 0;
		const first = new DeferredSink({ bound: 4 });
		first.onDemand(() => early++);
		for (const step of steps) step(first);
		assert.equal(early, demanded ? 1 : 0, name);

		let late = 0;
		const second = new DeferredSink({ bound: 4 });
		for (const step of steps) step(second);
		second.onDemand(() => late++);
		assert.equal(late, demanded ? 1 : 0, name);
	}
});
