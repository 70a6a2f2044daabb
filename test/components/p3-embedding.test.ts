/** The components of `p3/round-trip` and `p3/general` through the public API, as an embedder uses it. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import path from "node:path";
import { suite, test } from "node:test";

import { type Component, Engine, type GuestFuture, type GuestStream, type Imports, Trap } from "../../src/index.ts";

const SUITE = path.resolve(import.meta.dirname, "../../../shared/suites/p3");
const absent = existsSync(SUITE) ? false : `p3: 19 components are absent from ${SUITE}`;
/** These guests cancel reads of ends that are in a waitable set. */
const engine = new Engine({ features: { stackful: true, asyncCancel: true }, lenientCancel: true, cache: false });

const fileOf = (name: string): string => path.join(SUITE, `${name}.wasm`);
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2));

async function compose(caller: string, callee: string, imports: Imports = {}): Promise<Component> {
	const nodes = { callee: fileOf(callee), caller: fileOf(caller) };
	const edges = [{ node: "caller", from: "callee" }];
	return await engine.compose({ nodes, edges, exports: [{ node: "caller" }] }, { imports });
}

suite("p3/round-trip through Engine", { skip: absent }, () => {
	const host = async (s: string): Promise<string> => {
		await pause();
		return `${s} - entered host - exited host`;
	};
	const said = "hello, world!";
	const heard = "hello, world! - entered guest - entered host - exited host - exited guest";

	for (const kind of ["stackful", "stackless", "stackless-sync-import", "synchronous", "wait"]) {
		test(kind, async () => {
			const imports = { "local:local/baz": { foo: host } };
			const component = await engine.load(fileOf(`round-trip/async-round-trip-${kind}`), { imports });
			const { foo } = component.exports["local:local/baz"];
			assert.deepEqual(await Promise.all([foo(said), foo(said)]), [heard, heard]);
			// Two at a time, in one sandbox.
			using sandbox = component.instantiate();
			const kept = sandbox.exports["local:local/baz"];
			assert.deepEqual(await Promise.all([kept.foo(said), kept.foo(said)]), [heard, heard]);
		});
	}

	for (const kind of ["many-stackless", "many-synchronous", "many-wait"]) {
		test(kind, async () => {
			const foo = async (s: string, ...rest: unknown[]): Promise<unknown> => [await host(s), ...rest];
			const imports = { "local:local/many": { foo } };
			const component = await engine.load(fileOf(`round-trip/async-round-trip-${kind}`), { imports });
			const stuff = { a: Int32Array.of(42, -7), b: true, c: 424242n };
			const rest = [42, Uint8Array.of(1, 2, 3), [4n, 5n], stuff, stuff, { tag: "err" }];
			const found = await component.exports["local:local/many"].foo(said, ...rest);
			assert.deepEqual(withoutUnset(found), withoutUnset([heard, ...rest]));
		});
	}
});

/** Without properties that are not set. */
function withoutUnset(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(withoutUnset);
	if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
	return Object.fromEntries(Object.entries(value).flatMap(([k, v]) => (v === undefined ? [] : [[k, withoutUnset(v)]])));
}

type Bytes = GuestStream<Uint8Array, Uint8Array>;

suite("p3/general through Engine", { skip: absent }, () => {
	const borrowing = (log: string[]): Imports => ({
		"local:local/borrowing-types": {
			X: class {
				foo(): void {
					log.push("foo");
				}
				[Symbol.dispose](): void {
					log.push("drop");
				}
			},
		},
	});

	test("async-borrowing", async () => {
		const log: string[] = [];
		const component = await compose("general/async-borrowing-caller", "general/async-borrowing-callee", borrowing(log));
		await component.exports["local:local/run-bool"].run(false);
		assert.deepEqual([...new Set(log)], ["foo", "drop"]);
		await assert.rejects(
			component.exports["local:local/run-bool"].run(true),
			(error) => error instanceof Trap && error.message === "unknown handle index 1",
		);
	});

	for (const kind of ["post-return", "transmit"]) {
		test(`async-${kind}: a caller with its callee`, async () => {
			const component = await compose(`general/async-${kind}-caller`, `general/async-${kind}-callee`);
			assert.equal(await component.exports["local:local/run"].run(), undefined);
		});
	}

	test("async-intertask-communication", async () => {
		const component = await engine.load(fileOf("general/async-intertask-communication"));
		using sandbox = component.instantiate();
		const { run } = sandbox.exports["local:local/run"];
		// The first task waits for the second.
		assert.deepEqual(await Promise.all([run(), run()]), [undefined, undefined]);
	});

	const bytes = Uint8Array.of(2, 4, 6, 8, 9);

	test("async-readiness", async () => {
		const component = await engine.load(fileOf("general/async-readiness"));
		const [stream, expected] = await component.exports["local:local/readiness"].start(bytes, bytes);
		assert.ok(stream instanceof ReadableStream);
		// The guest checks that the reader goes with the last byte.
		assert.deepEqual(await (stream as Bytes).readLast(expected.length), expected);
	});

	test("async-synchronous-transmit: streams and futures pass in both directions", async () => {
		const component = await engine.load(fileOf("general/async-synchronous-transmit"));
		const { start } = component.exports["local:local/synchronous-transmit"];
		// The guest checks that the writer goes with its last byte, which an array does.
		const found = await start(bytes, bytes, Promise.resolve(10), 10);
		const [stream, expected, future, value] = found as [Bytes, Uint8Array, GuestFuture<number>, number];
		assert.deepEqual(await stream.readLast(expected.length), expected);
		assert.equal(await future.read(), value);
	});
});
