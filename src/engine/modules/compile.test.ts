import assert from "node:assert/strict";
import { test } from "node:test";

import { SkerryError } from "../../fault/mod.ts";
import { CompileCache } from "./compile.ts";
import { assemble } from "../guest.fixture.ts";
import type { StartState } from "../memory/initial-state.ts";

/** A function that leaves an i32 where its type has no result: the text parser does not validate. */
const INVALID = await assemble("(module (func (i32.const 0)))");

async function refusal(compiling: Promise<unknown>): Promise<SkerryError> {
	try {
		await compiling;
	} catch (error) {
		assert.ok(error instanceof SkerryError);
		return error;
	}
	return assert.fail("it was compiled");
}

test("equal bytes are compiled once per cache, wherever they stand", async () => {
	const cache = new CompileCache();
	const bytes = await assemble(`(module (func (export "f")))`);
	const [first, second] = await Promise.all([cache.compile(bytes, 0), cache.compile(bytes.slice(), 77)]);
	assert.equal(first, second);
	assert.equal(await cache.compile(bytes, 5), first);
	assert.notEqual(await cache.compile(await assemble(`(module (func (export "g")))`), 0), first);
	assert.notEqual(await new CompileCache().compile(bytes, 0), first);
});

test("what V8 refuses is an error with the offset in the outermost binary", async () => {
	const cache = new CompileCache();
	const error = await refusal(cache.compile(INVALID, 1000));
	assert.equal(error.code, "core/invalid");
	assert.match(error.message, /^Cannot compile a core module: Compiling function #0 failed: expected 0 elements/);
	assert.doesNotMatch(error.message, /WebAssembly\.|@\+/, "V8's own prefix and offset are left out");
	assert.ok(error.cause instanceof Error);
	const within = error.place?.offset ?? 0;
	assert.ok(within > 1018 && within < 1000 + INVALID.length, `in the body of the function: ${within}`);
});

test("equal bytes that are refused in two places are two errors", async () => {
	const cache = new CompileCache();
	const errors = await Promise.all([0, 500].map((offset) => refusal(cache.compile(INVALID, offset))));
	const later = await refusal(cache.compile(INVALID, 9000));
	const [first = 0, second, third] = [...errors, later].map((error) => error.place?.offset);
	assert.deepEqual([second, third], [first + 500, first + 9000]);
});

test("bytes that are no module at all", async () => {
	for (const bytes of [new Uint8Array(), Uint8Array.of(0, 0x61), new TextEncoder().encode("not WebAssembly")]) {
		const error = await refusal(new CompileCache().compile(bytes, 3));
		assert.equal(error.code, "core/invalid");
		assert.ok((error.place?.offset ?? 0) >= 3);
	}
});

test("a guest's module is rewritten and compiled once for each way of rewriting", async () => {
	const cache = new CompileCache();
	const bytes = await assemble(`(module (memory 1) (func (export "f") (loop (br 0))))`);
	const options = { metering: "trap", verify: true } as const;
	const [first, second] = await Promise.all([cache.load(bytes, 0, options), cache.load(bytes.slice(), 50, options)]);
	assert.equal(first, second);
	assert.notEqual((await cache.load(bytes, 0, { ...options, metering: "off" })).module, first.module);
	const errors = await Promise.all([7, 70].map((offset) => refusal(cache.load(INVALID, offset, options))));
	assert.equal((errors[1]?.place?.offset ?? 0) - (errors[0]?.place?.offset ?? 0), 63);
});

/** A module whose data says so, and one more of its functions and globals. */
const withData = (data: string, code = ""): Promise<Uint8Array> =>
	assemble(`(module (memory 1) (global (mut i32) (i32.const 9)) ${data} ${code}
		(func (export "f") (result i32) (loop (br_if 0 (i32.const 0))) (i32.load (i32.const 16))))`);

test("of a module that differs from one before in its data only, nothing but the data is taken", async () => {
	const cache = new CompileCache();
	const options = { metering: "trap", verify: true } as const;
	const first = await cache.load(await withData(`(data (i32.const 16) "one")`), 0, options);
	const texts = [`(data (i32.const 16) "two")`, `(data (i32.const 9) "x") (data (i32.const 8000) "three")`];
	for (const text of texts) {
		const bytes = await withData(text);
		const derived = await cache.load(bytes, 70, options);
		const alone = await new CompileCache().load(bytes, 70, options);
		assert.equal(derived.module, first.module);
		assert.deepEqual({ ...derived, initial: 0, module: 0 }, { ...alone, initial: 0, module: 0 });
		assert.deepEqual(contentOf(derived.initial), contentOf(alone.initial));
		assert.deepEqual(derived.initial.globals, alone.initial.globals);
	}
	assert.deepEqual(cache.counts, { found: 0, rewritten: 1, derived: 2, damaged: 0 });
	for (const text of [`(data (i32.const 65535) "out of bounds")`, `(data "passive")`]) {
		await cache.load(await withData(text), 0, options);
	}
	await cache.load(await withData(`(data (i32.const 16) "two")`, `(func)`), 0, options);
	assert.deepEqual(
		cache.counts,
		{ found: 0, rewritten: 4, derived: 2, damaged: 0 },
		"and where more differs, all of it",
	);
});

function contentOf({ base = [], data }: StartState): Uint8Array {
	const memory = new Uint8Array(65_536);
	for (const { offset, bytes } of [...base, ...data]) memory.set(bytes, offset);
	return memory;
}
