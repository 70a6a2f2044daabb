import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import type { MeteringEntry } from "./metering-report.ts";
import { MeteringStore } from "./metering-store.ts";

const CONDITIONS = { commit: "0123456789ab", milliseconds: 700, cpu: "a CPU" };

function entry(program: string, off: number, best: number, undisturbed = 1): MeteringEntry {
	return {
		program,
		milliseconds: { off, again: off, trap: off, yield: off, fuel: off },
		bytes: { off: 10, again: 11, trap: 12, yield: 13, fuel: 14 },
		rounds: 3,
		undisturbed,
		best,
		wasmtime: null,
	};
}

function place(t: TestContext): string {
	const folder = mkdtempSync(path.join(tmpdir(), "metering-store-"));
	t.after(() => rmSync(folder, { recursive: true }));
	return path.join(folder, "figures.jsonl");
}

test("what was found is gone on with", (t) => {
	const file = place(t);
	const first = new MeteringStore(file, CONDITIONS);
	assert.deepEqual([first.best, first.results("one")], [Infinity, []]);
	first.add(entry("one", 10, 27));
	first.add(entry("two", 5, 28));
	first.add(entry("one", 30, 28));
	const second = new MeteringStore(file, CONDITIONS);
	assert.equal(second.best, 27);
	assert.equal(second.tried("one"), 2);
	assert.deepEqual(second.results("one"), first.results("one"));
	assert.equal(second.results("one")[0]?.milliseconds.off, 20);
	second.add(entry("one", 20, 27));
	assert.equal(readFileSync(file, "utf8").trim().split("\n").length, 5);
	assert.equal(new MeteringStore(file, CONDITIONS).tried("one"), 3);
});

test("figures of something else are not gone on with", (t) => {
	const file = place(t);
	new MeteringStore(file, CONDITIONS).add(entry("one", 10, 27));
	for (const other of [{ commit: "ba9876543210" }, { commit: null }, { milliseconds: 100 }, { cpu: "another" }])
		assert.throws(() => new MeteringStore(file, { ...CONDITIONS, ...other }), /Cannot go on with .*figures\.jsonl/);
});

test("who was disturbed, or knew no core of its own, does not count", () => {
	const store = new MeteringStore(undefined, CONDITIONS);
	assert.equal(store.hasEnough("one", 1), false);
	store.add(entry("one", 100, 47));
	assert.equal(store.hasEnough("one", 1), true);
	store.add(entry("one", 10, 27));
	store.add(entry("one", 50, 27, 0));
	assert.deepEqual([store.hasEnough("one", 1), store.hasEnough("one", 2)], [true, false]);
	assert.deepEqual(store.results("one")[0]?.milliseconds.off, 10);
});

test("where processes differ there are more of them, but not for ever", () => {
	const store = new MeteringStore(undefined, CONDITIONS);
	const enough: boolean[] = [];
	for (let i = 0; i < 6; i++) {
		const found = entry("one", 10, 27);
		store.add({ ...found, milliseconds: { ...found.milliseconds, fuel: i % 2 === 0 ? 10 : 14 } });
		store.add(entry("two", 10 + i, 27));
		enough.push(store.hasEnough("one", 2));
		assert.equal(store.hasEnough("two", 2), i > 0);
	}
	assert.deepEqual(enough, [false, false, false, false, false, true]);
});
