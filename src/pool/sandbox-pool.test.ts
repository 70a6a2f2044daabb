import assert from "node:assert/strict";
import { readdirSync, readlinkSync } from "node:fs";
import { suite, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CompileCache, createLinuxPageMapper, threadNursery } from "../engine/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { type HostFunction, type Linked, linkComponent, loadComponent } from "../link/mod.ts";
import type { PooledSandbox } from "./pooled-sandbox.ts";
import { type PoolOptions, SandboxPool } from "./sandbox-pool.ts";

const OVER = new Error("the call is over");
const cache = new CompileCache();
const found = createLinuxPageMapper();
const mapper = typeof found === "string" ? undefined : found;

/** Counts its calls in a global and in memory, where `next` leaves the sum of both; `ask` adds what the host answers. */
const COUNTER = `(component
	(import "ask" (func $ask (result u32)))
	(core func $ask' (canon lower (func $ask)))
	(core module $m
		(import "" "ask" (func $ask (result i32)))
		(memory 4 8) (global $n (mut i32) (i32.const 100))
		(func $next (export "next") (result i32)
			(global.set $n (i32.add (global.get $n) (i32.const 1)))
			(i32.store (i32.const 200000) (i32.add (i32.load (i32.const 200000)) (i32.const 1)))
			(i32.add (global.get $n) (i32.load (i32.const 200000))))
		(func (export "ask") (result i32) (drop (call $next)) (i32.add (call $ask) (call $next)))
		(func (export "grow") (result i32) (memory.grow (i32.const 1)))
		(func (export "trap") (result i32) (drop (call $next)) (unreachable)))
	(core instance $i (instantiate $m (with "" (instance (export "ask" (func $ask'))))))
	${["next", "ask", "grow", "trap"].map((name) => `(func (export "${name}") (result u32) (canon lift (core func $i "${name}")))`).join(" ")})`;

/** Makes objects in V8's heap, or none. */
const MAKER = `(component
	(core module $m (type $s (struct))
		(func (export "next") (result i32) (i32.const 1))
		(func (export "make") (result i32) (ref.is_null (struct.new $s)))
		(func (export "end") (result i32) (drop (struct.new $s)) (unreachable)))
	(core instance $i (instantiate $m))
	${["next", "make", "end"].map((name) => `(func (export "${name}") (result u32) (canon lift (core func $i "${name}")))`).join(" ")})`;

async function link(wat: string, functions: Record<string, HostFunction<unknown>> = {}): Promise<Linked> {
	const loaded = loadComponent(new Uint8Array(await parse(wat)));
	return await linkComponent(loaded, { interfaces: [], functions }, cache);
}

async function counter(
	options: Partial<PoolOptions> = {},
	ask: HostFunction<unknown> = () => 1000,
): Promise<SandboxPool> {
	return new SandboxPool(await link(COUNTER, { ask }), { wasi: () => ({}), mapper, ...options });
}

/** One call in a sandbox of its own. */
async function once(pool: SandboxPool, name: string): Promise<unknown> {
	const sandbox = await pool.acquire();
	try {
		return await sandbox.call([name], []);
	} finally {
		sandbox.end(OVER);
	}
}

/** Which instance serves a sandbox. */
function memoryOf(sandbox: PooledSandbox): unknown {
	return sandbox.snapshot()[0]?.memories[0]?.buffer;
}

const NOTHING = { sandboxes: 0, handles: 0 };

