/** Calls from guest to guest that need nothing of the host but to be let in, and those that look like them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LimitExceeded, Trap } from "../fault/mod.ts";
import { call, link, start } from "./guest.fixture.ts";
import { type Instance, instantiate } from "./instance/instantiate.ts";

interface Guests {
	/** Type of the one function, as the component and as the core modules have it. */
	readonly type: string;
	readonly core: string;
	/** The caller's export and what the callee's function does. */
	readonly outer: string;
	readonly outerCore: string;
	readonly caller: string;
	readonly callee: string;
	readonly fields?: string;
	readonly options?: string;
	readonly outerOptions?: string;
}

/** The callee's function `f` is imported by the caller, whose export is `run`. */
function guests(parts: Guests): string {
	const { type, core, outer, outerCore, caller, callee, fields = "", options = "", outerOptions = "" } = parts;
	return `(component
	(component $callee
		(core module $m
			(memory (export "memory") 1)
			(func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
			${fields}
			(func (export "f") ${core} ${callee}))
		(core instance $i (instantiate $m))
		(func (export "f") ${type}
			(canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "realloc")) ${options})))
	(instance $callee (instantiate $callee))
	(component $caller
		(import "f" (func $f ${type}))
		(core module $memory (memory (export "memory") 1 3))
		(core instance $mem (instantiate $memory))
		(core func $f' (canon lower (func $f) (memory (core memory $mem "memory"))))
		(core module $m
			(import "" "memory" (memory 1 3))
			(import "" "f" (func $f ${core}))
			(func (export "realloc") (param i32 i32 i32 i32) (result i32) (drop (call $f (i32.const 0) (i32.const 0))) (i32.const 8))
			(func (export "post") (param i32) (drop (call $f (i32.const 0) (i32.const 0))))
			(func (export "run") ${outerCore} ${caller}))
		(core instance $i (instantiate $m (with "" (instance (export "f" (func $f')) (export "memory" (memory $mem "memory"))))))
		(func (export "run") ${outer} (canon lift (core func $i "run") ${outerOptions})))
	(instance $caller (instantiate $caller (with "f" (func $callee "f"))))
	(export "run" (func $caller "run")))`;
}

const TEXT: Guests = {
	type: '(param "v" string) (result u32)',
	core: "(param i32 i32) (result i32)",
	outer: '(param "p" u32) (param "n" u32) (result u32)',
	outerCore: "(param i32 i32) (result i32)",
	caller: "(call $f (local.get 0) (local.get 1))",
	callee: "(i32.add (local.get 1) (i32.load8_u (local.get 0)))",
};

async function trapOf(instance: Instance, ...args: unknown[]): Promise<string> {
	try {
		await call(instance, "run", ...args);
	} catch (error) {
		assert.ok(error instanceof Trap, String(error));
		return error.message;
	}
	return "no trap";
}

