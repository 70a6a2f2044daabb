import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { hash, readCache, writeCache } from "./cache.ts";
import { MAX_CACHED } from "./limits.ts";

let folder: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "skerry-cache-"));
});
afterEach(() => rm(folder, { recursive: true }));

const KEY = hash("key");
const bytes = (text: string): Buffer => Buffer.from(text);
const fill = (text: string) => (work: string) => writeFile(join(work, "component.wasm"), text);

/** The names in the cache that are neither entries nor its own .gitignore. */
async function leftovers(): Promise<string[]> {
	return (await readdir(folder)).filter((name) => name !== ".gitignore" && !/^[0-9a-f]{64}$/.test(name));
}

describe("the cache of components", () => {
	it("gives back what was written, from a file of the entry", async () => {
		assert.equal(await readCache(folder, KEY), undefined);
		const written = await writeCache(folder, KEY, fill("one"));
		assert.deepEqual(written, { file: join(folder, KEY, "component.wasm"), component: bytes("one") });
		assert.deepEqual(await readCache(folder, KEY), written);
		assert.equal(await readCache(folder, hash("other")), undefined);
		assert.deepEqual(await leftovers(), []);
		assert.equal(await readFile(join(folder, ".gitignore"), "utf8"), "*\n");
	});

	const damages: Record<string, (entry: string) => Promise<void>> = {
		"a byte that changed": (entry) => writeFile(join(entry, "component.wasm"), "onf"),
		"a file cut short": (entry) => truncate(join(entry, "component.wasm"), 1),
		"no component": (entry) => rm(join(entry, "component.wasm")),
		"no seal": (entry) => rm(join(entry, "component.sha256")),
		"another seal": (entry) => writeFile(join(entry, "component.sha256"), hash("onf")),
	};
	for (const [name, damage] of Object.entries(damages)) {
		it(`takes no entry with ${name}, and replaces it`, async () => {
			await writeCache(folder, KEY, fill("one"));
			await damage(join(folder, KEY));
			assert.equal(await readCache(folder, KEY), undefined);
			await writeCache(folder, KEY, fill("two"));
			assert.deepEqual((await readCache(folder, KEY))?.component, bytes("two"));
			assert.deepEqual(await leftovers(), []);
		});
	}

	it("keeps nothing of a build that fails, and what was there before", async () => {
		await writeCache(folder, KEY, fill("one"));
		const failing = writeCache(folder, KEY, async (work) => {
			await writeFile(join(work, "component.wasm"), "half");
			throw new Error("on purpose");
		});
		await assert.rejects(failing, /on purpose/);
		assert.deepEqual((await readCache(folder, KEY))?.component, bytes("one"));
		assert.deepEqual(await leftovers(), []);
	});

	it("is whole for every reader while several write the same entry", async () => {
		const texts = Array.from({ length: 8 }, (_, i) => `${i}`.repeat(1000));
		const writing = Promise.all(texts.map((text) => writeCache(folder, KEY, fill(text))));
		for (let i = 0; i < 200; i++) {
			const found = await readCache(folder, KEY);
			if (found !== undefined) assert.ok(texts.includes(Buffer.from(found.component).toString()));
		}
		await writing;
		assert.ok(texts.includes(Buffer.from((await readCache(folder, KEY))?.component ?? []).toString()));
		assert.deepEqual(await leftovers(), []);
	});

	it("keeps a bounded number of entries, those used last, and removes what a killed build left a day ago", async () => {
		const keys = Array.from({ length: MAX_CACHED }, (_, i) => hash(`${i}`));
		for (const [i, key] of keys.entries()) {
			await writeCache(folder, key, fill(key));
			await utimes(join(folder, key), 1000 + i, 1000 + i);
		}
		for (const [name, time] of Object.entries({ "new-old": 1000, "new-fresh": Date.now() / 1000 })) {
			await mkdir(join(folder, name));
			await utimes(join(folder, name), time, time);
		}
		assert.notEqual(await readCache(folder, keys[0] ?? ""), undefined); // the oldest is used again
		await writeCache(folder, KEY, fill("one more"));
		const left = (await readdir(folder)).filter((name) => name !== ".gitignore");
		assert.deepEqual(left.sort(), [...keys.filter((_, i) => i !== 1), KEY, "new-fresh"].sort());
	});
});
