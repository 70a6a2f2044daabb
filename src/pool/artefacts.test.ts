import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { decodeComponent } from "../component/mod.ts";
import { openComponent } from "../link/mod.ts";
import { cacheFolder, compileComponent, createCompileCache, hashRewriter } from "./artefacts.ts";

const SOURCES = fileURLToPath(new URL("..", import.meta.url));
const OPTIONS = { metering: "trap", verify: true } as const;
const GUEST = new Uint8Array(await parse('(module (memory 1) (func (export "f") (loop (br 0))))'));

function place(t: TestContext): string {
	const root = mkdtempSync(join(tmpdir(), "skerry-artefacts-"));
	t.after(() => rmSync(root, { recursive: true, force: true }));
	return root;
}

test("the folder: its own variable, then that of the user's caches, then the home folder", () => {
	const home = join(homedir(), ".cache/skerry/modules");
	const cases: readonly (readonly [Record<string, string>, string])[] = [
		[{ SKERRY_CACHE_DIR: "/a", XDG_CACHE_HOME: "/b" }, "/a/modules"],
		[{ XDG_CACHE_HOME: "/b" }, "/b/skerry/modules"],
		[{ SKERRY_CACHE_DIR: "", XDG_CACHE_HOME: "relative" }, home],
		[{}, home],
	];
	for (const [environment, expected] of cases) assert.equal(cacheFolder(environment), expected);
});

test("the rewriter's version changes with each of its sources, and with nothing else", (t) => {
	const root = place(t);
	for (const part of ["rewrite", "wasm", "bytes", "engine"])
		cpSync(join(SOURCES, part), join(root, part), { recursive: true });
	const first = hashRewriter(root);
	assert.match(first, /^[0-9a-f]{16}$/);
	assert.equal(hashRewriter(SOURCES), first);
	const seen = new Set([first]);
	for (const file of [
		"rewrite/rewrite.ts",
		"rewrite/metering/check.ts",
		"wasm/code-writer.ts",
		"bytes/writer.ts",
		"engine/modules/artefact.ts",
		"engine/modules/plain-data.ts",
	]) {
		appendFileSync(join(root, file), "\n");
		seen.add(hashRewriter(root));
	}
	writeFileSync(join(root, "rewrite/new.ts"), "");
	seen.add(hashRewriter(root));
	assert.equal(seen.size, 8);
	const last = hashRewriter(root);
	for (const file of ["rewrite/state.test.ts", "engine/border/gate.ts", "engine/guest.fixture.ts"])
		appendFileSync(join(root, file), "\n");
	assert.equal(hashRewriter(root), last);
});

test("the next process finds what this one has rewritten; a file that was damaged in between is made again", async (t) => {
	const cache = join(place(t), "modules");
	const load = async (): Promise<readonly number[]> => {
		const warnings: string[] = [];
		const made = createCompileCache({ cache, onWarning: (message) => warnings.push(message) });
		await made.load(GUEST, 0, OPTIONS);
		await made.flush();
		assert.deepEqual(warnings, []);
		return [made.counts.found, made.counts.rewritten];
	};
	assert.deepEqual(await load(), [0, 1]);
	assert.deepEqual(await load(), [1, 0]);
	for (const name of readdirSync(cache)) {
		for (const damage of [
			(file: Buffer) => file.subarray(5),
			(file: Buffer) => file.fill(0x55, 20, 24),
			() => Buffer.alloc(0),
		]) {
			writeFileSync(join(cache, name), damage(readFileSync(join(cache, name))));
			assert.deepEqual(await load(), [0, 1]);
			assert.deepEqual(await load(), [1, 0]);
		}
	}
});

test("no folder, by choice or because there can be none", async () => {
	const warnings: string[] = [];
	for (const cache of [false, "/dev/null/folder"] as const) {
		const made = createCompileCache({ cache, onWarning: (message) => warnings.push(message) });
		for (const metering of ["trap", "off"] as const) await made.load(GUEST, 0, { ...OPTIONS, metering });
		await made.flush();
		assert.equal(made.counts.rewritten, 2);
	}
	assert.equal(warnings.length, 1);
});

test("what `skerry compile` made needs no folder", async () => {
	const component = new Uint8Array(await parse('(component (core module (func (export "f") (loop (br 0)))))'));
	const cache = createCompileCache({ cache: false });
	await openComponent(await compileComponent(component, "trap"), cache);
	const [module] = decodeComponent(component).definitions;
	assert.ok(module?.kind === "core module");
	await cache.load(module.bytes, module.offset, OPTIONS);
	assert.deepEqual(cache.counts, { found: 1, rewritten: 0, derived: 0, damaged: 0 });
});

test("several processes at once share the folder", async (t) => {
	const folder = place(t);
	const script = join(folder, "load.mjs");
	writeFileSync(join(folder, "guest.wasm"), GUEST);
	writeFileSync(
		script,
		`import { readFileSync } from "node:fs";
		const { createCompileCache } = await import(${JSON.stringify(new URL("artefacts.ts", import.meta.url).href)});
		const bytes = new Uint8Array(readFileSync(${JSON.stringify(join(folder, "guest.wasm"))}));
		for (let i = 0; i < 20; i++) {
			const cache = createCompileCache({ cache: ${JSON.stringify(join(folder, "modules"))}, onWarning: (m) => { throw new Error(m); } });
			await cache.load(bytes, 0, { metering: i % 2 === 0 ? "trap" : "off", verify: true });
			await cache.flush();
			if (cache.counts.damaged > 0) throw new Error("damaged");
		}`,
	);
	await Promise.all([1, 2, 3].map(() => promisify(execFile)(process.execPath, [script])));
	assert.equal(readdirSync(join(folder, "modules")).filter((name) => name.endsWith(".part")).length, 0);
});
