import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, suite, test } from "node:test";
import { pathToFileURL } from "node:url";
import { FileTooLong, readWholeFile } from "./whole-file.ts";

const folder = mkdtempSync(join(tmpdir(), "skerry-whole-"));
after(() => rmSync(folder, { recursive: true }));
const skip = process.platform === "win32" ? "no pipes with names" : false;

function write(size: number): string {
	const path = join(folder, `${size}`);
	writeFileSync(path, Buffer.alloc(size, "abc"));
	return path;
}

/** A pipe with a name, into which a process writes so much, or for ever. */
function pipe(size: number): string {
	const path = join(folder, `pipe-${size}`);
	execFileSync("sh", ["-c", 'mkfifo "$1"', "sh", path]);
	const source = size === Infinity ? "cat /dev/zero" : `head -c ${size} /dev/zero`;
	spawn("sh", ["-c", `${source} > ${path}`], { stdio: "ignore" }).unref();
	return path;
}

suite("a whole file", () => {
	test("is read up to the limit, and refused beyond", async () => {
		for (const size of [0, 1, 99, 100]) {
			const path = write(size);
			assert.deepEqual(await readWholeFile(path, 100), Buffer.alloc(size, "abc"));
			assert.equal((await readWholeFile(pathToFileURL(path), 100)).length, size);
		}
		await assert.rejects(readWholeFile(write(101), 100), new FileTooLong("it is longer than 100 bytes"));
	});

	test("that says it has no length is read nevertheless", { skip: process.platform !== "linux" }, async () => {
		assert.match((await readWholeFile("/proc/self/status", 100_000)).toString(), /^Name:/);
		await assert.rejects(readWholeFile("/dev/zero", 5_000_000), new FileTooLong("it is longer than 5000000 bytes"));
	});

	test("may be a pipe, which may have no end", { skip }, async () => {
		assert.deepEqual(await readWholeFile(pipe(3_000_000), 3_000_000), Buffer.alloc(3_000_000));
		await assert.rejects(readWholeFile(pipe(3_000_001), 3_000_000), FileTooLong);
		await assert.rejects(readWholeFile(pipe(Infinity), 3_000_000), FileTooLong);
	});

	test("that is none is Node's to refuse", async () => {
		await assert.rejects(readWholeFile(join(folder, "missing"), 100), { code: "ENOENT" });
		await assert.rejects(readWholeFile(folder, 100), { code: "EISDIR" });
	});
});
