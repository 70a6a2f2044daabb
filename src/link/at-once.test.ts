/** Calls of async functions that run on their caller's stack: in every way like those that have one of their own. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CompileCache } from "../engine/mod.ts";
import { LimitExceeded, type Limits, type MeteringMode, SkerryError, Trap } from "../fault/mod.ts";
import { type Instance, instantiate } from "./instance/instantiate.ts";
import { linkComponent, loadComponent } from "./link.ts";

/**
 * One export for each way to end or go on, none of which needs a stack of its own. `later` makes a call that waits, of which `callback`
 * is told; the others return at once, or in a callback.
 */
const GUEST = `(component
	(type $bytes (stream u8))
	(core module $libc (memory (export "memory") 1)
		(func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
	(core instance $libc (instantiate $libc))
	(core func $return (canon task.return (result u32)))
	(core func $return-text (canon task.return (result string) (memory (core memory $libc "memory"))))
	(core func $return-stream (canon task.return (result $bytes)))
	(core func $new (canon stream.new $bytes))
	(core func $cancel (canon task.cancel))
	(core func $more (canon backpressure.inc))
	(core func $less (canon backpressure.dec))
	(core func $set (canon waitable-set.new))
	(core func $get (canon context.get i32 0))
	(core func $put (canon context.set i32 0))
	(core module $m
		(import "libc" "memory" (memory 1))
		(import "" "return" (func $return (param i32)))
		(import "" "return-text" (func $return-text (param i32 i32)))
		(import "" "return-stream" (func $return-stream (param i32)))
		(import "" "new" (func $new (result i64)))
		(import "" "cancel" (func $cancel))
		(import "" "more" (func $more))
		(import "" "less" (func $less))
		(import "" "set" (func $set (result i32)))
		(import "" "get" (func $get (result i32)))
		(import "" "put" (func $put (param i32)))
		(global $calls (mut i32) (i32.const 0))
		(func (export "echo") (param i32) (result i32) (call $return (local.get 0)) (i32.const 0))
		(func (export "text") (param i32 i32) (result i32)
			(call $return-text (local.get 0) (local.get 1)) (i32.const 0))
		(func (export "sync") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
		(func (export "context") (result i32)
			(call $put (i32.add (call $get) (i32.const 5))) (call $return (call $get)) (i32.const 0))
		(func (export "early") (param i32) (result i32) (call $return (local.get 0)) (i32.const 1))
		(func (export "yields") (param i32) (result i32) (call $put (local.get 0)) (i32.const 1))
		(func (export "waits") (result i32) (i32.or (i32.const 2) (i32.shl (call $set) (i32.const 4))))
		(func (export "nothing") (result i32) (i32.const 0))
		(func (export "twice") (result i32) (call $return (i32.const 1)) (call $return (i32.const 2)) (i32.const 0))
		(func (export "cancels") (result i32) (call $cancel) (i32.const 0))
		(func (export "code") (param i32) (result i32) (call $return (i32.const 3)) (local.get 0))
		(func (export "traps") (result i32) unreachable)
		(func (export "ever") (result i32) (loop $again (br $again)) unreachable)
		(func (export "press") (param i32) (result i32)
			(if (local.get 0) (then (call $more))) (call $return (i32.const 0)) (i32.const 0))
		(func (export "relax") (call $less))
		(func (export "gives") (result i32) (call $return-stream (i32.wrap_i64 (call $new))) (i32.const 0))
		(func $deep (param i32) (if (local.get 0)
			(then (call $deep (i32.sub (local.get 0) (i32.const 1))))
			(else (block $out (try_table (catch_all $out) (call $return (i32.const 9)))))))
		(func (export "deep") (param i32) (result i32) (call $deep (local.get 0)) (i32.const 0))
		(func (export "callback") (param $event i32) (param i32 i32) (result i32)
			(if (i32.eq (local.get $event) (i32.const 6)) (then (call $cancel) (return (i32.const 0))))
			(if (call $get) (then (call $return (call $get))))
			(i32.const 0)))
	(core instance $i (instantiate $m (with "libc" (instance $libc)) (with "" (instance
		(export "return" (func $return)) (export "return-text" (func $return-text)) (export "new" (func $new))
		(export "return-stream" (func $return-stream)) (export "cancel" (func $cancel)) (export "more" (func $more))
		(export "less" (func $less)) (export "set" (func $set)) (export "get" (func $get)) (export "put" (func $put))))))
	${["echo", "early", "yields", "code", "press", "deep"].map((name) => lifted(name, '(param "a" u32) (result u32)')).join("\n")}
	${["context", "waits", "nothing", "twice", "cancels", "traps", "ever"].map((name) => lifted(name, "(result u32)")).join("\n")}
	${lifted("text", '(param "a" string) (result string)', '(memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))')}
	${lifted("gives", "(result $bytes)")}
	(func (export "relax") (canon lift (core func $i "relax")))
	(func (export "sync") (param "a" string) (result u32) (canon lift (core func $i "sync")
		(memory (core memory $libc "memory")) (realloc (core func $libc "realloc")))))`;