/** Type, core type, what the caller passes, what the callee is given, what it returns, what the caller gets. */
const CANONICAL_NAN = "i32.reinterpret_f32";
for (const [kind, slot, passed, given] of [
	["bool", "i32", "i32.const 2", "i32.const 1"],
	["bool", "i32", "i32.const 0", "i32.const 0"],
	["u8", "i32", "i32.const 0x1ff", "i32.const 0xff"],
	["s8", "i32", "i32.const 0x1ff", "i32.const -1"],
	["u16", "i32", "i32.const 0x1fffe", "i32.const 0xfffe"],
	["s16", "i32", "i32.const 0x1fffe", "i32.const -2"],
	["u32", "i32", "i32.const -1", "i32.const -1"],
	["s32", "i32", "i32.const -1", "i32.const -1"],
	["u64", "i64", "i64.const -1", "i64.const -1"],
	["s64", "i64", "i64.const -2", "i64.const -2"],
	["f32", "f32", "f32.const -nan:0x200000", "f32.const nan"],
	["f32", "f32", "f32.const -1.5", "f32.const -1.5"],
	["f64", "f64", "f64.const -nan:0x4000000000000", "f64.const nan"],
	["f64", "f64", "f64.const -0", "f64.const -0"],
] as const) {
	test(`${kind}: (${passed}) is (${given}) for the other guest, passed or returned`, async () => {
		const bits = (value: string): string => {
			if (slot === "f32") return `(${CANONICAL_NAN} ${value})`;
			return slot === "f64" ? `(i64.reinterpret_f64 ${value})` : value;
		};
		const eq = slot === "i32" || slot === "f32" ? "i32.eq" : "i64.eq";
		const wat = guests({
			type: `(param "v" ${kind}) (param "w" u32) (result ${kind})`,
			core: `(param ${slot} i32) (result ${slot})`,
			outer: "(result u32)",
			outerCore: "(result i32)",
			caller: `(${eq} ${bits(`(call $f (${passed}) (i32.const 7))`)} ${bits(`(${given})`)})`,
			callee: `(if (i32.eqz (${eq} ${bits("(local.get 0)")} ${bits(`(${given})`)})) (then unreachable)) (${passed})`,
		}).replaceAll(/\(drop \(call \$f [^\n]*?\(i32.const 0\)\)\)/g, "");
		assert.equal(await call(await start(wat), "run"), 1);
	});
}

test("text up to the end of the memory, and not one byte more, before and after it has grown", async () => {
	const grow = "(if (i32.eq (local.get 1) (i32.const 9)) (then (drop (memory.grow (i32.const 1)))))";
	const wat = guests({ ...TEXT, caller: `${grow} ${TEXT.caller}` });
	const instance = await start(wat);
	assert.equal(await call(instance, "run", 0x1_0000 - 8, 8), 8);
	assert.equal(await call(instance, "run", 0x1_0000, 0), 0);
	assert.equal(await call(instance, "run", 0x2_0000 - 9, 9), 9);
	assert.equal(await call(instance, "run", 0x2_0000 - 8, 8), 8);
	const outside = /^string pointer\/length out of bounds of memory/;
	assert.match(await trapOf(instance, 0x2_0000 - 8, 10), outside);
	for (const [pointer, length] of [
		[0x1_0000 - 8, 10],
		[0x1_0001, 0],
		[0xffff_ffff, 1],
		[1, 0x8000],
		[0, 0x1_0001],
	]) {
		const fresh = await start(guests(TEXT));
		const expected = (pointer ?? 0) + (length ?? 0) > 0x1_0000 ? outside : /^no trap/;
		assert.match(await trapOf(fresh, pointer, length), expected, `${length} at ${pointer}`);
	}
	assert.match(await trapOf(await start(guests(TEXT)), 0, 2 ** 28), /longer than 2\^28 - 1/);
});

test("lists of numbers are aligned and in range, or else a trap", async () => {
	const wat = guests({ ...TEXT, type: '(param "v" (list u64)) (result u32)' });
	assert.equal(await call(await start(wat), "run", 0x1_0000 - 16, 2), 2);
	assert.match(await trapOf(await start(wat), 4, 1), /^unaligned pointer/);
	assert.match(await trapOf(await start(wat), 0x1_0000 - 8, 2), /^list pointer\/length out of bounds of memory/);
	assert.match(await trapOf(await start(wat), 0, 0x2000_0001), /longer than 2\^28 - 1/);
});

test("each such call counts, and is refused where the limit of calls is reached", async () => {
	const linked = await link(guests(TEXT));
	const instance = instantiate(linked, undefined, { hostCalls: 5 });
	for (let i = 1; i <= 5; i++) {
		assert.equal(await call(instance, "run", 0, i), i);
		assert.equal(instance.usage.hostCalls, i);
	}
	await assert.rejects(
		async () => await call(instance, "run", 0, 1),
		(error) => error instanceof LimitExceeded && error.message.includes("5"),
	);
});

