/** Calls into kept sandboxes of asynchronous components: cancelled, made from where they cannot begin, left with something open. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";

import { LimitExceeded, SkerryError } from "../fault/mod.ts";
import { type Component, Engine, type GuestStream, type Imports, type LoadOptions } from "./mod.ts";

const engine = new Engine({ cache: false });

/**
 * `wait` waits for `hang`; when it is cancelled it cancels that, and ends; `stubborn` returns 7 then. `ask` and `ask-later` return what
 * the host's functions do, of which the second is async. `numbers` and `words` give back their streams.
 */
const GUEST = `(component
	(type $numbers (stream u32)) (type $words (stream f64))
	(import "hang" (func $hang async))
	(import "sync" (func $sync (result u32)))
	(import "later" (func $later async (result u32)))
	(core module $libc (memory (export "memory") 1))
	(core instance $libc (instantiate $libc))
	(core func $hang (canon lower (func $hang) async (memory (core memory $libc "memory"))))
	(core func $sync (canon lower (func $sync)))
	(core func $later (canon lower (func $later)))
	(core func $set (canon waitable-set.new))
	(core func $drop-set (canon waitable-set.drop))
	(core func $join (canon waitable.join))
	(core func $cancel-sub (canon subtask.cancel))
	(core func $drop-sub (canon subtask.drop))
	(core func $cancel (canon task.cancel))
	(core func $return (canon task.return (result u32)))
	(core func $return-numbers (canon task.return (result $numbers)))
	(core func $return-words (canon task.return (result $words)))
	(core module $m
		(import "" "hang" (func $hang (result i32)))
		(import "" "sync" (func $sync (result i32)))
		(import "" "later" (func $later (result i32)))
		(import "" "set" (func $set (result i32)))
		(import "" "drop-set" (func $drop-set (param i32)))
		(import "" "join" (func $join (param i32 i32)))
		(import "" "cancel-sub" (func $cancel-sub (param i32) (result i32)))
		(import "" "drop-sub" (func $drop-sub (param i32)))
		(import "" "cancel" (func $cancel))
		(import "" "return" (func $return (param i32)))
		(import "" "return-numbers" (func $return-numbers (param i32)))
		(import "" "return-words" (func $return-words (param i32)))
		(global $s (mut i32) (i32.const 0)) (global $t (mut i32) (i32.const 0))
		(func $hung (result i32)
			(global.set $s (call $set))
			(global.set $t (i32.shr_u (call $hang) (i32.const 4)))
			(call $join (global.get $t) (global.get $s))
			(i32.or (i32.const 2) (i32.shl (global.get $s) (i32.const 4))))
		(func $clean
			(call $join (global.get $t) (i32.const 0))
			(if (i32.ne (call $cancel-sub (global.get $t)) (i32.const 4)) (then unreachable))
			(call $drop-sub (global.get $t)) (call $drop-set (global.get $s)))
		(func (export "wait") (result i32) (call $hung))
		(func (export "wait-on") (param $event i32) (param i32 i32) (result i32)
			(if (i32.ne (local.get $event) (i32.const 6)) (then unreachable))
			(call $clean) (call $cancel) (i32.const 0))
		(func (export "stubborn-on") (param $event i32) (param i32 i32) (result i32)
			(if (i32.ne (local.get $event) (i32.const 6)) (then unreachable))
			(call $clean) (call $return (i32.const 7)) (i32.const 0))
		(func (export "ask") (result i32) (call $return (call $sync)) (i32.const 0))
		(func (export "ask-later") (result i32) (call $return (call $later)) (i32.const 0))
		(func (export "plain") (result i32) (i32.const 5))
		(func (export "numbers") (param i32) (result i32) (call $return-numbers (local.get 0)) (i32.const 0))
		(func (export "words") (param i32) (result i32) (call $return-words (local.get 0)) (i32.const 0)))
	(core instance $i (instantiate $m (with "" (instance
		(export "hang" (func $hang)) (export "sync" (func $sync)) (export "later" (func $later)) (export "set" (func $set))
		(export "drop-set" (func $drop-set)) (export "join" (func $join)) (export "cancel-sub" (func $cancel-sub))
		(export "drop-sub" (func $drop-sub)) (export "cancel" (func $cancel)) (export "return" (func $return))
		(export "return-numbers" (func $return-numbers)) (export "return-words" (func $return-words))))))
	(func (export "wait") async (result u32)
		(canon lift (core func $i "wait") async (callback (core func $i "wait-on"))))
	(func (export "stubborn") async (result u32)
		(canon lift (core func $i "wait") async (callback (core func $i "stubborn-on"))))
	(func (export "ask") async (result u32)
		(canon lift (core func $i "ask") async (callback (core func $i "wait-on"))))
	(func (export "ask-later") async (result u32)
		(canon lift (core func $i "ask-later") async (callback (core func $i "wait-on"))))
	(func (export "plain") (result u32) (canon lift (core func $i "plain")))
	(func (export "numbers") async (param "s" $numbers) (result $numbers)
		(canon lift (core func $i "numbers") async (callback (core func $i "wait-on"))))
	(func (export "words") async (param "s" $words) (result $words)
		(canon lift (core func $i "words") async (callback (core func $i "wait-on")))))`;

