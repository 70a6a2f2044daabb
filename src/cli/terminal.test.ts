import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { openSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { printable } from "./terminal.ts";

test("text cannot steer the terminal", () => {
	const cases: readonly [string, string][] = [
		["plain ünïcode 漢字 😀\n\tindented", "plain ünïcode 漢字 😀\n\tindented"],
		["\x1b[31mred\x07", "\\u{1b}[31mred\\u{7}"],
		["\x9b2J\x7f\r\0", "\\u{9b}2J\\u{7f}\\u{d}\\u{0}"],
		["abc\u202Edef\u2066", "abc\\u{202e}def\\u{2066}"],
	];
	for (const [text, expected] of cases) assert.equal(printable(text), expected);
});

test("a disk that is full", { skip: process.platform !== "linux" }, () => {
	const main = fileURLToPath(new URL("main.ts", import.meta.url));
	const full = openSync("/dev/full", "w");
	const run = (
		args: readonly string[],
		stdout: number | "pipe",
		stderr: number | "pipe",
	): (string | number | null)[] => {
		const ended = spawnSync(process.execPath, [main, ...args], { stdio: ["ignore", stdout, stderr], encoding: "utf8" });
		return [ended.status, ended.stdout, ended.stderr];
	};
	const unwritable = "error[cli/file-not-found]: Cannot write to standard output: there is no space left\n";
	assert.deepEqual(run(["--version"], full, "pipe"), [66, null, unwritable]);
	// That nobody can read why is no reason to end otherwise.
	assert.deepEqual(run(["nonsense"], "pipe", full), [64, "", null]);
});
