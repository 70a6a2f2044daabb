/**
 * `npm test`: every check, each with a heading and its time, then all tests, then one summary over everything.
 * `npm test -- src/abi` runs the tests under these paths only; `npm test -- --only lint,unit` runs these steps only.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { CHECKS, runCheck } from "./test/checks.ts";
import { collectTestFiles, TEST_GROUPS } from "./test/files.ts";
import { readSuites, renderSummary, type Suite } from "./test/summary.ts";
import { runTestFiles } from "./test/runner.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values, positionals: paths } = parseArgs({
	allowPositionals: true,
	options: { only: { type: "string", multiple: true }, help: { type: "boolean", short: "h" } },
});
const only = values.only?.flatMap((names) => names.split(","));
const steps = [...CHECKS.map(({ name }) => name), ...TEST_GROUPS];
const unknown = only?.filter((name) => !steps.includes(name) && collectTestFiles(root, [`test/${name}`]).length === 0);

if (values.help === true || (unknown !== undefined && unknown.length > 0)) {
	if (unknown !== undefined && unknown.length > 0) console.error(`Unknown step: ${unknown.join(", ")}`);
	console.log(`npm test [-- [--only STEP[,STEP…]] [PATH…]]\nSteps: ${steps.join(" ")}, or a folder of test/`);
	process.exit(values.help === true ? 0 : 64);
}

const suites: Suite[] = [];
if (paths.length === 0) {
	for (const check of CHECKS) {
		if (only === undefined || only.includes(check.name)) suites.push(runCheck(root, check));
	}
}

const files = collectTestFiles(root, paths, only);
if (files.length > 0) {
	const folder = mkdtempSync(join(tmpdir(), "skerry-summary-"));
	process.env["SKERRY_SUMMARY_DIR"] = folder;
	// Tests find nothing that others have left, and leave nothing behind
	const cache = mkdtempSync(join(tmpdir(), "skerry-test-cache-"));
	process.env["SKERRY_CACHE_DIR"] = cache;
	try {
		suites.push(...(await runTestFiles(root, files)));
		suites.push(...readSuites(folder));
	} finally {
		for (const made of [folder, cache]) rmSync(made, { recursive: true, force: true });
	}
} else if (paths.length > 0) {
	suites.push({ suite: paths.join(" "), passed: 0, failed: 1, skipped: 0, note: "no test file there" });
}

console.log(`\n${renderSummary(suites)}`);
// Not left to the event loop: what a test left open must not keep the run from ending.
process.exit(suites.some(({ failed }) => failed > 0) ? 1 : 0);
