import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";

import { SkerryError, Trap } from "../fault/mod.ts";
import { Engine, type GuestResource } from "./mod.ts";

const engine = new Engine();
const assemble = async (wat: string): Promise<Uint8Array> => new Uint8Array(await parse(wat));

/** A counter whose representation is its place in a table; it traps in its destructor when it stands at 13. */
const COUNTERS = await assemble(`(component
	(import "told" (func $told (param "n" u32)))
	(core func $told (canon lower (func $told)))
	(core module $m (import "" "told" (func $told (param i32)))
		(memory (export "memory") 1) (global $last (mut i32) (i32.const 0))
		(func (export "make") (param i32) (result i32)
			(global.set $last (i32.add (global.get $last) (i32.const 4)))
			(i32.store (global.get $last) (local.get 0)) (global.get $last))
		(func (export "next") (param i32) (result i32)
			(i32.store (local.get 0) (i32.add (i32.load (local.get 0)) (i32.const 1))) (i32.load (local.get 0)))
		(func (export "sum") (param i32 i32) (result i32) (i32.add (i32.load (local.get 0)) (i32.load (local.get 1))))
		(func (export "tell") (param i32) (result i32) (call $told (i32.load (local.get 0))) (i32.load (local.get 0)))
		(func (export "wrap") (param i32) (result i32)
			(i32.store (i32.const 512) (i32.const 0)) (i32.store (i32.const 516) (local.get 0)) (i32.const 512))
		(func (export "drop") (param i32) (call $told (i32.load (local.get 0)))
			(if (i32.eq (i32.load (local.get 0)) (i32.const 13)) (then unreachable))))
	(core instance $i (instantiate $m (with "" (instance (export "told" (func $told))))))
	(alias core export $i "drop" (core func $drop))
	(type $counter' (resource (rep i32) (dtor (core func $drop))))
	(core func $new (canon resource.new $counter'))
	(core func $rep (canon resource.rep $counter'))
	(core module $glue
		(import "" "new" (func $new (param i32) (result i32))) (import "" "make" (func $make (param i32) (result i32)))
		(import "" "wrap" (func $wrap (param i32) (result i32)))
		(func (export "make") (param i32) (result i32) (call $new (call $make (local.get 0))))
		(func (export "try") (param i32) (result i32) (call $wrap (call $new (call $make (local.get 0))))))
	(core instance $g (instantiate $glue (with "" (instance
		(export "new" (func $new)) (export "make" (func $i "make")) (export "wrap" (func $i "wrap"))))))
	(func $make (param "from" u32) (result (own $counter')) (canon lift (core func $g "make")))
	(func $try (param "from" u32) (result (result (own $counter') (error u32)))
		(canon lift (core func $g "try") (memory (core memory $i "memory"))))
	(func $next (param "self" (borrow $counter')) (result u32) (canon lift (core func $i "next")))
	(func $sum (param "self" (borrow $counter')) (param "other" (borrow $counter')) (result u32) (canon lift (core func $i "sum")))
	(func $tell (param "self" (borrow $counter')) (result u32) (canon lift (core func $i "tell")))
	(component $shim
		(import "counter" (type $c (sub resource)))
		(import "make" (func $make (param "from" u32) (result (own $c))))
		(import "try" (func $try (param "from" u32) (result (result (own $c) (error u32)))))
		(import "next" (func $next (param "self" (borrow $c)) (result u32)))
		(import "sum" (func $sum (param "self" (borrow $c)) (param "other" (borrow $c)) (result u32)))
		(import "tell" (func $tell (param "self" (borrow $c)) (result u32)))
		(export $t "step-counter" (type $c))
		(export "[constructor]step-counter" (func $make) (func (param "from" u32) (result (own $t))))
		(export "[static]step-counter.try-make" (func $try) (func (param "from" u32) (result (result (own $t) (error u32)))))
		(export "[method]step-counter.next-one" (func $next) (func (param "self" (borrow $t)) (result u32)))
		(export "[method]step-counter.tell" (func $tell) (func (param "self" (borrow $t)) (result u32)))
		(export "[method]step-counter.sum" (func $sum) (func (param "self" (borrow $t)) (param "other" (borrow $t)) (result u32))))
	(instance $s (instantiate $shim (with "counter" (type $counter')) (with "make" (func $make)) (with "try" (func $try))
		(with "next" (func $next)) (with "sum" (func $sum)) (with "tell" (func $tell))))
	(export "a:b/counters@1.0.0" (instance $s)))`);

async function refusal(act: () => Promise<unknown>): Promise<SkerryError> {
	try {
		await act();
	} catch (error) {
		assert.ok(error instanceof SkerryError, String(error));
		return error;
	}
	return assert.fail("it was accepted");
}

