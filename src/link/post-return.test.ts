/** What one guest returns to another is in the caller's memory before the callee's post-return, whether their calls are tasks or not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Trap } from "../fault/mod.ts";
import { call, start } from "./guest.fixture.ts";

/** More calls than it takes until there are ways of their own between two guests. */
const CALLS = 300;

const FUNCTIONS = [
	["text", "string"],
	["words", "(list u32)"],
	["texts", "(list string)"],
] as const;
const each = (write: (name: string, type: string) => string): string =>
	FUNCTIONS.map(([name, type]) => write(name, type)).join("\n");

/** The callee's post-return spoils all that it returned, or does what `end` says; the caller hands on what it was given. */
const wat = (tasks: boolean, { end = "", realloc = "" } = {}): string => `(component
	(component $callee
		(core module $m
			(memory (export "memory") 1)
			(func $put (result i32)
				(i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 2))
				(i32.store (i32.const 64) (i32.const 128)) (i32.store (i32.const 68) (i32.const 6))
				(i32.store (i32.const 72) (i32.const 134)) (i32.store (i32.const 76) (i32.const 20))
				(memory.init 0 (i32.const 128) (i32.const 0) (i32.const 26))
				(i32.const 0))
			(data "gr\\c3\\bc\\c3\\9ftwenty plain letters")
			(func (export "text") (result i32)
				(drop (call $put)) (i32.store (i32.const 0) (i32.const 134)) (i32.store (i32.const 4) (i32.const 20)) (i32.const 0))
			(func (export "words") (result i32) (call $put))
			(func (export "texts") (result i32) (call $put))
			(func (export "post") (param i32) (memory.fill (i32.const 0) (i32.const 0xff) (i32.const 4096)) ${end}))
		(core instance $i (instantiate $m))
		${each(
			(name, type) => `(func (export "${name}") (result ${type})
			(canon lift (core func $i "${name}") (memory (core memory $i "memory")) (post-return (core func $i "post"))))`,
		)})
	(instance $callee (instantiate $callee))
	(component $caller
		${each((name, type) => `(import "${name}" (func $${name} (result ${type})))`)}
		(core module $memory (memory (export "memory") 1)
			(global $next (mut i32) (i32.const 1024))
			(func (export "forget") (param i32) (global.set $next (i32.const 1024)))
			(func (export "realloc") (param i32 i32 i32 i32) (result i32)
				${realloc}
				(global.get $next)
				(global.set $next (i32.add (global.get $next) (i32.const 64)))))
		(core instance $mem (instantiate $memory))
		${tasks ? "(core func $set (canon waitable-set.new))" : ""}
		${each(
			(name) => `(core func $${name}' (canon lower (func $${name}) (memory (core memory $mem "memory"))
			(realloc (core func $mem "realloc"))))`,
		)}
		(core module $m
			${each((name) => `(import "callee" "${name}" (func $${name} (param i32)))`)}
			${each((name) => `(func (export "${name}") (result i32) (call $${name} (i32.const 16)) (i32.const 16))`)})
		(core instance $i (instantiate $m (with "callee" (instance ${each((name) => `(export "${name}" (func $${name}'))`)}))))
		${each(
			(name, type) => `(func (export "${name}") (result ${type}) (canon lift (core func $i "${name}")
			(memory (core memory $mem "memory")) (post-return (core func $mem "forget"))))`,
		)})
	(instance $caller (instantiate $caller ${each((name) => `(with "${name}" (func $callee "${name}"))`)}))
	${each((name) => `(export "${name}" (func $caller "${name}"))`)})`;

for (const tasks of [false, true]) {
	const kind = tasks ? "tasks" : "calls";

	test(`${kind}: what post-return spoils has been passed on, in each of many calls`, async () => {
		const instance = await start(wat(tasks));
		for (let i = 0; i < CALLS; i++) {
			assert.equal(await call(instance, "text"), "twenty plain letters", `${i}`);
			assert.deepEqual(await call(instance, "words"), Uint32Array.of(128, 6), `${i}`);
			assert.deepEqual(await call(instance, "texts"), ["grüß", "twenty plain letters"], `${i}`);
		}
	});

	for (const [name] of FUNCTIONS) {
		test(`${kind}: for "${name}" the caller's realloc runs before the callee's post-return`, async () => {
			// Whichever comes first is what the call fails with.
			const realloc = "(drop (i32.div_u (i32.const 1) (i32.const 0)))";
			for (const [more, message] of [
				[{ end: "unreachable" }, /^unreachable$/],
				[{ realloc }, /^integer divide by zero$/],
				[{ end: "unreachable", realloc }, /^integer divide by zero$/],
			] as const) {
				const instance = await start(wat(tasks, more));
				await assert.rejects(
					async () => await call(instance, name),
					(error) => error instanceof Trap && message.test(error.message),
				);
				await assert.rejects(async () => await call(instance, name), /cannot enter component instance/);
			}
		});
	}
}
