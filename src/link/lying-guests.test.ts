/** Guests whose `realloc` or whose waits are no good: each ends in a trap with a name, and with it its sandbox. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Trap } from "../fault/mod.ts";
import { call, start } from "./guest.fixture.ts";

const guest = (realloc: string): string => `(component
	(import "log" (func $log))
	(core func $log (canon lower (func $log)))
	(core module $m
		(import "" "log" (func $log))
		(memory (export "memory") 1)
		(func $realloc (export "realloc") (param i32 i32 i32 i32) (result i32) ${realloc})
		(func (export "f") (param i32 i32) (result i32) (local.get 1))
		(func (export "g") (result i32) (i32.const 1)))
	(core instance $i (instantiate $m (with "" (instance (export "log" (func $log))))))
	(func (export "f") (param "s" string) (result u32)
		(canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
	(func (export "g") (result u32) (canon lift (core func $i "g"))))`;

for (const [what, code, message] of [
	["traps", "unreachable", /^unreachable$/],
	["calls the host", "(call $log) (i32.const 0)", /^cannot leave component instance$/],
	[
		"calls itself for ever",
		"(call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1))",
		/call stack exhausted|Maximum call stack/,
	],
	["returns what is beyond the memory", "(i32.const -1)", /^realloc return: beyond end of memory/],
] as const) {
	test(`a realloc that ${what} is a trap, and the function is not called`, async () => {
		const instance = await start(guest(code), { functions: { log: () => assert.fail("the host was called") } });
		await assert.rejects(
			async () => await call(instance, "f", "some text"),
			(error) => error instanceof Trap && message.test(error.message),
		);
		await assert.rejects(async () => await call(instance, "g"), /cannot enter component instance/);
	});
}