suite("resources of a guest are classes", () => {
	test("with constructors, methods, static methods, and an end", async () => {
		const told: number[] = [];
		const component = await engine.load(COUNTERS, { imports: { told: (n: number) => void told.push(n) } });
		using sandbox = component.instantiate();
		const { StepCounter } = sandbox.exports["a:b/counters"];
		assert.equal(StepCounter.name, "StepCounter");
		{
			await using first = await new StepCounter(5);
			assert.ok(first instanceof StepCounter);
			assert.equal(await first.nextOne(), 6);
			const second = await StepCounter.tryMake(30);
			assert.ok(second instanceof StepCounter);
			assert.equal(await first.sum(second), 36);
			second[Symbol.dispose]();
			// Though the destructor calls the host, the next call finds it done.
			assert.equal(await first.nextOne(), 7);
			assert.deepEqual(told, [30]);
		}
		assert.deepEqual(told, [30, 7]);
		assert.equal(sandbox.handles, 0);
	});

	test("and are of no use once they are dropped, or elsewhere", async () => {
		const component = await engine.load(COUNTERS, { imports: { told: () => {} } });
		using sandbox = component.instantiate();
		using other = component.instantiate();
		const { StepCounter } = sandbox.exports["a:b/counters"];
		const counter = await new StepCounter(1);
		const foreign = await new other.exports["a:b/counters"].StepCounter(1);
		const misfit = await refusal(() => counter.sum(foreign));
		assert.equal(misfit.code, "call/bad-value");
		assert.match(
			misfit.message,
			/^a:b\/counters@1\.0\.0#\[method\]step-counter\.sum → other: expected borrow<step-counter>, got a step-counter$/,
		);
		await counter[Symbol.asyncDispose]();
		await counter[Symbol.asyncDispose]();
		counter[Symbol.dispose]();
		const spent = await refusal(() => counter.nextOne());
		assert.equal(spent.code, "call/bad-value");
		assert.match(
			spent.message,
			/^Cannot call \[method\]step-counter\.next-one: the .*step-counter was dropped or given away$/,
		);
		const loose = await refusal(() => StepCounter.prototype.nextOne.call({}));
		assert.match(loose.message, /`this` is no resource of the guest/);
		sandbox[Symbol.dispose]();
		const late = await refusal(() => new StepCounter(1));
		assert.equal(late.code, "guest/killed");
		assert.match(late.message, /the sandbox was disposed/);
	});

	test("while a call waits, no other begins; what is disposed of meanwhile is dropped behind it", async () => {
		const told: number[] = [];
		const component = await engine.load(COUNTERS, {
			imports: { told: (n: number) => new Promise<void>((resolve) => setImmediate(() => resolve(void told.push(n)))) },
		});
		using sandbox = component.instantiate();
		const { StepCounter } = sandbox.exports["a:b/counters"];
		const [one, two, three] = [await new StepCounter(1), await new StepCounter(2), await new StepCounter(3)];
		const waits = one.tell();
		for (const [what, act] of [
			["call a:b/counters@1.0.0#[method]step-counter.next-one", () => two.nextOne()],
			["call a:b/counters@1.0.0#[method]step-counter.tell", () => two.tell()],
			["drop resource step-counter", () => two[Symbol.asyncDispose]()],
			["drop resource step-counter", () => sandbox.drop(two)],
		] as const) {
			const error = await refusal(act);
			assert.equal(error.code, "call/reentrant");
			assert.equal(error.message, `Cannot ${what}: the sandbox is in a call that has not ended`);
		}
		two[Symbol.dispose]();
		three[Symbol.dispose]();
		three[Symbol.dispose]();
		assert.deepEqual(told, []);
		assert.equal(await waits, 1);
		assert.equal(await one.nextOne(), 2);
		assert.deepEqual(told, [1, 2, 3]);
		assert.equal((await refusal(() => two.nextOne())).code, "call/bad-value");
		const last = one.tell();
		one[Symbol.dispose]();
		sandbox[Symbol.dispose]();
		assert.equal((await refusal(() => last)).code, "guest/killed");
		assert.deepEqual(told, [1, 2, 3]);
	});

	test("a destructor that fails ends the sandbox", async () => {
		const component = await engine.load(COUNTERS, { imports: { told: () => {} } });
		using sandbox = component.instantiate();
		const { StepCounter } = sandbox.exports["a:b/counters"];
		const bad = await new StepCounter(13);
		const good = await new StepCounter(1);
		bad[Symbol.dispose]();
		assert.ok((await refusal(() => good.nextOne())) instanceof Trap);
		using again = component.instantiate();
		const worse: GuestResource = await new again.exports["a:b/counters"].StepCounter(13);
		assert.ok((await refusal(() => again.drop(worse))) instanceof Trap);
	});
});
