import assert from "node:assert/strict";
import { test } from "node:test";

import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { Trap } from "../../fault/mod.ts";
import type { AccountOptions } from "../stop/account.ts";
import { Gate } from "./gate.ts";
import { interruptFlag } from "../stop/flag.ts";
import { compileTrampolines } from "./trampolines.ts";
import { webAssembly } from "../v8/v8.ts";

const TYPE = { params: [], results: ["i64"] };

/** A guest with one import, whose reading gives `values` one after the other, and its function 1,000 more with each call. */
async function reader(values: readonly (number | Error)[], options: AccountOptions = {}, start = "") {
	const log: string[] = [];
	let called = 0n;
	const gate = new Gate(options);
	const rest = [...values];
	const fn = (): bigint => {
		log.push("function");
		called += 1_000n;
		return called;
	};
	const read = (): number => {
		const value = rest.shift();
		log.push(`reading ${value instanceof Error ? "fails" : value}`);
		if (value instanceof Error || value === undefined) throw value ?? new Error("asked too often");
		return value;
	};
	const imports = gate.wrapImports(compileTrampolines([TYPE]), [TYPE], [fn], [read]);
	const module = new (webAssembly().Module)(
		await parse(`(module (import "host" "f" (func $f (result i64))) (global $got (mut i64) (i64.const 0)) ${start}
			(func (export "got") (result i64) (global.get $got))
			(func (export "f") (result i64) (local i64)
				(block $caught (try_table (catch_all $caught) (return (call $f)))) (i64.const -7)))`),
	);
	const { exports } = gate.instantiate(module, { host: { f: imports[0] } }, undefined);
	return { gate, log, got: exports["got"] as () => bigint, f: gate.wrapExport(exports["f"], true) };
}

for (const [name, values, results, log] of [
	[
		"numbers",
		[0, 1, 2 ** 53, 12.99],
		[0n, 1n, 2n ** 53n, 12n],
		["reading 0", "reading 1", `reading ${2 ** 53}`, "reading 12.99"],
	],
	["a number beyond 63 bits", [2 ** 63, 2 ** 70], [-(2n ** 63n), -1n], [`reading ${2 ** 63}`, `reading ${2 ** 70}`]],
	["none", [-1, Number.NaN, 3], [1000n, 2000n, 3n], ["reading -1", "function", "reading NaN", "function", "reading 3"]],
	["a failure", [new Error("once"), 4], [1000n, 4n], ["reading fails", "function", "reading 4"]],
] as const) {
	test(`a guest is told what a reading gives: ${name}`, async () => {
		const { f, log: happened } = await reader(values);
		const got: unknown[] = [];
		for (const _ of values) got.push(await f());
		assert.deepEqual(got, results);
		assert.deepEqual(happened, log);
	});
}

test("readings count as calls of the host, up to the limit and not beyond", async () => {
	const { gate, f, log } = await reader([1, -1, 3], { limits: { hostCalls: 3 }, app: "x" });
	assert.deepEqual([await f(), await f(), await f()], [1n, 1000n, 3n]);
	assert.equal(gate.usage.hostCalls, 3);
	await assert.rejects(async () => f(), /^LimitExceeded: killed: hostCalls 3 calls \(limit "hostCalls" of app x\)$/);
	assert.deepEqual(log, ["reading 1", "reading -1", "function", "reading 3"]);
});

test("a guest that has been ended gets no reading", async () => {
	const { gate, f, log } = await reader([1]);
	const reason = new Trap("for the test");
	gate.fail(reason);
	await assert.rejects(async () => f(), reason);
	assert.deepEqual(log, []);
});

test("a guest whose time is over ends where it asks for a reading", async () => {
	const { gate, f, log } = await reader([1, 2], { limits: { cpu: 20 }, app: "x", metering: "off" });
	assert.equal(await f(), 1n);
	gate.hold();
	const until = performance.now() + 25;
	while (performance.now() < until);
	interruptFlag().raise();
	await assert.rejects(async () => f(), /^LimitExceeded: killed: cpu 20 ms \(limit "cpu" of app x\)$/);
	gate.release();
	assert.deepEqual(log, ["reading 1"]);
});

test("what a start function reads is known to be the host's", async () => {
	const { gate, got, log } = await reader([5], {}, "(func $s (global.set $got (call $f))) (start $s)");
	assert.equal(got(), 1000n);
	assert.deepEqual(log, ["function"]);
	assert.equal(gate.calledWhileStarting, true);
});
