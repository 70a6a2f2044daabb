import assert from "node:assert/strict";
import { test } from "node:test";

import { HostStream } from "../../abi/mod.ts";
import { SkerryError, Trap } from "../../fault/mod.ts";
import { call, start } from "../guest.fixture.ts";

/** `f` makes a stream and a subtask, and waits for the host; `echo` gives its stream back; `never` waits for nothing. */
const WAITING = `(component
	(import "later" (func $later async (result u32)))
	(core module $libc (memory (export "memory") 1))
	(core instance $libc (instantiate $libc))
	(type $bytes (stream u8))
	(core func $later (canon lower (func $later) async (memory (core memory $libc "memory"))))
	(core func $new (canon stream.new $bytes))
	(core func $set (canon waitable-set.new))
	(core func $join (canon waitable.join))
	(core func $drop (canon subtask.drop))
	(core func $return (canon task.return (result u32)))
	(core func $return-stream (canon task.return (result $bytes)))
	(core module $m
		(import "" "memory" (memory 1))
		(import "" "later" (func $later (param i32) (result i32)))
		(import "" "new" (func $new (result i64)))
		(import "" "set" (func $set (result i32)))
		(import "" "join" (func $join (param i32 i32)))
		(import "" "drop" (func $drop (param i32)))
		(import "" "return" (func $return (param i32)))
		(import "" "return-stream" (func $return-stream (param i32)))
		(func (export "f") (result i32) (local $set i32)
			(drop (call $new))
			(local.set $set (call $set))
			(call $join (i32.shr_u (call $later (i32.const 8)) (i32.const 4)) (local.get $set))
			(i32.or (i32.const 2) (i32.shl (local.get $set) (i32.const 4))))
		(func (export "f-callback") (param $event i32) (param $index i32) (param $state i32) (result i32)
			(if (i32.ne (local.get $state) (i32.const 2)) (then unreachable))
			(call $join (local.get $index) (i32.const 0))
			(call $drop (local.get $index))
			(call $return (i32.load (i32.const 8)))
			(i32.const 0))
		(func (export "echo") (param $stream i32) (result i32)
			(call $return-stream (local.get $stream))
			(i32.const 0))
		(func (export "never") (result i32) (i32.or (i32.const 2) (i32.shl (call $set) (i32.const 4)))))
	(core instance $i (instantiate $m (with "" (instance
		(export "memory" (memory $libc "memory")) (export "later" (func $later)) (export "new" (func $new))
		(export "set" (func $set)) (export "join" (func $join)) (export "drop" (func $drop))
		(export "return" (func $return)) (export "return-stream" (func $return-stream))))))
	(func (export "f") async (result u32)
		(canon lift (core func $i "f") async (callback (core func $i "f-callback"))))
	(func (export "echo") async (param "s" $bytes) (result $bytes)
		(canon lift (core func $i "echo") async (callback (core func $i "f-callback"))))
	(func (export "never") async (result u32)
		(canon lift (core func $i "never") async (callback (core func $i "f-callback")))))`;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("calls that wait for the host run side by side, each with its own result", async () => {
	let given = 0;
	const later = async (): Promise<number> => {
		await turn();
		return ++given;
	};
	const instance = await start(WAITING, { functions: { later } });
	const results = await Promise.all([call(instance, "f"), call(instance, "f"), call(instance, "f")]);
	assert.deepEqual(results, [1, 2, 3]);
});

test("a sandbox that ends with live tasks, streams and subtasks begins anew, and nothing of them is left", async () => {
	const { promise, resolve } = Promise.withResolvers<number>();
	let answers = (): Promise<number> | number => promise;
	const instance = await start(WAITING, { functions: { later: () => answers() } });
	const image = instance.takeImage(undefined);
	assert.ok(typeof image === "object");
	instance.attach(image);

	const reason = new SkerryError("guest/killed", "for the test");
	const running = assert.rejects(call(instance, "f"), (error) => error === reason);
	await turn();
	assert.ok(instance.store.handles > 0);
	instance.dispose(reason);
	await running;
	assert.equal(instance.store.handles, 0);
	assert.equal(instance.quiet, true);

	assert.notEqual(instance.reset("another context"), undefined);
	// The answer to the first use is none to the second.
	resolve(1);
	answers = async () => {
		await turn();
		return 2;
	};
	assert.equal(await call(instance, "f"), 2);
});

test("rule 9: what waits for ever is a trap with a name, and ends the instance", async () => {
	const instance = await start(WAITING, { functions: { later: () => 0 } });
	const message = "deadlock detected: event loop cannot make further progress";
	await assert.rejects(call(instance, "never"), (error) => error instanceof Trap && error.message === message);
	await assert.rejects(call(instance, "f"), /cannot enter component instance/);
});

