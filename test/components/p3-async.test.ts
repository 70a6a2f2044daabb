/** The components of `p3/round-trip` and `p3/general`: asynchronous guests of wit-bindgen, called by the host and by each other. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { suite, test } from "node:test";

import { HostFuture, HostStream } from "../../src/abi/mod.ts";
import { CompileCache } from "../../src/engine/mod.ts";
import { Trap } from "../../src/fault/mod.ts";
import {
	composeComponents,
	type HostInterface,
	type Instance,
	instantiate,
	linkComponent,
	linkComposed,
	loadComponent,
	type LoadedComponent,
} from "../../src/link/mod.ts";
import { createWasiContext, WASI_HOST } from "../../src/wasi/mod.ts";

const SUITE = path.resolve(import.meta.dirname, "../../../shared/suites/p3");
const absent = existsSync(SUITE) ? false : `p3: 19 components are absent from ${SUITE}`;
const cache = new CompileCache();
/** These guests cancel reads of ends that are in a waitable set. */
const options = { features: { stackful: true, asyncCancel: true }, lenientCancel: true };

function load(name: string): LoadedComponent {
	return loadComponent(readFileSync(path.join(SUITE, `${name}.wasm`)));
}

async function start(name: string, ...own: HostInterface<any>[]): Promise<Instance> {
	const host = { ...WASI_HOST, interfaces: [...WASI_HOST.interfaces, ...own] };
	return instantiate(await linkComponent(load(name), host, cache, options), createWasiContext({}));
}

async function startComposed(caller: string, callee: string, ...own: HostInterface<any>[]): Promise<Instance> {
	const nodes = new Map([
		["callee", load(callee)],
		["caller", load(caller)],
	]);
	const exports = [{ node: "caller" }];
	const composed = composeComponents({ nodes, edges: [{ node: "caller", from: "callee" }], exports });
	const host = { ...WASI_HOST, interfaces: [...WASI_HOST.interfaces, ...own] };
	return instantiate(await linkComposed(composed, host, cache, options), createWasiContext({}));
}

async function call(instance: Instance, names: readonly string[], ...args: unknown[]): Promise<unknown> {
	const fn = instance.function(names);
	assert.ok(fn !== undefined, names.join("#"));
	return await fn.call(args);
}

/** The host's turn, and that of its timers. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2));

/** The guest checks that the reader goes with the last byte. */
async function readJust(count: number, stream: unknown): Promise<number[]> {
	assert.ok(stream instanceof HostStream);
	return [...((await stream.readLast(count)) as Uint8Array)];
}

suite("p3/round-trip", { skip: absent }, () => {
	const host = async (s: string): Promise<string> => {
		await pause();
		return `${s} - entered host - exited host`;
	};
	const said = "hello, world!";
	const heard = "hello, world! - entered guest - entered host - exited host - exited guest";

	for (const kind of ["stackful", "stackless", "stackless-sync-import", "synchronous", "wait"]) {
		test(kind, async () => {
			const baz = { name: "local:local/baz", functions: { foo: (_: unknown, s: string) => host(s) }, resources: {} };
			const instance = await start(`round-trip/async-round-trip-${kind}`, baz);
			assert.equal(await call(instance, ["local:local/baz", "foo"], said), heard);
			// Two at a time, in one instance.
			const both = await Promise.all([1, 2].map(() => call(instance, ["local:local/baz", "foo"], said)));
			assert.deepEqual(both, [heard, heard]);
			instance.dispose(new Error("the test is over"));
		});
	}

	for (const kind of ["many-stackless", "many-synchronous", "many-wait"]) {
		test(kind, async () => {
			const foo = async (_: unknown, s: string, ...rest: unknown[]): Promise<unknown> => [await host(s), ...rest];
			const many = { name: "local:local/many", functions: { foo }, resources: {} };
			const instance = await start(`round-trip/async-round-trip-${kind}`, many);
			const stuff = { a: Int32Array.of(42, -7), b: true, c: 424242n };
			const rest = [42, Uint8Array.of(1, 2, 3), [4n, 5n], stuff, stuff, { tag: "err" }];
			const found = await call(instance, ["local:local/many", "foo"], said, ...rest);
			assert.deepEqual(normal(found), normal([heard, ...rest]));
			instance.dispose(new Error("the test is over"));
		});
	}
});

