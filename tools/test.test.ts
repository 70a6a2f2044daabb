import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { collectTestFiles, suiteOf } from "./test/files.ts";
import { readSuites, renderSummary } from "./test/summary.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

test("a suite is the part, the tools, or a folder of test/", () => {
	const suites = [
		"src/abi/lift.test.ts",
		"src/abi/x/y.test.ts",
		"tools/a.test.ts",
		"test/cli/cli.test.ts",
		"test/a.test.ts",
	];
	assert.deepEqual(suites.map(suiteOf), ["src/abi", "src/abi", "tools", "test/cli", "test"]);
});

suite("collectTestFiles", () => {
	const all = collectTestFiles(root, []);
	const cases: readonly [
		title: string,
		paths: readonly string[],
		only: readonly string[] | undefined,
		prefix: string,
	][] = [
		["a folder", ["src/cli"], undefined, "src/cli/"],
		["a folder written otherwise", ["./src/cli/"], undefined, "src/cli/"],
		["a file", ["tools/layers.test.ts"], undefined, "tools/layers.test.ts"],
		["unit tests", [], ["unit"], "src/"],
		["a folder of test/", [], ["cli"], "test/cli/"],
		["all of test/", [], ["lint", "test"], "test/"],
	];
	for (const [title, paths, only, prefix] of cases) {
		test(title, () => {
			const found = collectTestFiles(root, paths, only);
			assert.ok(found.length > 0);
			assert.deepEqual(
				found,
				all.filter((path) => path.startsWith(prefix)),
			);
		});
	}
	test("no fixture is a test, and half a name is none", () => {
		assert.deepEqual(
			all.filter((path) => path.includes("fixtures")),
			[],
		);
		assert.deepEqual(collectTestFiles(root, ["src/cl"]), []);
		assert.deepEqual(collectTestFiles(root, [], ["lint"]), []);
	});
});

test("suites are read from a folder, and what is none of them fails", (t) => {
	const folder = mkdtempSync(join(tmpdir(), "skerry-test-"));
	t.after(() => rmSync(folder, { recursive: true }));
	writeFileSync(join(folder, "b.jsonl"), '{"suite":"b","passed":2,"failed":0,"skipped":1}\n');
	writeFileSync(
		join(folder, "a.jsonl"),
		'{"suite":"a","passed":1,"failed":0,"skipped":0,"note":"n"}\n\nnot json\n{"suite":"c"}\n',
	);
	assert.deepEqual(readSuites(folder), [
		{ suite: "a", passed: 1, failed: 0, skipped: 0, note: "n" },
		{ suite: "a.jsonl", passed: 0, failed: 1, skipped: 0, note: "not a summary: not json" },
		{ suite: "a.jsonl", passed: 0, failed: 1, skipped: 0, note: 'not a summary: {"suite":"c"}' },
		{ suite: "b", passed: 2, failed: 0, skipped: 1, note: "" },
	]);
});

test("the summary ends in one plain line", () => {
	const text = renderSummary([
		{ suite: "lint", passed: 1, failed: 0, skipped: 0, note: "0.5 s" },
		{ suite: "component-model", passed: 389, failed: 2, skipped: 30, note: "" },
	]);
	assert.equal(
		text,
		"suite             passed   failed  skipped\n" +
			"lint                   1        0        0  0.5 s\n" +
			"component-model      389        2       30\n" +
			"\n" +
			"390 passed, 2 failed, 30 skipped",
	);
});

suite("runTestFiles", () => {
	const folder = mkdtempSync(join(tmpdir(), "skerry-test-"));
	const summaries = join(folder, "summaries");
	before(() => mkdirSync(summaries));
	after(() => rmSync(folder, { recursive: true }));
	const scriptFor = (files: readonly string[]): string => `
		import { runTestFiles } from ${JSON.stringify(pathToFileURL(join(root, "tools/test/runner.ts")).href)};
		const suites = await runTestFiles(${JSON.stringify(root)}, ${JSON.stringify(files)});
		console.log("RESULT " + JSON.stringify(suites));
		process.exit();
	`;
	/** In a process of its own: a test runner does not run within another. */
	const runFixtures = async (...names: string[]): Promise<{ output: string; suites: unknown }> => {
		const { NODE_TEST_CONTEXT: _, FORCE_COLOR: __, ...env } = process.env;
		const files = names.map((name) => `tools/fixtures/test/${name}.test.ts`);
		const driver = join(folder, `${names.join("-")}.mjs`);
		writeFileSync(driver, scriptFor(files));
		return new Promise((resolve, reject) => {
			execFile(
				process.execPath,
				[driver],
				{ cwd: root, env: { ...env, SKERRY_SUMMARY_DIR: summaries } },
				(error, output, errors) => {
					const result = /^RESULT (.*)$/m.exec(output)?.[1];
					if (error !== null || result === undefined) reject(error ?? new Error(output + errors));
					else resolve({ output: output + errors, suites: JSON.parse(result) });
				},
			);
		});
	};

	test("counts what passes, fails and is skipped, and shows failures in full", async () => {
		const { output, suites } = await runFixtures("mixed", "clean");
		assert.deepEqual(suites, [{ suite: "tools", passed: 2, failed: 1, skipped: 2, note: "" }]);
		assert.match(output, /✖ fails \(tools\/fixtures\/test\/mixed\.test\.ts:8\)/);
		assert.match(output, /- skipped: is skipped: a reason \(tools/);
		assert.match(output, /answer: 41[^]*answer: 42/);
		assert.match(output, /✖ tools\/fixtures\/test\/mixed\.test\.ts: 1 passed, 1 failed, 2 skipped, /);
		assert.match(output, /✔ tools\/fixtures\/test\/clean\.test\.ts: 1 passed, /);
		assert.deepEqual(readSuites(summaries), [{ suite: "ledger", passed: 3, failed: 0, skipped: 2, note: "known" }]);
	});

	test("a file that does not load fails, and so does one without a test", async () => {
		const { output, suites } = await runFixtures("throws", "empty");
		assert.deepEqual(suites, [{ suite: "tools", passed: 0, failed: 2, skipped: 0, note: "" }]);
		assert.match(output, /Error: at load/);
		assert.match(output, /✖ no test ran \(tools\/fixtures\/test\/empty\.test\.ts\)/);
	});
});
