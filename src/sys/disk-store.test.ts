import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
	chmodSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	truncateSync,
	utimesSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { DiskStore } from "./disk-store.ts";

const bytes = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

function place(t: TestContext): string {
	const root = mkdtempSync(join(tmpdir(), "skerry-store-"));
	t.after(() => rmSync(root, { recursive: true, force: true }));
	return root;
}

function open(folder: string, capacity = 1_000_000): { store: DiskStore; warnings: string[] } {
	const warnings: string[] = [];
	return { store: new DiskStore({ folder, capacity, onWarning: (message) => warnings.push(message) }), warnings };
}

test("an entry is what was written last, for every process; the folder and the files are the owner's alone", async (t) => {
	const folder = join(place(t), "a/b");
	const { store, warnings } = open(folder);
	assert.equal(await store.read("x"), undefined);
	await store.write("x", bytes(10, 1));
	await store.write("x", bytes(20, 2));
	assert.deepEqual(await store.read("x"), bytes(20, 2));
	assert.deepEqual(await open(folder).store.read("x"), bytes(20, 2));
	assert.deepEqual(readdirSync(folder), ["x"]);
	assert.equal(statSync(folder).mode & 0o777, 0o700);
	assert.equal(statSync(join(folder, "x")).mode & 0o777, 0o600);
	assert.deepEqual(warnings, []);
});

test("an entry that is not as it was written is removed, and there is none", async (t) => {
	const folder = place(t);
	const { store, warnings } = open(folder);
	const path = join(folder, "x");
	const damages: ((file: Buffer) => Uint8Array)[] = [
		(file) => file.subarray(0, 50),
		(file) => file.subarray(0, -1),
		(file) => file.subarray(1),
		() => Buffer.alloc(0),
		(file) => Buffer.concat([file, Buffer.from("more")]),
		...[0, 57, 99, 101, 107].map((at) => (file: Buffer) => file.fill((file[at] ?? 0) ^ 4, at, at + 1)),
	];
	for (const damage of damages) {
		await store.write("x", bytes(100, 7));
		writeFileSync(path, damage(readFileSync(path)));
		assert.equal(await store.read("x"), undefined);
		assert.equal(existsSync(path), false);
	}
	// Another entry's file under its name
	await store.write("y", bytes(100, 7));
	writeFileSync(path, readFileSync(join(folder, "y")));
	assert.equal(await store.read("x"), undefined);
	assert.deepEqual(await store.read("y"), bytes(100, 7));
	assert.deepEqual(warnings, []);
});

for (const path of ["/proc", "/proc/self/a"])
	test(`a folder in ${path}, where none can be made`, { skip: process.platform !== "linux" }, async () => {
		const { store, warnings } = open(join(path, "b/c"));
		await store.write("x", bytes(10, 1));
		assert.equal(await store.read("x"), undefined);
		assert.equal(warnings.length, 1);
		assert.match(warnings[0] ?? "", /^Cannot use the cache folder \/proc\/.*ENOENT/);
	});

for (const [what, put] of [
	["a pipe that nobody writes to", (path: string) => void execFileSync("mkfifo", [path])],
	[
		"a file of 100 GiB, of which nothing is there",
		(path: string) => (writeFileSync(path, ""), truncateSync(path, 100 * 2 ** 30)),
	],
	["a link to a device without an end", (path: string) => symlinkSync("/dev/zero", path)],
] as const) {
	test(
		`${what} in the place of an entry is removed, and is no entry`,
		{ skip: process.platform === "win32" ? "there is no such thing" : false, timeout: 60_000 },
		async (t) => {
			const folder = place(t);
			const { store, warnings } = open(folder);
			put(join(folder, "x"));
			assert.equal(await store.read("x"), undefined);
			assert.ok(!existsSync(join(folder, "x")));
			await store.write("x", bytes(10, 1));
			assert.deepEqual(await store.read("x"), bytes(10, 1));
			assert.deepEqual(warnings, []);
		},
	);
}