for (const [when, outer] of [
	["its realloc", { outer: '(param "s" string) (result u32)' }],
	["its post-return", { outer: "(result u32)", outerCore: "(result i32)", caller: "(i32.const 1)" }],
] as const) {
	test(`a guest cannot leave while ${when} runs`, async () => {
		const memory = `(memory (core memory $mem "memory")) (realloc (core func $i "realloc"))`;
		const post = when === "its post-return" ? `(post-return (core func $i "post"))` : memory;
		const instance = await start(guests({ ...TEXT, ...outer, outerOptions: post }));
		assert.equal(
			await trapOf(instance, ...(when === "its realloc" ? ["text"] : [])),
			"cannot leave component instance",
		);
	});
}

const CATCHING = `(block $caught (try_table (catch_all $caught) ${TEXT.caller} return)) (i32.const 99)`;
for (const [what, callee, fields, message] of [
	["throws", "(throw $e) ", "(tag $e)", /^uncaught exception$/],
	["traps", "unreachable", "", /^unreachable$/],
	[
		"calls itself for ever",
		"(i32.add (i32.const 1) (call $deep))",
		"(func $deep (result i32) (i32.add (i32.const 1) (call $deep)))",
		/stack exhausted/,
	],
] as const) {
	test(`a guest that ${what} ends its caller, which cannot catch that`, async () => {
		const instance = await start(guests({ ...TEXT, caller: CATCHING, callee, fields }));
		assert.match(await trapOf(instance, 0, 1), message);
		assert.equal(await trapOf(instance, 0, 1), "cannot enter component instance");
	});
	test(`the same where its realloc does`, async () => {
		const realloc = `(func (export "bad") (param i32 i32 i32 i32) (result i32) ${callee})`;
		const wat = guests({ ...TEXT, caller: CATCHING, fields: `${fields} ${realloc}` });
		const instance = await start(wat.replace('(realloc (core func $i "realloc"))', '(realloc (core func $i "bad"))'));
		assert.match(await trapOf(instance, 0, 1), message);
	});
}

test("post-return is given the result as it was, after the call, once", async () => {
	const fields = `(global $sum (mut i32) (i32.const 0))
		(func (export "post-f") (param i32) (global.set $sum (i32.add (global.get $sum) (local.get 0))))`;
	const wat = guests({
		...TEXT,
		type: '(param "v" string) (result u8)',
		callee: "(i32.add (global.get $sum) (i32.add (i32.const 0x100) (local.get 1)))",
		fields,
		options: '(post-return (core func $i "post-f"))',
	});
	const instance = await start(wat);
	assert.equal(await call(instance, "run", 0, 1), 1);
	assert.equal(await call(instance, "run", 0, 2), 0x101 - 0x100 + 2);
	assert.equal(await call(instance, "run", 0, 0), (0x101 + 0x203) & 0xff);
});

test("a guest that does not return to its caller is stopped at its limit", async () => {
	const linked = await link(guests({ ...TEXT, callee: "(loop $l (br $l)) (i32.const 0)" }));
	const instance = instantiate(linked, undefined, { cpu: 30 });
	await assert.rejects(
		async () => await call(instance, "run", 0, 1),
		(error) => error instanceof LimitExceeded && error.limit === "cpu",
	);
	await assert.rejects(async () => await call(instance, "run", 0, 1), /cpu|cannot enter/);
});

test("a guest that calls another without end is stopped at its limit", async () => {
	const linked = await link(guests({ ...TEXT, caller: `(loop $l (drop ${TEXT.caller}) (br $l)) (i32.const 0)` }));
	const instance = instantiate(linked, undefined, { cpu: 30 });
	await assert.rejects(
		async () => await call(instance, "run", 0, 1024),
		(error) => error instanceof LimitExceeded && error.limit === "cpu",
	);
});
