/** Where there is no `node:ffi`, and so no memory of the engine's own making, everything is as right as elsewhere. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const SUITES = [
	"test/reset/reset-property.test.ts",
	"test/reset/spy-property.test.ts",
	"src/pool/sandbox-pool.test.ts",
	"src/pool/start-functions.test.ts",
	"src/engine/memory/strategy.test.ts",
	"src/engine/reserved-memory.test.ts",
	"src/embed/engine.test.ts",
];

test("without FFI, the suites of slots pass", (t) => {
	const args = ["--no-experimental-ffi", "--test", "--test-reporter=tap", ...SUITES];
	// Of a runner around this one nothing is to be seen.
	const { NODE_TEST_CONTEXT: _, ...env } = process.env;
	const { status, stdout } = spawnSync(process.execPath, args, {
		encoding: "utf8",
		cwd: fileURLToPath(new URL("../..", import.meta.url)),
		env: { ...env, SKERRY_FUZZ_RUNS: "60" },
	});
	assert.equal(status, 0, stdout);
	const [passed] = /^# pass \d+$/m.exec(stdout) ?? [""];
	assert.ok(Number(passed.slice("# pass ".length)) > 40, stdout);
	t.diagnostic(passed);
});