const NOTHING: Imports = { hang: () => new Promise(() => {}), sync: () => 1, later: async () => 2 };

async function start(imports: Imports = {}, options: LoadOptions = {}): Promise<Component> {
	return await engine.load(new Uint8Array(await parse(GUEST)), { imports: { ...NOTHING, ...imports }, ...options });
}

suite("calls into a kept sandbox", () => {
	const reason = new Error("nobody waits any more");
	const isReason = (error: unknown): boolean => error === reason;

	test("a signal cancels the task of its call, and nothing else", async () => {
		let cancelled = 0;
		const hang = () => Object.assign(new Promise(() => {}), { cancel: () => void cancelled++ });
		const component = await start({ hang });
		using sandbox = component.instantiate();
		const controller = new AbortController();
		const call = sandbox.call(["wait"], [], { signal: controller.signal });
		await sleep(2);
		assert.ok(sandbox.handles > 0);
		controller.abort(reason);
		await assert.rejects(call, isReason);
		assert.equal(cancelled, 1);
		assert.equal(sandbox.handles, 0);
		assert.equal(await sandbox.exports.ask(), 1);
	});

	test("a task that returns though it was asked to give way has returned", async () => {
		const component = await start();
		using sandbox = component.instantiate();
		const controller = new AbortController();
		const call = sandbox.call(["stubborn"], [], { signal: controller.signal });
		await sleep(2);
		controller.abort(reason);
		controller.abort(new Error("once more"));
		assert.equal(await call, 7);
		assert.equal(sandbox.handles, 0);
	});

	test("a signal that comes too early or too late, and a function that is not async", async () => {
		const component = await start();
		using sandbox = component.instantiate();
		await assert.rejects(sandbox.call(["wait"], [], { signal: AbortSignal.abort(reason) }), isReason);
		const controller = new AbortController();
		const { signal } = controller;
		assert.equal(await sandbox.call(["ask"], [], { signal }), 1);
		const plain = sandbox.call(["plain"], [], { signal });
		controller.abort(reason);
		assert.equal(await plain, 5);
		assert.equal(await sandbox.exports.ask(), 1);
	});

	test("a signal does not reach the next use of the slot", async () => {
		const component = await start();
		const controller = new AbortController();
		const sandbox = component.instantiate();
		const call = sandbox.call(["wait"], [], { signal: controller.signal });
		await sleep(2);
		sandbox[Symbol.dispose]();
		await assert.rejects(call, { code: "guest/killed" });
		controller.abort(reason);
		assert.equal(await component.exports.ask(), 1);
	});

	for (const [name, before] of [
		["at once", 0],
		["after it has waited", 2],
	] as const) {
		test(`a host function that calls ${name} into the sandbox that waits for it gets an error, not a hang`, async () => {
			const seen: unknown[] = [];
			const sync = async (): Promise<number> => {
				await sleep(before);
				await sandbox.exports.ask().catch((error: unknown) => seen.push(error));
				return 3;
			};
			const component = await start({ sync });
			using sandbox = component.instantiate();
			assert.equal(await sandbox.exports.ask(), 3);
			const [error] = seen;
			assert.ok(error instanceof SkerryError);
			assert.equal(error.code, "call/reentrant");
			assert.equal(error.message, "Cannot call ask: the sandbox waits for sync, which makes the call");
		});
	}

	test("so it does where the component's world says nothing of its tasks", { timeout: 120_000 }, async () => {
		const inner = `(component
			(import "sync" (func $sync (result u32)))
			(core func $sync (canon lower (func $sync)))
			(core func $set (canon waitable-set.new))
			(core module $m (import "" "sync" (func $sync (result i32))) (import "" "set" (func $set (result i32)))
				(func (export "ask") (result i32) (drop (call $set)) (call $sync)))
			(core instance $i (instantiate $m (with "" (instance (export "sync" (func $sync)) (export "set" (func $set))))))
			(func (export "ask") (result u32) (canon lift (core func $i "ask"))))`;
		const codes: unknown[] = [];
		const sync = async (): Promise<number> => {
			await sleep(2);
			await sandbox.call(["ask"], []).catch((error: unknown) => codes.push((error as SkerryError).code));
			return 3;
		};
		const component = await engine.load(new Uint8Array(await parse(inner)), { imports: { sync } });
		using sandbox = component.instantiate();
		assert.equal(await sandbox.call(["ask"], []), 3);
		assert.deepEqual(codes, ["call/reentrant"]);
	});

	test("what was begun in a host function may call once that has returned; so may an async one, and another sandbox's", async () => {
		let late: Promise<unknown> | undefined;
		const sync = (): number => {
			late ??= sleep(2).then(() => kept.exports.ask());
			return 4;
		};
		const component = await start({ sync, later: async () => await kept.exports.ask() });
		using kept = component.instantiate();
		using other = component.instantiate();
		assert.equal(await kept.exports.ask(), 4);
		assert.equal(await late, 4);
		assert.equal(await other.exports.askLater(), 4);
		assert.equal(await component.exports.ask(), 4);
	});

	test("streams of numbers come in typed arrays, as the guest writes them", async () => {
		const component = await start();
		const big = Uint32Array.from({ length: 5000 }, (_, i) => i * 7);
		const chunks = await Array.fromAsync<Uint32Array>(await component.exports.numbers(big));
		assert.ok(chunks.length < 10, `${chunks.length} chunks`);
		assert.deepEqual(
			chunks.flatMap((chunk) => Array.from(chunk)),
			[...big],
		);
		const words = (await component.exports.words([[1.5, 2.5], 3])) as GuestStream<Float64Array, Float64Array>;
		assert.deepEqual(await words.readLast(2), Float64Array.of(1.5, 2.5));
	});

	const failure = new Error("the host is out of order");
	for (const [what, imports, run, expected] of [
		[
			"an async function that gives a value of another type",
			{ later: async () => "two" },
			({ askLater }) => askLater(),
			{ code: "call/bad-value", message: 'later → result: expected u32, got "two"' },
		],
		["an async function that throws", { later: () => Promise.reject(failure) }, ({ askLater }) => askLater(), failure],
		["a function that throws at once", { sync: () => assert.fail(failure) }, ({ ask }) => ask(), failure],
		[
			"a stream with an element of another type",
			{},
			async ({ numbers }) => await Array.fromAsync(await numbers([[1, 2], ["three"]])),
			{ code: "call/bad-value", message: 'stream<u32>[2]: expected u32, got "three"' },
		],
	] as readonly (readonly [string, Imports, (exports: Component["exports"]) => Promise<unknown>, object])[]) {
		test(`${what} ends the sandbox, and says where it was`, async () => {
			const component = await start(imports);
			using sandbox = component.instantiate();
			await assert.rejects(run(sandbox.exports), expected);
			await assert.rejects(sandbox.exports.ask(), /cannot enter component instance/);
			assert.equal(sandbox.handles, 0);
		});
	}

	test("the limit wall names the streams that the host has left unread", async () => {
		const component = await start({}, { limits: { wall: 400 } });
		using sandbox = component.instantiate();
		const streams = (await Promise.all([sandbox.exports.numbers([1]), sandbox.exports.words([2])])) as ReadableStream[];
		await sleep(500);
		const state = "streams or futures that the host has neither read to the end nor cancelled: 2";
		for (const stream of streams) {
			await assert.rejects(stream.getReader().read(), (error) => {
				assert.ok(error instanceof LimitExceeded);
				assert.equal(error.message, `killed: wall 400 ms (limit "wall"): ${state}`);
				return true;
			});
		}
	});
});
