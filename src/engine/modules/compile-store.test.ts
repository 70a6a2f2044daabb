/** Modules that outlive the process: kept, found, damaged, lost, of another version. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { SkerryError } from "../../fault/mod.ts";
import type { RewriteOptions } from "../../rewrite/mod.ts";
import { MemoryStore } from "./artefact.ts";
import { CompileCache, type CompileCounts, type LoadedModule } from "./compile.ts";
import { assemble } from "../guest.fixture.ts";

const OPTIONS: RewriteOptions = { metering: "trap", verify: true };

/** Changed by the rewriter in its code and around it; initial state of every kind. */
const GUEST = await assemble(`(module $guest
	(memory 1) (table 4 funcref) (elem (i32.const 0) $f) (data (i32.const 8) "hello")
	(global $g (mut i64) (i64.const -5)) (global (mut f32) (f32.const 1.5))
	(func $f (export "f") (param i32) (result i32) (loop (br_if 0 (i32.eqz (local.get 0)))) (drop (memory.grow (i32.const 1))) (memory.size)))`);
/** Nothing to change. */
const PLAIN = await assemble(`(module (func (export "f")))`);

async function load(
	store: MemoryStore | undefined,
	{
		bytes = GUEST,
		version = "1",
		options = OPTIONS,
	}: { bytes?: Uint8Array; version?: string; options?: RewriteOptions } = {},
): Promise<{ loaded: Omit<LoadedModule, "module">; counts: CompileCounts; exports: readonly string[] }> {
	const cache = new CompileCache({ store, version });
	const { module, ...loaded } = await cache.load(bytes, 100, options);
	await cache.flush();
	const { webAssembly } = await import("../v8/v8.ts");
	const { Module } = webAssembly();
	return { loaded, counts: cache.counts, exports: Module.exports(module).map(({ name }) => name) };
}

for (const [name, bytes] of Object.entries({ GUEST, PLAIN })) {
	test(`${name}: what is found is what was rewritten, all of it`, async () => {
		const store = new MemoryStore();
		const first = await load(store, { bytes });
		const again = await load(store, { bytes });
		assert.deepEqual(
			[first.counts, again.counts],
			[
				{ found: 0, rewritten: 1, derived: 0, damaged: 0 },
				{ found: 1, rewritten: 0, derived: 0, damaged: 0 },
			],
		);
		assert.deepEqual([again.loaded, again.exports], [first.loaded, first.exports]);
		assert.deepEqual((await load(undefined, { bytes })).loaded, first.loaded);
		// Code that is the guest's own is not kept once more, and nothing derives from it
		assert.equal(store.entries.size, bytes === PLAIN ? 1 : 3);
	});
}

test("another version, another metering and another module find nothing; each is kept", async () => {
	const store = new MemoryStore();
	await load(store);
	for (const other of [{ version: "2" }, { options: { metering: "off", verify: true } as const }, { bytes: PLAIN }]) {
		assert.equal((await load(store, other)).counts.rewritten, 1);
		assert.equal((await load(store, other)).counts.found, 1);
	}
	assert.equal((await load(store)).counts.found, 1);
});

test("what was not verified is not kept; what was kept serves those who do not verify", async () => {
	const store = new MemoryStore();
	const trusting = { options: { metering: "trap", verify: false } as const };
	await load(store, trusting);
	assert.equal(store.entries.size, 0);
	await load(store);
	assert.equal((await load(store, trusting)).counts.found, 1);
});

test("an entry of no use is made again and takes its place", async () => {
	const store = new MemoryStore();
	const { loaded } = await load(store);
	const names = [...store.entries.keys()];
	const code = names.find((name) => name.endsWith(".code")) ?? "";
	const like = names.find((name) => name.includes(".like.")) ?? "";
	const rest = names.find((name) => name !== code && name !== like) ?? "";
	const made = { found: 0, rewritten: 1, derived: 0, damaged: 2 };
	const derived = { found: 0, rewritten: 0, derived: 1, damaged: 1 };
	const damages: [() => void, CompileCounts][] = [
		[() => store.entries.delete(code), made],
		[() => store.entries.set(code, new Uint8Array(10)), made],
		[() => store.entries.set(code, new Uint8Array()), made],
		[() => store.entries.set(rest, new Uint8Array()), derived],
		[() => store.entries.set(rest, Uint8Array.of(10, 0)), derived],
		[() => store.entries.set(rest, (store.entries.get(rest) ?? new Uint8Array()).subarray(0, 40)), derived],
		[() => [rest, like].forEach((name) => store.entries.set(name, Uint8Array.of(10, 0))), { ...made, damaged: 1 }],
	];
	for (const [damage, counts] of damages) {
		damage();
		const again = await load(store);
		assert.deepEqual(again.counts, counts);
		assert.deepEqual(again.loaded, loaded);
		assert.equal((await load(store)).counts.found, 1);
	}
});

