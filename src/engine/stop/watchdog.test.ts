import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

test("a process that waits for its watchdog, and for nothing else, is not over before that has begun", async () => {
	const flag = new URL("flag.ts", import.meta.url);
	const script = `import { watchdogReady } from ${JSON.stringify(flag.href)}; await watchdogReady(); console.log("watched");`;
	const { stdout } = await promisify(execFile)(process.execPath, [
		"--no-warnings",
		"--input-type=module",
		"-e",
		script,
	]);
	assert.equal(stdout, "watched\n");
});
