/** No guest takes the process down by what it makes in V8's heap, whatever its limits. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

test("guests without a limit of what they make in V8's heap are ended before it is full", async () => {
	const { stdout, stderr } = await promisify(execFile)(process.execPath, [
		"--max-old-space-size=100",
		fileURLToPath(new URL("heap.fixture.ts", import.meta.url)),
	]);
	const full = "killed: no more room for the objects of guests in V8's heap";
	const said = ["off", "trap", "yield", "fuel"].map((metering) => ({
		metering,
		hoarders: Array.from({ length: 3 }, () => full),
		tables: "returned",
		neighbour: 7,
	}));
	assert.deepEqual({ said: JSON.parse(stdout), stderr }, { said, stderr: "" });
});