function lifted(name: string, type: string, options = ""): string {
	return `(func (export "${name}") async ${type}
		(canon lift (core func $i "${name}") async (callback (core func $i "callback")) ${options}))`;
}

const cache = new CompileCache();

async function create(metering: MeteringMode = "trap", limits: Limits = {}): Promise<Instance> {
	const loaded = loadComponent(new Uint8Array(await parse(GUEST)));
	const linked = await linkComponent(loaded, { interfaces: [] }, cache, { metering });
	assert.ok(!linked.plan.stackful.includes(true));
	return instantiate(linked, undefined, limits);
}

/** What the call gives, and not what comes of it. */
function begin(instance: Instance, name: string, args: readonly unknown[], signal?: AbortSignal): unknown {
	const fn = instance.function([name]);
	assert.ok(fn !== undefined);
	return fn.call(args, signal);
}

function isTrap(message: RegExp): (error: unknown) => boolean {
	return (error) => error instanceof Trap && message.test(error.message);
}

suite("a call that returns at once", () => {
	test("gives its result and no promise, and leaves nothing behind", async () => {
		const instance = await create();
		for (const [name, args, result] of [
			["echo", [7], 7],
			["text", ["Wörter"], "Wörter"],
			["sync", ["four"], 1028],
			// The slots of each task are its own.
			["context", [], 5],
			["context", [], 5],
		] as const) {
			assert.equal(begin(instance, name, args), result, name);
			assert.equal(instance.quiet, true);
			assert.equal(instance.store.handles, 0);
		}
	});

	test("with metering by slices it has a stack of its own, which can be suspended", async () => {
		for (const metering of ["yield", "fuel"] as const) {
			const instance = await create(metering);
			const given = begin(instance, "echo", [7]);
			assert.ok(given instanceof Promise);
			assert.equal(await given, 7);
		}
	});

	test("wrong arguments are refused, and the guest is as it was", async () => {
		const instance = await create();
		for (const args of [["seven"], [], [1, 2]]) {
			await assert.rejects(
				async () => await begin(instance, "echo", args),
				(error) => error instanceof SkerryError && error.code === "call/bad-value",
			);
			assert.equal(instance.quiet, true);
		}
		await assert.rejects(async () => await begin(instance, "sync", [1]), /expected string/);
		assert.equal(instance.store.poison, undefined);
		assert.equal(begin(instance, "echo", [8]), 8);
	});

	for (const [name, args, message] of [
		["traps", [], /^unreachable$/],
		["nothing", [], /^async-lifted export failed to produce a result$/],
		["twice", [], /^invalid `task\.return` or `task\.cancel` called for current task$/],
		["cancels", [], /^`task\.cancel` called by task which has not been cancelled$/],
		["code", [3], /^unsupported callback code: 3$/],
		["code", [2 | (9 << 4)], /^unknown handle index 9$/],
	] as const) {
		test(`one that fails is a trap, and ends the instance: ${name} ${args.join("")}`, async () => {
			const instance = await create();
			await assert.rejects(async () => await begin(instance, name, args), isTrap(message));
			assert.equal(instance.quiet, true);
			await assert.rejects(async () => await begin(instance, "echo", [1]), isTrap(/^cannot enter component instance$/));
		});
	}

	test("one that never ends comes to its limit", async () => {
		const instance = await create("trap", { cpu: 200 });
		await assert.rejects(
			async () => await begin(instance, "ever", []),
			(error) => error instanceof LimitExceeded && error.limit === "cpu",
		);
	});
});

