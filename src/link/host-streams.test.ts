/** Streams between host and guests: every byte comes once, in its order, however reader and writer take turns. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { SkerryError } from "../fault/mod.ts";
import { call, start } from "./guest.fixture.ts";

/** `hash` reads to the end, `most` bytes at a time, and gives a hash that depends on their order; `first` reads one byte. */
const READER = `(component
	(type $bytes (stream u8))
	(core module $libc (memory (export "memory") 1))
	(core instance $libc (instantiate $libc))
	(core func $read (canon stream.read $bytes (memory (core memory $libc "memory"))))
	(core func $drop (canon stream.drop-readable $bytes))
	(core func $return (canon task.return (result u32)))
	(core module $m
		(import "libc" "memory" (memory 1))
		(import "" "read" (func $read (param i32 i32 i32) (result i32)))
		(import "" "drop" (func $drop (param i32)))
		(import "" "return" (func $return (param i32)))
		(func (export "hash") (param $s i32) (param $most i32) (result i32) (local $n i32) (local $i i32) (local $hash i32)
			(loop $again
				(local.set $n (call $read (local.get $s) (i32.const 0) (local.get $most)))
				(local.set $i (i32.const 0))
				(block $taken (loop $next
					(br_if $taken (i32.ge_u (local.get $i) (i32.shr_u (local.get $n) (i32.const 4))))
					(local.set $hash (i32.add (i32.mul (local.get $hash) (i32.const 31)) (i32.load8_u (local.get $i))))
					(local.set $i (i32.add (local.get $i) (i32.const 1)))
					(br $next)))
				(br_if $again (i32.eqz (i32.and (local.get $n) (i32.const 15)))))
			(call $drop (local.get $s))
			(call $return (local.get $hash))
			(i32.const 0))
		(func (export "first") (param $s i32) (result i32)
			(drop (call $read (local.get $s) (i32.const 0) (i32.const 1)))
			(call $drop (local.get $s))
			(call $return (i32.load8_u (i32.const 0)))
			(i32.const 0))
		(func (export "callback") (param i32 i32 i32) (result i32) unreachable))
	(core instance $i (instantiate $m (with "libc" (instance $libc)) (with "" (instance
		(export "read" (func $read)) (export "drop" (func $drop)) (export "return" (func $return))))))
	(func (export "first") async (param "s" $bytes) (result u32)
		(canon lift (core func $i "first") async (callback (core func $i "callback"))))
	(func (export "hash") async (param "s" $bytes) (param "most" u32) (result u32)
		(canon lift (core func $i "hash") async (callback (core func $i "callback")))))`;

const SIZES = [1, 0, 5, 300, 2, 64, 0, 7, 1024, 3];
const CHUNKS: readonly Uint8Array[] = SIZES.map((size, n) =>
	Uint8Array.from({ length: size }, (_, i) => n * 31 + i * 7),
);

function hashOf(chunks: readonly Uint8Array[]): number {
	let hash = 0;
	for (const chunk of chunks) for (const byte of chunk) hash = (Math.imul(hash, 31) + byte) >>> 0;
	return hash;
}

/** Chunks that come so many microtasks, or turns of the event loop, after they are asked for. */
async function* delayed(hops: number, turns: number): AsyncGenerator<Uint8Array> {
	for (const chunk of CHUNKS) {
		for (let i = 0; i < hops; i++) await Promise.resolve();
		for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
		yield chunk;
	}
}

const failed = new Error("of the source");