/** Without properties that are not set. */
function normal(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(normal);
	if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
	return Object.fromEntries(Object.entries(value).flatMap(([k, v]) => (v === undefined ? [] : [[k, normal(v)]])));
}

suite("p3/general", { skip: absent }, () => {
	const types = (log: string[]): HostInterface<any> => ({
		name: "local:local/borrowing-types",
		functions: {
			"[constructor]x": () => "an x",
			"[method]x.foo": (_: unknown, x: string) => void log.push(`foo ${x}`),
		},
		resources: { x: { drop: (_: unknown, x: string) => void log.push(`drop ${x}`) } },
	});

	test("async-borrowing: borrows cross calls between components", async () => {
		const log: string[] = [];
		const instance = await startComposed(
			"general/async-borrowing-caller",
			"general/async-borrowing-callee",
			types(log),
		);
		await call(instance, ["local:local/run-bool", "run"], false);
		assert.deepEqual([...new Set(log)], ["foo an x", "drop an x"]);
		assert.equal(instance.store.poison, undefined);
	});

	// Wasmtime's own test of these two (`async_borrowing_caller_misbehave`) expects "unknown handle index" as well.
	test("async-borrowing: a borrow that is used after it was dropped is a trap", async () => {
		const instance = await startComposed("general/async-borrowing-caller", "general/async-borrowing-callee", types([]));
		await assert.rejects(call(instance, ["local:local/run-bool", "run"], true), (error) => {
			assert.ok(error instanceof Trap);
			assert.equal(error.message, "unknown handle index 1");
			return true;
		});
	});

	test("async-borrowing-callee", async () => {
		const instance = await start("general/async-borrowing-callee", types([]));
		await call(instance, ["local:local/run-bool", "run"], false);
	});

	for (const [caller, callee] of [
		["async-post-return-caller", "async-post-return-callee"],
		["async-transmit-caller", "async-transmit-callee"],
	] as const) {
		test(`${caller} with ${callee}`, async () => {
			const instance = await startComposed(`general/${caller}`, `general/${callee}`);
			assert.equal(await call(instance, ["local:local/run", "run"]), undefined);
			assert.equal(instance.store.poison, undefined);
		});
	}

	test("async-intertask-communication", async () => {
		const instance = await start("general/async-intertask-communication");
		// The first task waits for the second.
		const run = (): Promise<unknown> => call(instance, ["local:local/run", "run"]);
		assert.deepEqual(await Promise.all([run(), run()]), [undefined, undefined]);
	});

	test("async-readiness: the guest learns when the host would read or write", async () => {
		const instance = await start("general/async-readiness");
		const bytes = Uint8Array.of(2, 4, 6, 8, 9);
		const found = (await call(instance, ["local:local/readiness", "start"], [bytes], bytes)) as [unknown, Uint8Array];
		assert.deepEqual(await readJust(found[1].length, found[0]), [...found[1]]);
		await instance.settled;
		assert.equal(instance.store.poison, undefined);
	});

	test("async-synchronous-transmit: streams and futures pass in both directions", async () => {
		const instance = await start("general/async-synchronous-transmit");
		const bytes = Uint8Array.of(2, 4, 6, 8, 9);
		const args = [[bytes], bytes, Promise.resolve(10), 10];
		const found = await call(instance, ["local:local/synchronous-transmit", "start"], ...args);
		const [stream, expected, future, value] = found as [unknown, Uint8Array, HostFuture, number];
		assert.deepEqual(await readJust(expected.length, stream), [...expected]);
		assert.ok(future instanceof HostFuture);
		assert.equal(await future.read(), value);
		await instance.settled;
		assert.equal(instance.store.poison, undefined);
	});

	test("backpressure-sync", async () => {
		const instance = await start("general/backpressure-sync");
		await call(instance, ["inc-backpressure"]);
		await call(instance, ["dec-backpressure"]);
		await assert.rejects(call(instance, ["dec-backpressure"]), /backpressure counter underflow/);
	});

	test("context-sync", async () => {
		const instance = await start("general/context-sync");
		assert.equal(await call(instance, ["push-context"], 42), 42);
		// Each call has a context of its own.
		assert.equal(await call(instance, ["pull-context"]), 0);
	});
});
