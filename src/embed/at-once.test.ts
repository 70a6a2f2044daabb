/** Calls into kept sandboxes of asynchronous components that return at once: like those that do not in all but their price. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { type Limits, LimitExceeded, SkerryError } from "../fault/mod.ts";
import { ComponentError, Engine, type Sandbox } from "./mod.ts";

/** `later` yields before it returns; `check` fails for 0; `burn` counts to its argument; `of` takes a record. */
const GUEST = `(component
	(core func $return (canon task.return (result u32)))
	(type $checked (result u32 (error u32)))
	(core func $return-checked (canon task.return (result $checked)))
	(core func $get (canon context.get i32 0))
	(core func $put (canon context.set i32 0))
	(core module $m
		(import "" "return" (func $return (param i32)))
		(import "" "return-checked" (func $return-checked (param i32 i32)))
		(import "" "get" (func $get (result i32)))
		(import "" "put" (func $put (param i32)))
		(func $echo (export "echo") (param i32) (result i32) (call $return (local.get 0)) (i32.const 0))
		(func (export "of") (param i32) (result i32) (call $echo (local.get 0)))
		(func (export "later") (param i32) (result i32) (call $put (local.get 0)) (i32.const 1))
		(func (export "check") (param i32) (result i32)
			(call $return-checked (i32.eqz (local.get 0)) (local.get 0)) (i32.const 0))
		(func (export "burn") (param $n i32) (result i32)
			(loop $again (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
			(call $return (i32.const 0)) (i32.const 0))
		(func (export "callback") (param i32 i32 i32) (result i32) (call $return (call $get)) (i32.const 0)))
	(core instance $i (instantiate $m (with "" (instance (export "return" (func $return))
		(export "return-checked" (func $return-checked)) (export "get" (func $get)) (export "put" (func $put))))))
	${["echo", "later", "burn"].map((name) => lifted(name, "u32", "u32")).join("\n")}
	${lifted("check", "u32", "$checked")}
	(type $shape' (record (field "n" u32)))
	(import "shape" (type $shape (eq $shape')))
	${lifted("of", "$shape", "u32")})`;

function lifted(name: string, param: string, result: string): string {
	return `(func (export "${name}") async (param "a" ${param}) (result ${result})
		(canon lift (core func $i "${name}") async (callback (core func $i "callback"))))`;
}

const engine = new Engine({ cache: false });

async function create(limits: Limits = {}): Promise<Sandbox> {
	return (await engine.load(new Uint8Array(await parse(GUEST)), { limits })).instantiate();
}

suite("an asynchronous component's export that returns at once", () => {
	test("gives a promise of what it returned, as `call` does, before and after one that did not", async () => {
		using sandbox = await create();
		const { echo, later, check } = sandbox.exports;
		for (let i = 0; i < 3; i++) {
			const given: unknown = echo(7);
			assert.ok(given instanceof Promise);
			assert.deepEqual(await Promise.all([given, later(8), echo(9), sandbox.call(["echo"], [10])]), [7, 8, 9, 10]);
			assert.equal(await check(5), 5);
			await assert.rejects(check(0), (error) => error instanceof ComponentError && error.payload === 0);
		}
	});

	test("refuses what it does not take, and a sandbox that is no more, by a rejection", async () => {
		const sandbox = await create();
		const { echo } = sandbox.exports;
		for (const [args, message] of [
			[["seven"], /^echo → a: expected u32, got "seven"$/],
			[[], /^Cannot call echo: 0 arguments for 1 parameters$/],
			[[1, 2], /^Cannot call echo: 2 arguments for 1 parameters$/],
		] as const) {
			await assert.rejects(echo(...args), (error) => error instanceof SkerryError && message.test(error.message));
			assert.equal(await echo(3), 3);
		}
		sandbox[Symbol.dispose]();
		await assert.rejects(echo(1), { code: "guest/killed" });
	});

	test("is called from within the arguments of another: that one ends first", async () => {
		using sandbox = await create();
		const order: unknown[] = [];
		const record = {
			get n() {
				void (sandbox.exports["echo"](5) as Promise<number>).then((value) => order.push(value));
				return 4;
			},
		};
		const outer = sandbox.exports["of"](record) as Promise<number>;
		order.push(await outer);
		assert.equal(await sandbox.exports["echo"](6), 6);
		assert.equal(order[0], 4);
		assert.ok(order.slice(1).every((value) => value === 5) && order.length > 1, order.join());
	});

	test("has the limits of a call for itself each time, and one that comes to them ends the sandbox", async () => {
		using sandbox = await create({ cpu: 200 });
		const { burn } = sandbox.exports;
		const started = performance.now();
		let count = 1_000_000;
		// Together they take more than one may.
		while (performance.now() - started < 500) {
			const before = performance.now();
			assert.equal(await burn(count), 0);
			if (performance.now() - before < 20) count *= 2;
		}
		await assert.rejects(burn(0), (error) => error instanceof LimitExceeded && error.limit === "cpu");
		await assert.rejects(burn(1), /cannot enter component instance/);
	});
});
