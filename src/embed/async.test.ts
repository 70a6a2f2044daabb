/** Asynchronous components through `Engine`: streams, futures, and when their sandboxes end. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";

import { LimitExceeded, SkerryError } from "../fault/mod.ts";
import { type Component, Engine, type GuestFuture, type GuestStream, type LoadOptions } from "./mod.ts";

const engine = new Engine({ cache: false });

async function load(wat: string, options: LoadOptions = {}): Promise<Component> {
	return await engine.load(new Uint8Array(await parse(wat)), options);
}

const FUNCTIONS = [
	["echo", `(param "s" $bytes) (result $bytes)`, "$bytes"],
	["numbers", `(param "s" $numbers) (result $numbers)`, "$numbers"],
	["later", `(param "f" $later) (result $later)`, "$later"],
	["give", `(param "s" $bytes) (result u32)`, "u32"],
	["count", `(param "s" $bytes) (result u32)`, "u32"],
	["never", `(result u32)`, "u32"],
	["source", `(result $bytes)`, "$bytes"],
] as const;

/**
 * `echo`, `numbers` and `later` give back what they get; `give` hands a stream to the host; `count` reads a stream 4 bytes at a time and
 * returns their sum, reporting each read; `source` returns a stream and writes for ever, 4 bytes at a time, reporting each write; `never` waits for what does
 * not happen while it holds a stream of nobody's.
 */
const GUEST = `(component
	(type $bytes (stream u8)) (type $numbers (stream string)) (type $later (future u32))
	(import "take" (func $take async (param "s" $bytes) (result u32)))
	(import "wrote" (func $wrote (param "n" u32)))
	(import "hang" (func $hang async))
	(core module $libc (memory (export "memory") 1)
		(func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
	(core instance $libc (instantiate $libc))
	(core func $take (canon lower (func $take) (memory (core memory $libc "memory"))))
	(core func $wrote (canon lower (func $wrote)))
	(core func $hang (canon lower (func $hang) async (memory (core memory $libc "memory"))))
	(core func $new (canon stream.new $bytes))
	(core func $read (canon stream.read $bytes (memory (core memory $libc "memory"))))
	(core func $write (canon stream.write $bytes async (memory (core memory $libc "memory"))))
	(core func $drop-r (canon stream.drop-readable $bytes))
	(core func $drop-w (canon stream.drop-writable $bytes))
	(core func $set (canon waitable-set.new))
	(core func $join (canon waitable.join))
	${FUNCTIONS.map(([name, , type]) => `(core func $return-${name} (canon task.return (result ${type})))`).join("\n")}
	(core module $m
		(import "" "memory" (memory 1))
		(import "" "take" (func $take (param i32) (result i32)))
		(import "" "wrote" (func $wrote (param i32)))
		(import "" "hang" (func $hang (result i32)))
		(import "" "new" (func $new (result i64)))
		(import "" "read" (func $read (param i32 i32 i32) (result i32)))
		(import "" "write" (func $write (param i32 i32 i32) (result i32)))
		(import "" "drop-r" (func $drop-r (param i32)))
		(import "" "drop-w" (func $drop-w (param i32)))
		(import "" "set" (func $set (result i32)))
		(import "" "join" (func $join (param i32 i32)))
		${FUNCTIONS.map(([name]) => `(import "" "return-${name}" (func $return-${name} (param i32)))`).join("\n")}
		(global $writer (mut i32) (i32.const 0))
		(global $events (mut i32) (i32.const 0))
		${["echo", "numbers", "later"].map((name) => `(func (export "${name}") (param i32) (result i32) (call $return-${name} (local.get 0)) (i32.const 0))`).join("\n")}
		(func (export "give") (param i32) (result i32) (call $return-give (call $take (local.get 0))) (i32.const 0))
		(func (export "count") (param $s i32) (result i32) (local $sum i32) (local $got i32) (local $n i32)
			(loop $on
				(local.set $got (call $read (local.get $s) (i32.const 16) (i32.const 4)))
				(local.set $n (i32.shr_u (local.get $got) (i32.const 4)))
				(call $wrote (local.get $n))
				(block $none (loop $add
					(br_if $none (i32.eqz (local.get $n)))
					(local.set $n (i32.sub (local.get $n) (i32.const 1)))
					(local.set $sum (i32.add (local.get $sum) (i32.load8_u (i32.add (local.get $n) (i32.const 16)))))
					(br $add)))
				(br_if $on (i32.eqz (i32.and (local.get $got) (i32.const 15)))))
			(call $drop-r (local.get $s))
			(call $return-count (local.get $sum)) (i32.const 0))
		(func (export "never") (result i32)
			(drop (call $hang))
			(i32.or (i32.const 2) (i32.shl (call $set) (i32.const 4))))
		(func (export "source") (result i32) (local $both i64)
			(local.set $both (call $new))
			(global.set $writer (i32.wrap_i64 (i64.shr_u (local.get $both) (i64.const 32))))
			(global.set $events (call $set))
			(call $join (global.get $writer) (global.get $events))
			(call $return-source (i32.wrap_i64 (local.get $both)))
			(call $on (i32.const 0)))
		(func $on (param $got i32) (result i32)
			(block $done
				(loop $more
					(br_if $done (i32.and (local.get $got) (i32.const 15)))
					(if (local.get $got) (then (call $wrote (i32.shr_u (local.get $got) (i32.const 4)))))
					(i32.store (i32.const 32) (i32.const 0x04030201))
					(local.set $got (call $write (global.get $writer) (i32.const 32) (i32.const 4)))
					(br_if $more (i32.ne (local.get $got) (i32.const -1)))
					(return (i32.or (i32.const 2) (i32.shl (global.get $events) (i32.const 4))))))
			(call $wrote (i32.const 99))
			(call $drop-w (global.get $writer))
			(i32.const 0))
		(func (export "on") (param i32 i32 i32) (result i32) (call $on (local.get 2))))
	(core instance $i (instantiate $m (with "" (instance
		(export "memory" (memory $libc "memory")) (export "take" (func $take)) (export "wrote" (func $wrote))
		(export "hang" (func $hang)) (export "new" (func $new)) (export "read" (func $read)) (export "write" (func $write))
		(export "drop-r" (func $drop-r)) (export "drop-w" (func $drop-w)) (export "set" (func $set)) (export "join" (func $join))
		${FUNCTIONS.map(([name]) => `(export "return-${name}" (func $return-${name}))`).join("\n")}))))
	${FUNCTIONS.map(([name, type]) => `(func (export "${name}") async ${type} (canon lift (core func $i "${name}") async (callback (core func $i "on"))))`).join("\n")})`;

