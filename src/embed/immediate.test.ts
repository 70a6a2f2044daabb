/** Calls that do not come to the host, of guests that do in others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { LimitExceeded, Trap } from "../fault/mod.ts";
import { Engine } from "./engine.ts";
import type { LoadOptions } from "./options.ts";
import type { Sandbox } from "./sandbox.ts";

const CORE = `
	(memory (export "memory") 1)
	(global $count (mut i32) (i32.const 0))
	(func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
	(func (export "add") (param i32 i32) (result i32)
		(global.set $count (i32.add (global.get $count) (i32.const 1)))
		(i32.add (local.get 0) (local.get 1)))
	(func (export "ask") (param i32) (result i32)
		(drop (call $ask (local.get 0))) (i32.add (global.get $count) (call $ask (local.get 0))))
	(func (export "length") (param i32 i32) (result i32) (local.get 1))
	(func (export "spin") (param i32) (result i32) (loop $again (br $again)) unreachable)
	(func (export "fail") (param i32) (result i32) unreachable)`;

/** Its import is called by `ask` alone, twice. */
const WAT = `(component
	(import "ask" (func $ask (param "n" u32) (result u32)))
	(core func $ask' (canon lower (func $ask)))
	(core module $m (import "" "ask" (func $ask (param i32) (result i32))) ${CORE})
	(core instance $i (instantiate $m (with "" (instance (export "ask" (func $ask'))))))
	(func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))
	(func (export "length") (param "text" string) (result u32)
		(canon lift (core func $i "length") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
	${["ask", "spin", "fail"]
		.map((name) => `(func (export "${name}") (param "n" u32) (result u32) (canon lift (core func $i "${name}")))`)
		.join("\n")})`;

async function open(ask: (n: number) => unknown, options: Omit<LoadOptions<object>, "imports"> = {}): Promise<Sandbox> {
	const component = await new Engine({ cache: false }).load(new Uint8Array(await parse(WAT)), {
		...options,
		imports: { ask },
	});
	return component.instantiate();
}

for (const metering of ["trap", "yield", "fuel"] as const) {
	test(`metering ${metering}: functions that come to the host and functions that do not, in turns`, async () => {
		using sandbox = await open(async (n) => await Promise.resolve(n + 1), { metering });
		const { add, length, ask } = sandbox.exports;
		for (let i = 0; i < 500; i++) {
			assert.equal(await add(i, 2), i + 2);
			if (i % 50 === 0) assert.equal(await ask(i), i + 1 + i + 1);
			assert.equal(await length("x".repeat(i)), i);
		}
		await assert.rejects(async () => await add(1), { code: "call/bad-value" });
		await assert.rejects(async () => await add(1, -2), { code: "call/bad-value" });
		assert.equal(await add(1, 2), 3);
	});
}

test("limits count for each call", async () => {
	using sandbox = await open(() => 1, { limits: { cpu: 50 } });
	for (let i = 0; i < 300; i++) assert.equal(await sandbox.exports["add"](i, 1), i + 1);
	await assert.rejects(async () => await sandbox.exports["spin"](1), LimitExceeded);
	await assert.rejects(async () => await sandbox.exports["add"](1, 2), /cannot enter component instance/);
});

test("a trap ends the sandbox", async () => {
	using sandbox = await open(() => 1);
	await assert.rejects(async () => await sandbox.exports["fail"](1), Trap);
	await assert.rejects(async () => await sandbox.exports["ask"](1), /cannot enter component instance/);
});

test("while another call waits, its limits do not begin anew, and nobody comes in", async () => {
	const { promise, resolve } = Promise.withResolvers<number>();
	using sandbox = await open(() => promise, { limits: { hostCalls: 1 } });
	const { add, ask } = sandbox.exports;
	assert.equal(await add(1, 2), 3);
	const asked = ask(1);
	await assert.rejects(async () => await add(1, 2), { code: "call/reentrant" });
	resolve(5);
	await assert.rejects(async () => await asked, LimitExceeded);
});
