/** Guests whose time is limited are not called where nobody can stop them. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

test("no files left for the watchdog's thread: an error with a code, and a watchdog once there are some again", async () => {
	const fixture = fileURLToPath(new URL("no-watchdog.fixture.ts", import.meta.url));
	const { stdout, stderr } = await promisify(execFile)("sh", [
		"-c",
		'ulimit -n 128 && exec "$0" "$1"',
		process.execPath,
		fixture,
	]);
	const none =
		"engine/stop/watchdog: Cannot stop guests in time: no watchdog's thread: the system gives no thread, or not the files that one needs";
	const killed = 'LimitExceeded: killed: cpu 20 ms (limit "cpu")';
	assert.deepEqual({ said: JSON.parse(stdout), stderr }, { said: ["EMFILE", none, none, killed], stderr: "" });
});