/** What the guest told, and what it gets. */
interface Host {
	readonly wrote: number[];
	readonly component: Component;
}

async function start(options: LoadOptions = {}): Promise<Host> {
	const wrote: number[] = [];
	const imports = {
		take: async (stream: ReadableStream<Uint8Array>) => (await new Response(stream).bytes()).length,
		wrote: (n: number) => void wrote.push(n),
		hang: () => new Promise(() => {}),
	};
	return { wrote, component: await load(GUEST, { imports, ...options }) };
}

async function until(what: () => boolean): Promise<void> {
	for (let i = 0; !what() && i < 500; i++) await sleep(2);
	assert.ok(what());
}

suite("asynchronous components", () => {
	const given: readonly (readonly [string, () => unknown])[] = [
		["a ReadableStream", () => new Blob([Uint8Array.of(1, 2, 3)]).stream()],
		["a Uint8Array", () => Uint8Array.of(1, 2, 3)],
		["an array of numbers", () => [1, 2, 3]],
		["an array of chunks", () => [Uint8Array.of(1, 2), [3]]],
		[
			"an async iterable",
			async function* () {
				yield Uint8Array.of(1);
				await sleep(1);
				yield [2, 3];
			},
		],
	];
	for (const [name, make] of given) {
		test(`a stream is given as ${name}, and comes as a ReadableStream of Uint8Arrays`, async () => {
			const { component } = await start();
			const stream = await component.exports.echo(make());
			assert.ok(stream instanceof ReadableStream);
			assert.deepEqual(
				await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).bytes(),
				Uint8Array.of(1, 2, 3),
			);
			assert.equal(await component.exports.count(make()), 6);
			assert.equal(await component.exports.give(make()), 3);
		});
	}

	test("elements of other types come one by one", async () => {
		const { component } = await start();
		const found = await Array.fromAsync<string>(await component.exports.numbers(["a", "", "ccc"]));
		assert.deepEqual(found, ["a", "", "ccc"]);
	});

	test("a stream of a sandbox is given back to it", async () => {
		const { component } = await start();
		using sandbox = component.instantiate();
		const once = await sandbox.exports.echo([1, 2, 3]);
		const twice = await sandbox.exports.echo(once);
		assert.deepEqual(await Array.fromAsync(twice), [Uint8Array.of(1, 2, 3)]);
		await assert.rejects(sandbox.exports.echo(5), {
			code: "call/bad-value",
			message: "echo → s: expected stream<u8>, got 5",
		});
		const locked = new Blob(["x"]).stream();
		locked.getReader();
		await assert.rejects(sandbox.exports.echo(locked), { code: "call/bad-value" });
		// What one sandbox gives, another takes.
		assert.equal(await component.exports.count(await sandbox.exports.echo([4, 5])), 9);
	});

	test("futures: of a promise or a value, and read when one wants to", async () => {
		const { component } = await start();
		for (const value of [7, Promise.resolve(7)]) {
			const future = (await component.exports.later(value)) as GuestFuture<number>;
			assert.deepEqual([await future.read(), await future.read()], [7, 7]);
		}
		using kept = component.instantiate();
		await assert.rejects((await kept.exports.later(Promise.reject(new Error("no value")))).read(), /no value/);
	});

	test("the guest writes no faster than the host reads; a cancelled stream ends its writer, and then the sandbox", async () => {
		const { component, wrote } = await start({ warm: 1 });
		const reader = ((await component.exports.source()) as ReadableStream<Uint8Array>).getReader();
		await sleep(5);
		assert.deepEqual(wrote, []);
		assert.deepEqual(await reader.read(), { done: false, value: Uint8Array.of(1, 2, 3, 4) });
		assert.deepEqual(await reader.read(), { done: false, value: Uint8Array.of(1, 2, 3, 4) });
		await sleep(5);
		assert.deepEqual(wrote, [4, 4]);
		await reader.cancel();
		await until(() => wrote.length === 3);
		assert.deepEqual(wrote, [4, 4, 99]);
	});

	test("the last of a stream is read once, and at least one", async () => {
		const { component } = await start();
		const stream: GuestStream<Uint8Array, Uint8Array> = await component.exports.echo(Uint8Array.of(1, 2, 3));
		for (const most of [0, -1, 1.5, Number.NaN]) {
			await assert.rejects(stream.readLast(most), {
				code: "call/bad-value",
				message: "Cannot read from a stream: how many is a whole number from 1 on",
			});
		}
		assert.deepEqual(await stream.readLast(2), Uint8Array.of(1, 2));
		assert.equal(await stream.readLast(2), undefined);
		assert.deepEqual(await Array.fromAsync(stream), []);
		const read: GuestStream<Uint8Array, Uint8Array> = await component.exports.echo(Uint8Array.of(1));
		assert.deepEqual(await Array.fromAsync(read.values({ preventCancel: true })), [Uint8Array.of(1)]);
		assert.equal(await read.readLast(1), undefined);
		await assert.rejects(component.exports.echo({ [Symbol.asyncIterator]: 5 }), {
			code: "call/bad-value",
			message: "echo → s: expected stream<u8>, got an object (Object)",
		});
	});

	test("the source is read no faster than the guest reads", async () => {
		let taken = 0;
		const source = new ReadableStream(
			{ pull: (controller) => controller.enqueue(Uint8Array.of(++taken)) },
			{ highWaterMark: 0 },
		);
		const { component } = await start();
		const stream = (await component.exports.echo(source)) as ReadableStream<Uint8Array>;
		await sleep(5);
		assert.equal(taken, 1);
		await stream.cancel();
		await until(() => !source.locked);
		assert.ok(taken <= 2);
	});

	test("a stream that fails ends for the guest, and is reported", async () => {
		const reported: unknown[] = [];
		const { component } = await start({ onStreamError: (error) => void reported.push(error) });
		const failure = new Error("the disk is gone");
		async function* source(): AsyncGenerator<Uint8Array> {
			yield Uint8Array.of(5);
			throw failure;
		}
		assert.equal(await component.exports.count(source()), 5);
		function* atOnce(): Generator<Uint8Array> {
			yield Uint8Array.of(6);
			throw failure;
		}
		assert.equal(await component.exports.count(atOnce()), 6);
		assert.deepEqual(reported, [failure, failure]);
	});

	test("iterators written by hand: what throws, gives no promise, settles twice, or is no result", async () => {
		const reported: string[] = [];
		const { component } = await start({ onStreamError: (error) => void reported.push((error as Error).message) });
		/** A source that gives 3 and 4, each in what `wrap` makes of it, and then its end. */
		const gives = (wrap: (result: object) => unknown): AsyncIterable<unknown> => {
			const left = [3, 4];
			const next = () => {
				const value = left.shift();
				return wrap(value === undefined ? { done: true } : { done: false, value: [value] });
			};
			return { [Symbol.asyncIterator]: () => ({ next }) as AsyncIterator<unknown> };
		};
		const fails = (next: () => unknown): object => ({ [Symbol.asyncIterator]: () => ({ next }) });
		const throws = (): never => {
			throw new Error("thrown");
		};
		const twice = (result: object) => ({
			// oxlint-disable-next-line unicorn/no-thenable
			then(resolve: (value: object) => void) {
				resolve(result);
				resolve(result);
			},
		});
		const none = "Cannot read from a stream's iterator: its next() gave undefined";
		for (const [source, sum, told] of [
			[gives((result) => result), 7, []],
			[gives(twice), 7, []],
			[fails(throws), 0, ["thrown"]],
			[fails(async () => undefined), 0, [none]],
			[fails(async () => Object.defineProperty({}, "done", { get: throws })), 0, ["thrown"]],
			[{ [Symbol.iterator]: () => ({ next: () => undefined }) }, 0, [none]],
		] as const) {
			reported.length = 0;
			assert.equal(await component.exports.count(source), sum);
			assert.deepEqual(reported, told);
		}
	});

	test("a chunk whose buffer is transferred while it is read ends the stream, and is reported", async () => {
		const lost = "Cannot read on from a stream's chunk: its buffer was transferred or made smaller";
		const given = (): Uint8Array => Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
		const transfer = ({ buffer }: Uint8Array): void =>
			void structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
		const shrink = ({ buffer }: Uint8Array): void => (buffer as ArrayBuffer).resize(3);
		const resizable = (): Uint8Array => {
			const array = new Uint8Array(new ArrayBuffer(10, { maxByteLength: 10 }));
			array.set(given());
			return array;
		};
		for (const [make, spoil, reads, sum] of [
			[given, transfer, 1, 10],
			[given, transfer, 2, 36],
			[resizable, shrink, 1, 10],
			// Nothing of it is left to be read
			[given, transfer, 3, 55],
		] as const) {
			const chunk = make();
			const reported: string[] = [];
			let read = 0;
			const { component } = await start({
				onStreamError: (error) => void reported.push((error as Error).message),
				imports: {
					take: async () => 0,
					wrote: () => void (++read === reads && spoil(chunk)),
					hang: async () => {},
				},
			});
			assert.equal(await component.exports.count([chunk]), sum);
			assert.deepEqual(reported, sum === 55 ? [] : [lost]);
		}
	});

	test("any number of empty chunks", async () => {
		const { component } = await start();
		const empty = new Uint8Array(0);
		assert.equal(await component.exports.count([...Array.from({ length: 30_000 }, () => empty), Uint8Array.of(5)]), 5);
	});

	for (const [name, source] of [
		["at once", { [Symbol.iterator]: () => ({ next: () => ({ done: false, value: [] }) }) }],
		["later", { [Symbol.asyncIterator]: () => ({ next: async () => ({ done: false, value: [] }) }) }],
	] as const)
		test(`empty chunks for ever, ${name}, hold up nobody else`, { timeout: 20_000 }, async () => {
			const { component } = await start();
			const signal = new AbortController();
			const call = component.call(["count"], [source], { signal: signal.signal });
			await sleep(2);
			assert.equal(await component.exports.count([1, 2]), 3);
			signal.abort(new Error("gone"));
			await assert.rejects(call, /gone/);
		});

	for (const [name, source] of [
		[
			"throws",
			{ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}), return: () => assert.fail("mine") }) },
		],
		[
			"gives no promise",
			{ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}), return: () => ({ done: true }) }) },
		],
	] as const)
		test(`a source whose return ${name} when the sandbox ends keeps nothing else from it`, async () => {
			const { component } = await start({ warm: 1 });
			const signal = new AbortController();
			const call = component.call(["count"], [source], { signal: signal.signal });
			await sleep(2);
			// Of an event's listener nobody would catch it: the process would end.
			signal.abort(new Error("gone"));
			await assert.rejects(call, /gone/);
			assert.equal(await component.exports.count([1, 2]), 3);
		});

	test("a reader is told why when the sandbox ends, whether it waits or reads later", async () => {
		const { component } = await start();
		const sandbox = component.instantiate();
		const hanging = new ReadableStream();
		const waiting = ((await sandbox.exports.echo(hanging)) as ReadableStream).getReader().read();
		const later = (await sandbox.exports.source()) as ReadableStream;
		const future = (await sandbox.exports.later(new Promise(() => {}))) as GuestFuture;
		sandbox[Symbol.dispose]();
		const disposed = { code: "guest/killed", message: "the sandbox was disposed" };
		await assert.rejects(waiting, disposed);
		await assert.rejects(later.getReader().read(), disposed);
		await assert.rejects(future.read(), disposed);
		await assert.rejects(sandbox.exports.source(), SkerryError);
		assert.equal(sandbox.handles, 0);
	});

	test("a signal ends a call, and what it gave", async () => {
		const { component } = await start();
		const reason = new Error("nobody waits any more");
		const isReason = (error: unknown): boolean => error === reason;
		const waiting = new AbortController();
		const call = component.call(["never"], [], { signal: waiting.signal });
		await sleep(2);
		waiting.abort(reason);
		await assert.rejects(call, isReason);

		const reading = new AbortController();
		const stream = (await component.call(["source"], [], { signal: reading.signal })) as ReadableStream;
		const reader = stream.getReader();
		await reader.read();
		reading.abort(reason);
		await assert.rejects(reader.read(), isReason);

		await assert.rejects(component.call(["never"], [], { signal: AbortSignal.abort(reason) }), isReason);
		const signal = new AbortController();
		assert.equal(await component.call(["count"], [[1, 2]], { signal: signal.signal }), 3);
		signal.abort(reason);
	});

	for (const [name, run] of [
		["a call that waits for the host for ever", ({ exports }: Component) => exports.never()],
		[
			"a stream that nobody reads",
			async ({ exports }: Component) => {
				const reader = (await exports.source()).getReader();
				await sleep(80);
				await reader.read();
			},
		],
	] as const) {
		test(`${name} is bounded by the limit wall`, async () => {
			const { component } = await start({ limits: { wall: 40 } });
			await assert.rejects(run(component), (error) => error instanceof LimitExceeded && /wall/.test(error.message));
		});
	}

	test("what is gated is refused by name unless it is switched on", async () => {
		const wat = `(component (core module $m (func (export "f")))
			(core instance $i (instantiate $m))
			(func (export "f") async (canon lift (core func $i "f") async)))`;
		await assert.rejects(load(wat), { code: "link/unsupported", message: /the feature "stackful" is not switched on/ });
		await load(wat, { features: { stackful: true } });
		const on = new Engine({ cache: false, features: { stackful: true } });
		await on.load(new Uint8Array(await parse(wat)), { features: { threads: true } });
	});
});