suite("a call that does not", () => {
	test("has returned, and goes on: the result is there, and the next call waits for its turn", async () => {
		const instance = await create();
		assert.equal(begin(instance, "early", [7]), 7);
		assert.equal(await begin(instance, "echo", [8]), 8);
		await instance.settled;
		assert.equal(instance.quiet, true);
		assert.equal(begin(instance, "echo", [9]), 9);
	});

	test("yields: the callback returns for it; calls that come meanwhile have their own results", async () => {
		const instance = await create();
		const calls = [10, 11, 12].map((value) => begin(instance, "yields", [value]));
		const between = begin(instance, "echo", [5]);
		assert.deepEqual(await Promise.all([...calls, between]), [10, 11, 12, 5]);
		await instance.settled;
		assert.equal(instance.quiet, true);
	});

	test("waits for what never comes: a trap with a name", async () => {
		const instance = await create();
		await assert.rejects(async () => await begin(instance, "waits", []), isTrap(/^deadlock detected/));
	});

	test("is ended with its sandbox, which can be used again", async () => {
		const instance = await create();
		const image = instance.takeImage(undefined);
		assert.ok(typeof image === "object");
		instance.attach(image);
		const reason = new SkerryError("guest/killed", "for the test");
		for (let i = 0; i < 3; i++) {
			const call = assert.rejects(
				async () => await begin(instance, "yields", [1]),
				(error) => error === reason,
			);
			instance.dispose(reason);
			await call;
			await new Promise((resolve) => setImmediate(resolve));
			assert.equal(instance.quiet, true);
			assert.notEqual(instance.reset(undefined), undefined);
			assert.equal(begin(instance, "echo", [i]), i);
		}
	});
});

test("backpressure: calls wait until the guest takes them, in their order, and can be cancelled before they begin", async () => {
	const instance = await create();
	assert.equal(begin(instance, "press", [1]), 0);
	const controller = new AbortController();
	const order: unknown[] = [];
	const calls = [1, 2, 3].map(async (value) => {
		order.push(await begin(instance, "echo", [value], value === 1 ? controller.signal : undefined));
	});
	controller.abort(new Error("not wanted"));
	// What is not async is let in all the same.
	assert.equal(await begin(instance, "relax", []), undefined);
	await assert.rejects(async () => await calls[0], /^Error: not wanted$/);
	await Promise.all(calls.slice(1));
	assert.deepEqual(order, [2, 3]);
	await instance.settled;
	assert.equal(begin(instance, "echo", [4]), 4);
});

test("what the guest still holds of the host keeps nobody from calling", async () => {
	const instance = await create();
	const stream = begin(instance, "gives", []) as Disposable;
	assert.equal(begin(instance, "echo", [4]), 4);
	stream[Symbol.dispose]();
	await new Promise((resolve) => setImmediate(resolve));
	assert.equal(begin(instance, "echo", [5]), 5);
});