suite("SandboxPool", () => {
	test("a warm instance serves every call, and none sees another", async () => {
		const pool = await counter();
		for (let i = 0; i < 5; i++) assert.equal(await once(pool, "next"), 102);
		const { restoredBytes, ...counts } = pool.counts;
		assert.deepEqual(counts, { acquired: 5, created: 1, reset: 5, switched: 0, discarded: 0 });
		assert.ok(restoredBytes > 0);
		assert.equal(pool.freshBecause, undefined);
		assert.deepEqual(pool.usage(), NOTHING);
		pool.close(OVER);
	});

	test("the instance that was released last is the first to be used again: its pages are in the cache", async () => {
		const pool = await counter();
		const [a, b] = [await pool.acquire(), await pool.acquire()];
		const [first, second] = [memoryOf(a), memoryOf(b)];
		assert.notEqual(first, second);
		a.end(OVER);
		b.end(OVER);
		const again = await pool.acquire();
		assert.equal(memoryOf(again), second);
		again.end(OVER);
		pool.close(OVER);
	});

	test("no more are kept than `cold`", async () => {
		const pool = await counter({ warm: 1, cold: 2 });
		const sandboxes = await Promise.all([1, 2, 3, 4].map(async () => await pool.acquire()));
		assert.deepEqual(pool.usage(), { sandboxes: 4, handles: 0 });
		for (const sandbox of sandboxes) sandbox.end(OVER);
		const { restoredBytes: _, ...counts } = pool.counts;
		assert.deepEqual(counts, { acquired: 4, created: 4, reset: 2, switched: 0, discarded: 2 });
		pool.close(OVER);
	});

	test("what a burst needs beyond `cold` is made for one call: without room to grow in, and not kept", async (t) => {
		if (mapper === undefined) return t.skip("no copy-on-write memory here");
		const pool = await counter({ warm: 1, cold: 2 });
		for (let round = 0; round < 2; round++) {
			const sandboxes = await Promise.all([1, 2, 3, 4].map(async () => await pool.acquire()));
			const pages = sandboxes.map((sandbox) => (memoryOf(sandbox) as ArrayBuffer).byteLength / 65_536);
			assert.deepEqual(pages, [8, 8, 4, 4]);
			assert.deepEqual(await Promise.all(sandboxes.map((sandbox) => sandbox.call(["grow"], []))), [4, 4, 4, 4]);
			// Those that are not kept come back first, and take nobody's place.
			for (const sandbox of sandboxes.reverse()) sandbox.end(OVER);
			assert.equal(pool.idle, 2);
		}
		const { restoredBytes: _, ...counts } = pool.counts;
		assert.deepEqual(counts, { acquired: 8, created: 6, reset: 4, switched: 0, discarded: 4 });
		pool.close(OVER);
	});

	test("warm 0: a new instance for each call", async () => {
		const pool = await counter({ warm: 0 });
		for (let i = 0; i < 3; i++) assert.equal(await once(pool, "next"), 102);
		assert.deepEqual(pool.counts, { acquired: 3, created: 3, reset: 0, switched: 0, restoredBytes: 0, discarded: 3 });
		assert.equal(pool.freshBecause, "no instance is to be kept");
		pool.close(OVER);
	});

	for (const [name, options, guests, due] of [
		["put back", {}, ["make"], [[10, 1]]],
		["thrown away", { warm: 0 }, ["make"], [[10, 1]]],
		["ended by its trap", {}, ["end"], [[10, 1]]],
		["of an app whose calls may take long", { limits: { cpu: 5_000, wall: 100 } }, ["make"], [[100, 1]]],
		["what was an instance, of a guest that has made none", { warm: 0 }, ["next"], [[10, 1]]],
		["but not of one that has made none and is put back", {}, ["next"], []],
		["nor where it comes after one that has", { warm: 1 }, ["make", "next"], [[10, 1]]],
	] as const) {
		test(`the objects of a guest are seen to behind its end, not in the next one's time: ${name}`, async (t) => {
			const linked = await link(MAKER);
			const pool = new SandboxPool(linked, { wasi: () => ({}), limits: { cpu: 10, wall: 1_000 }, ...options });
			const left: unknown[] = [];
			t.mock.method(threadNursery(), "leave", (most: number) => {
				left.push([most, pool.counts.reset + pool.counts.discarded]);
			});
			for (const called of guests) {
				await once(pool, called).catch(() => {});
				await turn();
			}
			assert.deepEqual(left, due);
			pool.close(OVER);
		});
	}

	test("what loading leaves is seen to before the first guest of an app begins, and not again", async (t) => {
		const settled: unknown[] = [];
		let pool: SandboxPool;
		t.mock.method(threadNursery(), "settle", (most: number) => settled.push([most, pool.counts.created]));
		for (const [cpu, wall] of [
			[10, 1_000],
			[5_000, 100],
		] as const) {
			pool = new SandboxPool(await link(MAKER), { wasi: () => ({}), limits: { cpu, wall } });
			const [first, second] = [await pool.acquire(), await pool.acquire()];
			for (const sandbox of [first, second]) sandbox.end(OVER);
			await turn();
			await once(pool, "next");
			pool.close(OVER);
		}
		assert.deepEqual(settled, [
			[10, 1],
			[100, 1],
		]);
	});

	for (const { name, with: pageMapper, due } of [
		{
			name: "an instance whose memory has grown is made small again",
			with: mapper,
			due: { created: 1, reset: 3, discarded: 0 },
		},
		{
			name: "an instance whose memory has grown is thrown away where it cannot be made small",
			with: undefined,
			due: { created: 3, reset: 0, discarded: 3 },
		},
	]) {
		test(name, { skip: mapper === undefined ? "no copy-on-write memory here" : false }, async () => {
			const pool = await counter({ mapper: pageMapper });
			for (let i = 0; i < 3; i++) assert.equal(await once(pool, "grow"), 4);
			const { created, reset, discarded } = pool.counts;
			assert.deepEqual({ created, reset, discarded }, due);
			pool.close(OVER);
		});
	}

	test("tables that a call changed are put back, with each instance's own functions", async () => {
		const linked = await link(`(component
			(core module $m
				(type $f (func (result i32)))
				(global $n (mut i32) (i32.const 0))
				(table $t 2 4 funcref) (elem (i32.const 0) $count) (elem declare func $other)
				(func $count (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))
				(func $other (result i32) (i32.const 77))
				(func $start (table.set (i32.const 1) (ref.func $count))) (start $start)
				(func (export "call") (result i32)
					(drop (call_indirect (type $f) (i32.const 0)))
					(call_indirect (type $f) (i32.const 1)))
				(func (export "change") (result i32)
					(table.set (i32.const 0) (ref.func $other)) (table.set (i32.const 1) (ref.null func))
					(call_indirect (type $f) (i32.const 0)))
				(func (export "grow") (result i32) (table.grow (ref.null func) (i32.const 1))))
			(core instance $i (instantiate $m))
			${["call", "change", "grow"].map((name) => `(func (export "${name}") (result u32) (canon lift (core func $i "${name}")))`).join(" ")})`);
		const pool = new SandboxPool(linked, { wasi: () => ({}), mapper });
		// Two at a time: were the functions of the first put into the second, its counter would not count.
		for (let round = 0; round < 3; round++) {
			const pair = [await pool.acquire(), await pool.acquire()];
			for (const sandbox of pair) assert.equal(await sandbox.call(["call"], []), 2);
			for (const sandbox of pair) assert.equal(await sandbox.call(["change"], []), 77);
			for (const sandbox of pair) sandbox.end(OVER);
		}
		assert.deepEqual([pool.counts.created, pool.counts.reset, pool.counts.discarded], [2, 6, 0]);
		// Nothing makes a table smaller.
		assert.equal(await once(pool, "grow"), 2);
		assert.equal(await once(pool, "grow"), 2);
		assert.equal(await once(pool, "grow"), 2);
		assert.deepEqual([pool.counts.created, pool.counts.discarded], [3, 3]);
		pool.close(OVER);
	});

	test("after a trap the instance is as new", async () => {
		const pool = await counter();
		await assert.rejects(once(pool, "trap"), { code: "guest/trap", message: "unreachable" });
		assert.equal(await once(pool, "next"), 102);
		assert.equal(pool.counts.created, 1);
		pool.close(OVER);
	});

	test("killed while it waits: the instance is clean for the next call, which no late answer reaches", async () => {
		const answers: ((answer: number) => void)[] = [];
		const pool = await counter({}, () => new Promise((resolve) => answers.push(resolve)));
		const killed = await pool.acquire();
		const call = assert.rejects(killed.call(["ask"], []), OVER);
		await turn();
		await turn();
		assert.equal(answers.length, 1);
		killed.end(OVER);
		await call;
		await turn();
		await turn();
		assert.equal(pool.counts.reset, 1);

		const next = await pool.acquire();
		const asked = next.call(["ask"], []);
		await turn();
		await turn();
		assert.equal(answers.length, 2);
		// The first call's answer comes while the second waits for its own.
		answers[0]?.(5_000_000);
		await turn();
		answers[1]?.(1000);
		assert.equal(await asked, 1000 + 104);
		next.end(OVER);
		assert.equal(pool.counts.created, 1);
		pool.close(OVER);
	});

	test("ended in the turn in which it was called: the caller gets the reason, and the next call a clean instance", async () => {
		const pool = await counter();
		await once(pool, "next");
		const sandbox = await pool.acquire();
		const call = assert.rejects(sandbox.call(["next"], []), OVER);
		sandbox.end(OVER);
		const other = await pool.acquire();
		await call;
		await turn();
		await turn();
		assert.equal(await other.call(["next"], []), 102);
		other.end(OVER);
		const next = await pool.acquire();
		assert.equal(await next.call(["next"], []), 102);
		next.end(OVER);
		assert.equal(pool.counts.discarded, 0);
		pool.close(OVER);
	});

	test("a sandbox that has ended serves no more calls", async () => {
		const pool = await counter();
		const sandbox = await pool.acquire();
		sandbox.end(OVER);
		sandbox.end(OVER);
		await assert.rejects(sandbox.call(["next"], []), SkerryError);
		assert.deepEqual(sandbox.snapshot(), []);
		assert.equal(pool.counts.reset, 1);
		pool.close(OVER);
	});

	test("a guest's resource that somebody kept means nothing to the next call", async () => {
		const linked = await link(`(component
			(type $r (resource (rep i32)))
			(core func $new (canon resource.new $r))
			(core func $rep (canon resource.rep $r))
			(core module $m
				(import "" "new" (func $new (param i32) (result i32)))
				(import "" "rep" (func $rep (param i32) (result i32)))
				(func (export "make") (result i32) (call $new (i32.const 7)))
				(func (export "take") (param i32) (result i32) (call $rep (local.get 0))))
			(core instance $i (instantiate $m (with "" (instance (export "new" (func $new)) (export "rep" (func $rep))))))
			(export $r' "r" (type $r))
			(func (export "make") (result (own $r')) (canon lift (core func $i "make")))
			(func (export "take") (param "it" (own $r')) (result u32) (canon lift (core func $i "take"))))`);
		const pool = new SandboxPool(linked, { wasi: () => ({}) });
		const first = await pool.acquire();
		const kept = await first.call(["make"], []);
		first.end(OVER);
		const second = await pool.acquire();
		await second.call(["make"], []);
		await assert.rejects(second.call(["take"], [kept]), {
			code: "call/bad-value",
			message: "take → it: expected own<r>, got a r",
		});
		// `take` leaves its handle open: the count goes back to zero all the same.
		assert.equal(await second.call(["take"], [await second.call(["make"], [])]), 7);
		assert.equal(pool.usage().handles, 1);
		second.end(OVER);
		assert.deepEqual(pool.usage(), NOTHING);
		assert.equal(pool.counts.created, 1);
		pool.close(OVER);
	});

	test("handle tables begin at the same number again, and the host gets back what was left open", async () => {
		const dropped: number[] = [];
		let made = 0;
		const wat = `(component
			(import "things" (instance $things
				(export "thing" (type $thing (sub resource))) (export "make" (func (result (own $thing))))))
			(core func $make (canon lower (func $things "make")))
			(core module $m (import "" "make" (func $make (result i32)))
				(func (export "two") (result i32)
					(i32.add (i32.mul (call $make) (i32.const 10)) (call $make))))
			(core instance $i (instantiate $m (with "" (instance (export "make" (func $make))))))
			(func (export "two") (result u32) (canon lift (core func $i "two"))))`;
		const things = {
			name: "things",
			functions: { make: () => ++made },
			resources: { thing: { drop: (_: unknown, rep: number) => void dropped.push(rep) } },
		};
		const loaded = loadComponent(new Uint8Array(await parse(wat)));
		const linked = await linkComponent(loaded, { interfaces: [things] }, cache);
		const pool = new SandboxPool(linked, { wasi: () => ({}) });
		for (let i = 1; i <= 3; i++) {
			assert.equal(await once(pool, "two"), 12);
			assert.deepEqual(dropped.splice(0), [2 * i - 1, 2 * i]);
		}
		assert.equal(pool.counts.created, 1);
		assert.deepEqual(pool.usage(), NOTHING);
		pool.close(OVER);
	});

	for (const { name, module, why } of [
		{
			name: "a start function that calls the host",
			module: `(func $s (drop (call $ask))) (start $s)`,
			why: "a start function calls the host",
		},
		{
			name: "a reference in a global that changes",
			module: `(global (mut externref) (ref.null extern))`,
			why: "it keeps references or vectors in globals",
		},
		{
			name: "a NaN with bits of its own",
			module: `(global (mut f32) (f32.const nan:0x1234))`,
			why: "a global holds a NaN",
		},
	]) {
		test(`${name}: a new instance each time, and the reason is told`, async () => {
			const linked = await link(
				`(component
					(import "ask" (func $ask (result u32)))
					(core func $ask' (canon lower (func $ask)))
					(core module $m (import "" "ask" (func $ask (result i32))) ${module}
						(global $n (mut i32) (i32.const 0))
						(func (export "next") (result i32)
							(global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))
					(core instance $i (instantiate $m (with "" (instance (export "ask" (func $ask'))))))
					(func (export "next") (result u32) (canon lift (core func $i "next"))))`,
				{ ask: () => 1 },
			);
			const pool = new SandboxPool(linked, { wasi: () => ({}), mapper });
			assert.equal(pool.freshBecause, undefined);
			assert.deepEqual([await once(pool, "next"), await once(pool, "next")], [1, 1]);
			assert.equal(pool.freshBecause, why);
			assert.deepEqual(pool.counts, { acquired: 2, created: 2, reset: 0, switched: 0, restoredBytes: 0, discarded: 2 });
			pool.close(OVER);
		});
	}

	test("close ends what runs, keeps nothing, and gives no more sandboxes", async () => {
		const pool = await counter({}, () => new Promise(() => {}));
		await once(pool, "next");
		const running = await pool.acquire();
		const waiting = assert.rejects(running.call(["ask"], []), /stopping/);
		await turn();
		await turn();
		pool.close(new Error("the server is stopping"));
		await waiting;
		await assert.rejects(async () => await pool.acquire(), /stopping/);
		await turn();
		await turn();
		assert.deepEqual(pool.usage(), NOTHING);
		assert.equal(pool.counts.created, 1);
		assert.equal(pool.counts.discarded, 1);
	});

	test(
		"close gives back the image's file",
		{ skip: typeof found === "string" ? `no copy-on-write memory here: ${found}` : false },
		async () => {
			const images = (): number =>
				readdirSync("/proc/self/fd").filter((fd) => {
					try {
						return readlinkSync(`/proc/self/fd/${fd}`).includes("memfd:skerry-image");
					} catch {
						// The descriptor with which the folder was read.
						return false;
					}
				}).length;
			const before = images();
			// Large enough not to be copied anywhere
			const large = await link(COUNTER.replace("(memory 4 8)", "(memory 256 260)"), { ask: () => 1000 });
			const pool = new SandboxPool(large, { wasi: () => ({}), mapper });
			await once(pool, "next");
			assert.deepEqual(
				pool.memories().map(({ strategy, length }) => [strategy, length]),
				[["cow", 256 * 65_536]],
			);
			assert.equal(images(), before + 1);
			pool.close(OVER);
			assert.equal(images(), before);
		},
	);
});