test("beyond its capacity it removes what was used longest ago, and no file that is being written", async (t) => {
	const folder = place(t);
	const { store } = open(folder, 300);
	const age = (name: string, minutes: number): void => {
		const time = Date.now() / 1000 - minutes * 60;
		utimesSync(join(folder, name), time, time);
	};
	for (const name of ["a", "b"]) await store.write(name, bytes(100, 1));
	writeFileSync(join(folder, "other.part"), "being written");
	writeFileSync(join(folder, "old.part"), "its writer was killed");
	age("a", 30);
	age("b", 20);
	age("old.part", 120);
	// Reading is using
	assert.ok((await store.read("a")) !== undefined);
	await store.write("c", bytes(100, 1));
	assert.deepEqual(readdirSync(folder).sort(), ["a", "c", "other.part"]);
	await store.write("too large for it", bytes(301, 1));
	assert.deepEqual(readdirSync(folder).sort(), ["a", "c", "other.part"]);
});

test("a folder that cannot be: one warning, and everything goes on without", async (t) => {
	const root = place(t);
	writeFileSync(join(root, "file"), "");
	const { store, warnings } = open(join(root, "file/folder"));
	for (let i = 0; i < 3; i++) {
		await store.write("x", bytes(1, 1));
		assert.equal(await store.read("x"), undefined);
	}
	assert.equal(warnings.length, 1);
	assert.match(warnings[0] ?? "", /^Cannot use the cache folder .*: ENOTDIR/);
});

test("a folder that other users may write to is not used: what is in it would be run", async (t) => {
	const folder = place(t);
	await open(folder).store.write("x", bytes(1, 1));
	chmodSync(folder, 0o777);
	const { store, warnings } = open(folder);
	assert.equal(await store.read("x"), undefined);
	assert.match(warnings.join(), /other users may write to it$/);
});

test("nor one below such a folder: there another could be put in its place", async (t) => {
	const above = join(place(t), "above");
	const folder = join(above, "between", "cache");
	await open(folder).store.write("x", bytes(1, 1));
	for (const [mode, isUsed] of [
		[0o755, true],
		[0o777, false],
		[0o757, false],
		// Of those in such a folder everyone may take away their own only
		[0o1777, true],
	] as const) {
		chmodSync(above, mode);
		const { store, warnings } = open(folder);
		assert.deepEqual(await store.read("x"), isUsed ? bytes(1, 1) : undefined, mode.toString(8));
		assert.deepEqual(
			warnings,
			isUsed ? [] : [`Cannot use the cache folder ${folder}: other users may write to ${above}`],
			mode.toString(8),
		);
	}
});

test("an entry that cannot be written: one warning, none is left half, and what is there is still read", async (t) => {
	const folder = place(t);
	const { store, warnings } = open(folder);
	await store.write("kept", bytes(5, 5));
	// A folder in the entry's place fails the rename on every system, whoever runs the test
	mkdirSync(join(folder, "taken"));
	await store.write("taken", bytes(5, 5));
	await store.write("later", bytes(5, 5));
	assert.equal(warnings.length, 1);
	assert.deepEqual(readdirSync(folder).sort(), ["kept", "taken"]);
	assert.deepEqual(await store.read("kept"), bytes(5, 5));
});

test(
	"a disk that is full",
	{ skip: existsSync("/dev/full") && process.getuid?.() === 0 ? false : "needs a small file system of its own" },
	async (t) => {
		const folder = place(t);
		const { spawnSync } = await import("node:child_process");
		if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", folder]).status !== 0) {
			t.skip("mount is not permitted");
			return;
		}
		try {
			const { store, warnings } = open(folder);
			await store.write("small", bytes(1000, 1));
			await store.write("large", bytes(500_000, 1));
			assert.deepEqual(readdirSync(folder), ["small"]);
			assert.match(warnings.join(), /ENOSPC/);
			assert.deepEqual(await store.read("small"), bytes(1000, 1));
		} finally {
			spawnSync("umount", [folder]);
		}
	},
);

test("many writers and readers at once: whoever reads finds one writer's bytes, whole", async (t) => {
	const folder = place(t);
	const stores = [1, 2, 3, 4].map(() => open(folder, 30_000).store);
	await Promise.all(
		stores.flatMap((store, i) =>
			Array.from({ length: 25 }, async (_, round) => {
				await store.write(`e${round % 3}`, bytes(5000 + i, i));
				const found = await store.read(`e${round % 3}`);
				assert.ok(found === undefined || found.every((byte) => byte === found.length - 5000));
			}),
		),
	);
	for (const name of readdirSync(folder)) assert.match(name, /^e[012]$/);
	assert.equal(readFileSync(join(folder, "e0")).length > 0, true);
});