/** `index` returns the thread's own; `makes` that of a thread it made; `resume` tries to resume the thread it is given. */
const THREADS = `(component
	(core type $start (func (param i32)))
	(core module $libc (table (export "table") 1 funcref) (elem (i32.const 0) $start) (func $start (param i32)))
	(core instance $libc (instantiate $libc))
	(core func $return (canon task.return (result u32)))
	(core func $index (canon thread.index))
	(core func $new (canon thread.new-indirect $start (core table $libc "table")))
	(core func $resume (canon thread.resume-later))
	(core module $m
		(import "" "return" (func $return (param i32)))
		(import "" "index" (func $index (result i32)))
		(import "" "new" (func $new (param i32 i32) (result i32)))
		(import "" "resume" (func $resume (param i32)))
		(func (export "index") (result i32) (call $return (call $index)) (i32.const 0))
		(func (export "makes") (result i32) (call $return (call $new (i32.const 0) (i32.const 0))) (i32.const 0))
		(func (export "resume") (param i32) (result i32)
			(call $resume (local.get 0)) (call $return (i32.const 0)) (i32.const 0))
		(func (export "callback") (param i32 i32 i32) (result i32) unreachable))
	(core instance $i (instantiate $m (with "" (instance (export "return" (func $return))
		(export "index" (func $index)) (export "new" (func $new)) (export "resume" (func $resume))))))
	${lifted("index", "(result u32)")}
	${lifted("makes", "(result u32)")}
	${lifted("resume", '(param "a" u32) (result u32)')})`;

test("who asks for its thread, or makes others, sees the first thread of the task where it always is", async () => {
	const loaded = loadComponent(new Uint8Array(await parse(THREADS)));
	const linked = await linkComponent(loaded, { interfaces: [] }, cache, { features: { threads: true } });
	assert.ok(!linked.plan.stackful.includes(true));
	const run = (calls: readonly (readonly [string, ...number[]])[]): unknown[] => {
		const instance = instantiate(linked, undefined);
		return calls.map(([name, ...args]) => begin(instance, name, args));
	};
	assert.deepEqual(run([["index"], ["index"], ["makes"], ["index"], ["makes"]]), [1, 1, 2, 1, 3]);
	const [own] = run([["resume", 1]]);
	await assert.rejects(own as Promise<unknown>, isTrap(/^cannot resume thread which is not suspended$/));
	const [none] = run([["resume", 2]]);
	await assert.rejects(none as Promise<unknown>, isTrap(/^unknown thread index 2$/));
	const [made, resumed] = run([["makes"], ["resume", 2]]);
	assert.deepEqual([made, resumed], [2, 0]);
});

test("at the end of the stack a built-in has done all or nothing, or the guest is ended, whatever it catches", async () => {
	const instance = await create();
	const image = instance.takeImage(undefined);
	assert.ok(typeof image === "object");
	instance.attach(image);
	const attempt = async (depth: number): Promise<boolean> => {
		const given = await Promise.resolve(begin(instance, "deep", [depth])).catch((error: unknown) => error);
		instance.dispose(undefined);
		assert.equal(instance.quiet, true);
		assert.notEqual(instance.reset(undefined), undefined);
		assert.equal(instance.store.handles, 0);
		assert.equal(begin(instance, "echo", [depth]), depth);
		if (given === 9) return true;
		// What it caught was thrown before the built-in began: then it has not returned.
		assert.ok(isTrap(/call stack|stack exhausted|failed to produce a result/)(given), String(given));
		return false;
	};
	const border = async (): Promise<number> => {
		let [low, high] = [0, 1_000_000];
		while (high - low > 1) {
			const depth = (low + high) >> 1;
			if (await attempt(depth)) low = depth;
			else high = depth;
		}
		return low;
	};
	// First its code is to be as it stays: how much of the stack it takes depends on it, and V8 takes its time to make it.
	let low = Number.NaN;
	for (let [tries, steady] = [0, false]; tries < 20 && !steady; tries++) {
		for (let i = 0; i < 300; i++) assert.equal(await begin(instance, "deep", [5_000]), 9);
		await new Promise((resolve) => setTimeout(resolve, 100));
		const before = low;
		low = await border();
		steady = Math.abs(low - before) < 50;
	}
	// All around the border, one by one: each call of the built-in's own is once the last for which there is room.
	// The host's part of the stack still becomes smaller now and then, and the border moves.
	const seen = new Set<boolean>();
	let beyond = 0;
	for (let depth = low - 200; beyond < 60 && depth < low + 2_000; depth++) {
		const returned = await attempt(depth);
		seen.add(returned);
		beyond = returned ? 0 : beyond + 1;
	}
	assert.equal(seen.size, 2);
	assert.ok(low > 1_000, `${low} calls deep`);
});