test("a store that is lost in the middle of it", async () => {
	const store = new MemoryStore();
	await load(store);
	store.read = () => Promise.resolve(undefined);
	assert.equal((await load(store)).counts.rewritten, 1);
});

test("what is prepared is loaded once, and a module that nothing is known of is not rewritten before it is wanted", async () => {
	const store = new MemoryStore();
	const cold = new CompileCache({ store, version: "1" });
	await cold.prepare(GUEST, OPTIONS);
	assert.deepEqual(cold.counts, { found: 0, rewritten: 0, derived: 0, damaged: 0 });
	await cold.load(GUEST, 0, OPTIONS);
	await cold.flush();
	let reads = 0;
	const read = store.read.bind(store);
	store.read = (name) => (reads++, read(name));
	const warm = new CompileCache({ store, version: "1" });
	await Promise.all([warm.prepare(GUEST, OPTIONS), warm.prepare(GUEST, OPTIONS)]);
	const [first, second] = await Promise.all([warm.load(GUEST, 0, OPTIONS), warm.load(GUEST, 7, OPTIONS)]);
	assert.equal(first, second);
	assert.deepEqual([reads, warm.counts.found], [2, 1]);
});

test("modules that come to the same code share its sites, each with its own place of the code", async () => {
	const cache = new CompileCache();
	const bytes = await assemble(`(module (memory 1) (func (export "f") (loop (br 0))))`);
	const at = bytes.findIndex((_, i) => [5, 3, 1, 0, 1].every((byte, k) => bytes[i + k] === byte));
	assert.ok(at > 0);
	// The size of the memory section in two bytes: the section goes when the memory becomes an import
	const longer = Uint8Array.of(...bytes.subarray(0, at), 5, 0x83, 0, ...bytes.subarray(at + 2));
	const [first, second] = [await cache.load(bytes, 0, OPTIONS), await cache.load(longer, 0, OPTIONS)];
	assert.equal(first.module, second.module);
	assert.ok(first.sites?.edits !== undefined);
	assert.equal(first.sites.edits, second.sites?.edits);
	assert.equal(second.sites?.original, first.sites.original + 1);
});

test("a module that V8 refuses is refused with its own offset, and nothing is kept", async () => {
	const store = new MemoryStore();
	const invalid = await assemble("(module (func (loop) (i32.const 0)))");
	await assert.rejects(load(store, { bytes: invalid }), (error) => {
		assert.ok(error instanceof SkerryError);
		assert.equal(error.code, "core/invalid");
		assert.ok((error.place?.offset ?? 0) > 118 && (error.place?.offset ?? 0) < 100 + invalid.length);
		return true;
	});
	assert.equal(store.entries.size, 0);
});

test("what another process has kept serves to derive from", async () => {
	const store = new MemoryStore();
	const other = (text: string): Promise<Uint8Array> =>
		assemble(`(module (memory 1) (data (i32.const 8) "${text}") (func (export "f") (loop (br 0))))`);
	await load(store, { bytes: await other("one") });
	const bytes = await other("two");
	const { counts, loaded } = await load(store, { bytes });
	assert.deepEqual(counts, { found: 0, rewritten: 0, derived: 1, damaged: 0 });
	assert.deepEqual(loaded, (await load(undefined, { bytes })).loaded);
	assert.equal((await load(store, { bytes })).counts.found, 1);
	assert.equal((await load(store, { bytes: await other("three"), version: "2" })).counts.rewritten, 1);
});

test("a module that nobody uses is not held, but for the few loaded last; one in use stays one", async () => {
	setFlagsFromString("--expose-gc");
	const collectGarbage = runInNewContext("gc") as () => void;
	const cache = new CompileCache();
	const numbered = (i: number): Promise<Uint8Array> =>
		assemble(`(module (memory 1) (func (export "f${i}") (loop (br 0))))`);
	const used = await cache.load(await numbered(0), 0, OPTIONS);
	for (let i = 1; i <= 40; i++) await cache.load(await numbered(i), 0, OPTIONS);
	for (let turns = 0; turns < 50 && cache.size > 9; turns++) {
		collectGarbage();
		await new Promise((resolve) => setTimeout(resolve, 2));
	}
	assert.equal(cache.size, 9, "eight of late, and the one in use");
	assert.equal(await cache.load(await numbered(0), 0, OPTIONS), used);
	await cache.load(await numbered(40), 0, OPTIONS);
	assert.equal(cache.counts.rewritten, 41);
	await cache.load(await numbered(1), 0, OPTIONS);
	assert.equal(cache.counts.rewritten, 42);
});