test("a stream of the host passes through a guest; its source is closed when the sandbox ends", async () => {
	let closed = 0;
	async function* source(): AsyncGenerator<Uint8Array> {
		try {
			for (;;) yield Uint8Array.of(1, 2, 3);
		} finally {
			closed++;
		}
	}
	const instance = await start(WAITING, { functions: { later: () => 0 } });
	const stream = await call(instance, "echo", source());
	assert.ok(stream instanceof HostStream);
	assert.deepEqual(await stream.read(2), Uint8Array.of(1, 2));
	assert.deepEqual(await stream.read(), Uint8Array.of(3));
	const reason = new SkerryError("guest/killed", "for the test");
	instance.dispose(reason);
	await turn();
	assert.equal(closed, 1);
	// It has not come to its end: whoever reads on is told why there is no more.
	await assert.rejects(stream.read(), (error) => error === reason);
});

test("what is no stream is refused before the guest runs", async () => {
	const instance = await start(WAITING, { functions: { later: () => 0 } });
	await assert.rejects(async () => await call(instance, "echo", 7), /s: expected stream<u8>, got 7/);
	assert.equal(instance.store.poison, undefined);
});

test("a sandbox that ends while a task is being resumed is not reset before that is over, and nothing goes on after", async () => {
	const answers: ((value: number) => void)[] = [];
	let calls = 0;
	const later = (): Promise<number> => {
		calls++;
		return new Promise((resolve) => answers.push(resolve));
	};
	const instance = await start(WAITING, { functions: { later } });
	const image = instance.takeImage(undefined);
	assert.ok(typeof image === "object");
	instance.attach(image);
	const reason = new SkerryError("guest/killed", "for the test");
	let waited = 0;
	for (let hops = 0; hops < 16; hops++) {
		const running = call(instance, "f").then(
			() => "returned",
			(error: unknown) => error,
		);
		await turn();
		answers.shift()?.(7);
		for (let i = 0; i < hops; i++) await Promise.resolve();
		instance.dispose(reason);
		const before = calls;
		if (!instance.quiet) {
			waited++;
			await turn();
		}
		assert.equal(instance.quiet, true);
		assert.notEqual(instance.reset("another context"), undefined);
		const ended = await running;
		assert.ok(ended === reason || ended === "returned", String(ended));
		await turn();
		assert.equal(instance.store.handles, 0, `${hops} hops`);
		assert.equal(calls, before);
		// The next use finds it as new.
		const next = call(instance, "f");
		await turn();
		answers.shift()?.(hops);
		assert.equal(await next, hops);
		instance.dispose(reason);
		assert.notEqual(instance.reset("another context"), undefined);
	}
	assert.ok(waited > 0, "no end came at such a time");
});

test("the answer to a call that is not async comes to nobody once the sandbox has ended, though its slot is in use again", async () => {
	const wat = `(component
		(type $bytes (stream u8))
		(import "slow" (func $slow (result $bytes)))
		(import "wait" (func $wait async))
		(core func $slow (canon lower (func $slow)))
		(core func $wait (canon lower (func $wait)))
		(core module $m
			(import "" "slow" (func $slow (result i32)))
			(import "" "wait" (func $wait))
			(func (export "f") (param i32) (result i32)
				(if (result i32) (local.get 0) (then (call $wait) (i32.const 5)) (else (call $slow)))))
		(core instance $i (instantiate $m (with "" (instance (export "slow" (func $slow)) (export "wait" (func $wait))))))
		(func (export "f") async (param "wait" bool) (result u32) (canon lift (core func $i "f"))))`;
	const slow = Promise.withResolvers<Uint8Array>();
	const wait = Promise.withResolvers<void>();
	const instance = await start(wat, { functions: { slow: () => slow.promise, wait: () => wait.promise } });
	const image = instance.takeImage(undefined);
	assert.ok(typeof image === "object");
	instance.attach(image);
	const reason = new SkerryError("guest/killed", "for the test");
	const first = assert.rejects(call(instance, "f", false), (error) => error === reason);
	await turn();
	instance.dispose(reason);
	await first;
	await turn();
	assert.equal(instance.quiet, true);
	assert.notEqual(instance.reset("another context"), undefined);
	const second = call(instance, "f", true);
	await turn();
	slow.resolve(Uint8Array.of(1));
	await turn();
	assert.equal(instance.store.handles, 0, "it is in the table of another use");
	assert.equal(instance.store.held.size, 0);
	wait.resolve();
	assert.equal(await second, 5);
});