suite("PooledSandbox.start", () => {
	test("returns at once where the guest does not wait; a trap rejects", async () => {
		const pool = await counter();
		const sandbox = await pool.acquire();
		assert.equal(sandbox.start(["next"], []), 102);
		assert.equal(sandbox.start(["ask"], []), 1106);
		assert.throws(
			() => sandbox.start(["nothing"], []),
			(error) => error instanceof SkerryError && error.code === "link/no-export",
		);
		await assert.rejects(async () => await sandbox.start(["trap"], []), /unreachable/);
		assert.throws(() => sandbox.start(["next"], []), /cannot enter component instance/, "a trap ends the sandbox");
		sandbox.end(OVER);
		pool.close(OVER);
	});

	test("gives a promise where the guest waits, also of what ends it meanwhile", async () => {
		const answers: ((value: number) => void)[] = [];
		const pool = await counter({}, async () => await new Promise<number>((resolve) => answers.push(resolve)));
		const [answered, ended] = [await pool.acquire(), await pool.acquire()];
		const [first, second] = [answered.start(["ask"], []), ended.start(["ask"], [])];
		assert.ok(first instanceof Promise && second instanceof Promise);
		answers[0]!(5);
		assert.equal(await first, 109);
		ended.end(OVER);
		await assert.rejects(second, OVER);
		answered.end(OVER);
		assert.deepEqual(pool.usage(), NOTHING);
		assert.equal(
			await (async () => {
				const next = await pool.acquire();
				const result = next.start(["next"], []);
				next.end(OVER);
				return result;
			})(),
			102,
		);
		pool.close(OVER);
	});

	test("a sandbox that ends while its guest is on the stack: its caller gets the reason", async () => {
		let sandbox: PooledSandbox | undefined;
		const pool = await counter({}, () => {
			sandbox?.end(OVER);
			return 1000;
		});
		sandbox = await pool.acquire();
		const serving = sandbox;
		await assert.rejects(async () => await serving.start(["ask"], []), OVER);
		assert.deepEqual(pool.usage(), NOTHING);
		assert.equal(await once(pool, "next"), 102);
		pool.close(OVER);
	});
});
