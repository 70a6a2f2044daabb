/** Numbers that guests pass each other where their calls are tasks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { call, start } from "./guest.fixture.ts";

/** The callee's post-return spoils what it returned; the caller's memory grows while it is written to. */
const WAT = `(component
	(component $callee
		(core module $m
			(memory (export "memory") 1)
			(global $next (mut i32) (i32.const 1024))
			(func (export "realloc") (param i32 i32 i32 i32) (result i32)
				(global.get $next)
				(global.set $next (i32.add (global.get $next) (i32.const 1024))))
			(func (export "swap") (param $p i32) (param $n i32) (result i32)
				(i32.store (i32.const 0) (local.get $p)) (i32.store (i32.const 4) (local.get $n))
				(i32.store (local.get $p) (i32.add (i32.load (local.get $p)) (i32.const 1)))
				(i32.const 0))
			(func (export "spoil") (param i32)
				(memory.fill (i32.const 0) (i32.const 0xff) (i32.const 4096))
				(global.set $next (i32.const 1024))))
		(core instance $i (instantiate $m))
		(func (export "swap") (param "v" (list u32)) (result (list u32)) (canon lift (core func $i "swap")
			(memory (core memory $i "memory")) (realloc (core func $i "realloc")) (post-return (core func $i "spoil")))))
	(instance $callee (instantiate $callee))
	(component $caller
		(import "swap" (func $swap (param "v" (list u32)) (result (list u32))))
		(core module $libc (memory (export "memory") 1)
			(func (export "realloc") (param i32 i32 i32 i32) (result i32)
				(drop (memory.grow (i32.const 1))) (i32.const 4096)))
		(core instance $libc (instantiate $libc))
		(core func $swap' (canon lower (func $swap) (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
		(core func $set (canon waitable-set.new))
		(core module $m
			(import "libc" "memory" (memory 1))
			(import "" "swap" (func $swap (param i32 i32 i32)))
			(import "" "set" (func $set (result i32)))
			(func (export "go") (param $first i32) (result i32)
				(i32.store (i32.const 64) (local.get $first))
				(i32.store (i32.const 68) (i32.const 20))
				(call $swap (i32.const 64) (i32.const 2) (i32.const 16))
				(if (i32.ne (i32.load (i32.const 20)) (i32.const 2)) (then unreachable))
				(i32.add
					(i32.mul (i32.const 100) (i32.load (i32.load (i32.const 16))))
					(i32.load offset=4 (i32.load (i32.const 16))))))
		(core instance $i (instantiate $m (with "libc" (instance $libc))
			(with "" (instance (export "swap" (func $swap')) (export "set" (func $set))))))
		(func (export "go") (param "first" u32) (result u32) (canon lift (core func $i "go"))))
	(instance $caller (instantiate $caller (with "swap" (func $callee "swap"))))
	(export "go" (func $caller "go")))`;

test("a list goes from memory to memory, and is there before the callee's post-return", async (context) => {
	const instance = await start(WAT);
	const copies = context.mock.method(Uint32Array.prototype, "slice");
	for (const first of [4, 7, 9]) assert.equal(await call(instance, "go", first), (first + 1) * 100 + 20);
	assert.equal(copies.mock.callCount(), 0);
});
