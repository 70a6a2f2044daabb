/** Text and numbers that one guest passes to another, before and after the ways for it have been made, which is what many calls take. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Trap } from "../fault/mod.ts";
import { call, start } from "./guest.fixture.ts";

/** More calls than it takes. */
const CALLS = 300;

/** The callee takes a hash of what it is given; its memory grows when it first needs to. For some sizes, its realloc does what it must not. */
const FUNCTIONS = [
	["text", "string", "(list u8)"],
	["words", "(list u32)", "(list u32)"],
	["fail", "string", "(list u8)"],
	["deep", "string", "(list u8)"],
] as const;
const each = (write: (name: string, type: string, given: string) => string): string =>
	FUNCTIONS.map(([name, type, given]) => write(name, type, given)).join("\n");

const WAT = `(component
	(component $callee
		(core module $m
			(memory (export "memory") 1)
			(global $grown (mut i32) (i32.const 0))
			(func (export "realloc") (param i32 i32 i32 i32) (result i32)
				(if (i32.eq (local.get 3) (i32.const 77)) (then (return (i32.const -8))))
				(if (i32.eq (local.get 3) (i32.const 78)) (then unreachable))
				(if (i32.eq (local.get 3) (i32.const 44)) (then (return (i32.const 57345))))
				(if (i32.and (i32.gt_u (local.get 3) (i32.const 8192)) (i32.eqz (global.get $grown)))
					(then (global.set $grown (memory.grow (i32.const 2)))))
				(if (result i32) (global.get $grown) (then (i32.const 131064)) (else (i32.const 57344))))
			(func $hash (param $p i32) (param $n i32) (result i32) (local $h i32)
				(block $out (loop $next
					(br_if $out (i32.eqz (local.get $n)))
					(local.set $h (i32.add (i32.mul (local.get $h) (i32.const 31)) (i32.load8_u (local.get $p))))
					(local.set $p (i32.add (local.get $p) (i32.const 1)))
					(local.set $n (i32.sub (local.get $n) (i32.const 1)))
					(br $next)))
				(local.get $h))
			(func (export "text") (param i32 i32) (result i32) (call $hash (local.get 0) (local.get 1)))
			(func (export "words") (param i32 i32) (result i32)
				(call $hash (local.get 0) (i32.shl (local.get 1) (i32.const 2))))
			(func (export "fail") (param i32 i32) (result i32) unreachable)
			(func $deep (export "deep") (param i32 i32) (result i32)
				(i32.add (i32.const 1) (call $deep (local.get 0) (local.get 1)))))
		(core instance $i (instantiate $m))
		${each(
			(name, type) => `(func (export "${name}") (param "v" ${type}) (result u32)
			(canon lift (core func $i "${name}") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))`,
		)})
	(instance $callee (instantiate $callee))
	(component $caller
		${each((name, type) => `(import "${name}" (func $${name} (param "v" ${type}) (result u32)))`)}
		(core module $memory (memory (export "memory") 3)
			(func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
		(core instance $mem (instantiate $memory))
		${each((name) => `(core func $${name}' (canon lower (func $${name}) (memory (core memory $mem "memory"))))`)}
		(core module $m
			${each((name) => `(import "callee" "${name}" (func $${name} (param i32 i32) (result i32)))`)}
			${each((name) => `(export "${name}" (func $${name}))`)})
		(core instance $i (instantiate $m (with "callee" (instance ${each((name) => `(export "${name}" (func $${name}'))`)}))))
		${each(
			(name, _, given) => `(func (export "${name}") (param "v" ${given}) (result u32)
			(canon lift (core func $i "${name}") (memory (core memory $mem "memory")) (realloc (core func $mem "realloc"))))`,
		)})
	(instance $caller (instantiate $caller ${each((name) => `(with "${name}" (func $callee "${name}"))`)}))
	${each((name) => `(export "${name}" (func $caller "${name}"))`)})`;

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function hash(bytes: Uint8Array): number {
	let h = 0;
	for (const byte of bytes) h = (Math.imul(h, 31) + byte) >>> 0;
	return h;
}

const TEXTS = [
	"",
	"a",
	"fifteen letters",
	"sixteen letters.",
	"grüß Gott",
	"x".repeat(1024),
	`${"x".repeat(999)}日本🍰`,
];

test("text is the same with the other guest, in each of many calls", async () => {
	const instance = await start(WAT);
	for (let i = 0; i < CALLS; i++) {
		for (const text of TEXTS)
			assert.equal(await call(instance, "text", encode(text)), hash(encode(text)), `${i} ${text}`);
	}
	// The callee's memory grows for it, and its buffer is another.
	const long = encode("0123456789".repeat(2000));
	for (let i = 0; i < CALLS; i++) assert.equal(await call(instance, "text", long), hash(long));
});

test("numbers are the same with the other guest, in each of many calls", async () => {
	const instance = await start(WAT);
	for (let i = 0; i < CALLS; i++) {
		const words = Uint32Array.from({ length: i * 10 }, (_, n) => Math.imul(n + i, 0x9e37_79b1) >>> 0);
		assert.equal(await call(instance, "words", words), hash(new Uint8Array(words.buffer)), `${i}`);
	}
});

for (const [what, bytes, message] of [
	["a wrong byte", Uint8Array.of(...encode("x".repeat(100)), 0xff, 0x20), "invalid utf-8"],
	["an unfinished sequence", Uint8Array.of(...encode("x".repeat(100)), 0xe6, 0x97), "incomplete utf-8 byte sequence"],
] as const) {
	test(`text with ${what} is a trap after many that were right`, async () => {
		const instance = await start(WAT);
		for (let i = 0; i < CALLS; i++) await call(instance, "text", encode("right"));
		await assert.rejects(
			async () => await call(instance, "text", bytes),
			(error) => error instanceof Trap && error.message === message,
		);
		await assert.rejects(async () => await call(instance, "text", encode("right")), /cannot enter component instance/);
	});
}

for (const [name, value, message] of [
	["text", encode("x".repeat(77)), /^realloc return: beyond end of memory/],
	["text", encode("x".repeat(78)), /^unreachable$/],
	["words", new Uint32Array(11), /^realloc return: result not aligned/],
] as const) {
	test(`a realloc that fails for ${value.length} elements of "${name}" is a trap after many that did not`, async () => {
		const instance = await start(WAT);
		for (let i = 0; i < CALLS; i++) await call(instance, name, value.slice(2));
		await assert.rejects(
			async () => await call(instance, name, value),
			(error) =>
				error instanceof Trap && message.test(error.message) && error.frames.every((frame) => frame.name === "realloc"),
		);
		await assert.rejects(async () => await call(instance, "text", encode("right")), /cannot enter component instance/);
	});
}

for (const [name, message] of [
	["fail", /^unreachable$/],
	["deep", /call stack exhausted|Maximum call stack/],
] as const) {
	test(`a guest that ends in "${name}" ends its caller, with the trap that it was`, async () => {
		const instance = await start(WAT);
		await assert.rejects(
			async () => await call(instance, name, encode("text")),
			(error) => error instanceof Trap && message.test(error.message),
		);
		await assert.rejects(async () => await call(instance, "text", encode("right")), /cannot enter component instance/);
	});
}

test("text that another guest returns is the same, in each of many calls", async () => {
	const instance = await start(`(component
		(component $callee
			(core module $m
				(memory (export "memory") 1)
				(func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
				(func (export "echo") (param i32 i32) (result i32)
					(i32.store (i32.const 8) (local.get 0)) (i32.store (i32.const 12) (local.get 1)) (i32.const 8)))
			(core instance $i (instantiate $m))
			(func (export "echo") (param "v" string) (result string)
				(canon lift (core func $i "echo") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
		(instance $callee (instantiate $callee))
		(component $caller
			(import "echo" (func $echo (param "v" string) (result string)))
			(core module $memory (memory (export "memory") 1)
				(global $next (mut i32) (i32.const 0))
				(func (export "realloc") (param i32 i32 i32 i32) (result i32)
					(if (local.get 0) (then (return (local.get 0))))
					;; What is returned lies elsewhere than what was passed.
					(global.set $next (i32.xor (global.get $next) (i32.const 16384)))
					(i32.add (i32.const 8192) (global.get $next))))
			(core instance $mem (instantiate $memory))
			(core func $echo' (canon lower (func $echo) (memory (core memory $mem "memory")) (realloc (core func $mem "realloc"))))
			(core module $m
				(import "callee" "echo" (func $echo (param i32 i32 i32)))
				(func (export "echo") (param i32 i32) (result i32)
					(call $echo (local.get 0) (local.get 1) (i32.const 16)) (i32.const 16)))
			(core instance $i (instantiate $m (with "callee" (instance (export "echo" (func $echo'))))))
			(func (export "echo") (param "v" string) (result string)
				(canon lift (core func $i "echo") (memory (core memory $mem "memory")) (realloc (core func $mem "realloc")))))
		(instance $caller (instantiate $caller (with "echo" (func $callee "echo"))))
		(export "echo" (func $caller "echo")))`);
	for (let i = 0; i < CALLS; i++)
		for (const text of TEXTS) assert.equal(await call(instance, "echo", text), text, `${i}`);
});