suite("what a host gives", () => {
	const sources: [string, () => unknown][] = [
		...[0, 1, 2, 3, 4, 5, 8].map((hops): [string, () => unknown] => [`${hops} hops late`, () => delayed(hops, 0)]),
		["a turn late", () => delayed(0, 1)],
		["in an iterable that does not wait", () => CHUNKS],
		["as a ReadableStream", () => ReadableStream.from(CHUNKS)],
		["in one array", () => Uint8Array.from(CHUNKS.flatMap((chunk) => [...chunk]))],
	];
	for (const [name, source] of sources) {
		test(name, async () => {
			for (const most of [1, 7, 64, 4096]) {
				const instance = await start(READER);
				assert.equal(await call(instance, "hash", source(), most), hashOf(CHUNKS), `${most} at a time`);
				await instance.settled;
				assert.equal(instance.store.held.size, 0);
				assert.equal(instance.store.handles, 0);
			}
		});
	}

	test("a source that fails ends the stream, and is told of; a chunk of another type ends the call", async () => {
		for (const hops of [0, 3]) {
			const failing = async function* (): AsyncGenerator {
				yield* delayed(hops, 0);
				throw failed;
			};
			const instance = await start(READER);
			const reported: unknown[] = [];
			instance.store.report = (error) => reported.push(error);
			assert.equal(await call(instance, "hash", failing(), 4096), hashOf(CHUNKS));
			assert.deepEqual(reported, [failed]);

			const wrong = async function* (): AsyncGenerator {
				yield* delayed(hops, 0);
				yield "text";
			};
			await assert.rejects(
				call(await start(READER), "hash", wrong(), 4096),
				(error) => error instanceof SkerryError && error.code === "call/bad-value",
			);
		}
	});

	for (const [what, result] of [
		[
			"a value",
			{
				done: false,
				get value() {
					throw failed;
				},
			},
		],
		[
			"its end",
			{
				get done() {
					throw failed;
				},
				value: Uint8Array.of(1),
			},
		],
		[
			"all that is asked",
			new Proxy(
				{},
				{
					get() {
						throw failed;
					},
				},
			),
		],
	] as const)
		for (const kind of [Symbol.iterator, Symbol.asyncIterator])
			test(`a source whose result throws for ${what}, as ${String(kind.description)}: the stream ends there, and somebody is told`, async () => {
				const results = [...CHUNKS.map((value) => ({ done: false, value })), result].values();
				const instance = await start(READER);
				const reported: unknown[] = [];
				instance.store.report = (error) => reported.push(error);
				const source = { [kind]: () => ({ next: () => results.next().value }) };
				assert.equal(await call(instance, "hash", source, 4096), hashOf(CHUNKS));
				assert.deepEqual(reported, [failed]);
				await instance.settled;
				assert.equal(instance.store.held.size, 0);
			});

	test("a source of which no more is wanted is closed, be its next chunk there or not, or never", async () => {
		for (const hops of [0, 1, 2, 3, 4, 5, 6, 7, Infinity]) {
			let [given, closed] = [0, 0];
			const source = {
				[Symbol.asyncIterator]: () => ({
					next: async () => {
						if (given > 0 && hops === Infinity) await new Promise(() => given++);
						if (given > 0) for (let i = 0; i < hops; i++) await Promise.resolve();
						return { done: false, value: Uint8Array.of(40 + given++) };
					},
					return: async () => ({ done: true, value: closed++ }),
				}),
			};
			const instance = await start(READER);
			assert.equal(await call(instance, "first", source), 40, `${hops} hops`);
			for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
			assert.deepEqual([given, closed], [2, 1], `${hops} hops`);
			assert.equal(instance.store.held.size, 0);
		}
	});

	test("one sandbox that ends in the midst of a stream closes the source, and nothing more of it is read", async () => {
		for (let hops = 0; hops < 12; hops++) {
			let [given, closed] = [0, 0];
			const source = {
				[Symbol.asyncIterator]: () => ({
					next: async () => ({ done: false, value: Uint8Array.of(given++) }),
					return: async () => ({ done: true, value: closed++ }),
				}),
			};
			const instance = await start(READER);
			const reason = new SkerryError("guest/killed", "for the test");
			const ended = assert.rejects(call(instance, "hash", source, 1), (error) => error === reason);
			for (let i = 0; i < hops; i++) await Promise.resolve();
			instance.dispose(reason);
			const before = given;
			await ended;
			await new Promise((resolve) => setImmediate(resolve));
			assert.deepEqual([given, closed], [before, 1], `${hops} hops`);
			assert.equal(instance.quiet, true);
		}
	});
});
