/**
 * The command line, as a user sees it. Each file of `cases/` is a test: the words of a command line, and the output and
 * status expected. `SKERRY_BLESS=1 npm test -- test/cli` writes what comes into the cases; review the diff.
 * The commands run in a folder with the files of `input/`; `.wat` files become `.wasm` there.
 */
import assert from "node:assert/strict";
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { NO_OLD_NODE, OLD_NODE } from "../node/old-node.ts";
import { runProcess } from "../node/process.ts";
import { type CliCase, parseCase, printCase } from "./case.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const launcher = fileURLToPath(new URL("../../bin/skerry.js", import.meta.url));
const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
	version: string;
};
const isBlessing = process.env["SKERRY_BLESS"] === "1";

let folder = "";
before(async () => {
	folder = mkdtempSync(join(tmpdir(), "skerry-cli-"));
	cpSync(join(here, "input"), folder, { recursive: true });
	for (const path of globSync(join(folder, "*.wat"))) {
		writeFileSync(path.replace(/\.wat$/, ".wasm"), await parse(readFileSync(path, "utf8")));
	}
	writeFileSync(join(folder, "truncated.wasm"), readFileSync(join(folder, "hello.wasm")).subarray(0, 100));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const paths = globSync(join(here, "cases/*.txt")).sort();

suite("on this Node", { concurrency: 2 }, () => {
	for (const path of paths) {
		test(basename(path, ".txt"), async () => {
			const expected = parseCase(readFileSync(path, "utf8"));
			const actual = await runCase(process.execPath, expected);
			if (isBlessing) writeFileSync(path, printCase(actual));
			else assert.deepEqual(actual, expected);
		});
	}
});

suite("on an older Node, through the launcher", { concurrency: 2, skip: isBlessing ? "blessing" : NO_OLD_NODE }, () => {
	for (const path of paths) {
		test(basename(path, ".txt"), async () => {
			const expected = parseCase(readFileSync(path, "utf8"));
			assert.deepEqual(await runCase(OLD_NODE ?? "", expected), expected);
		});
	}
});

test("every case has a command line of its own", () => {
	const lines = paths.map((path) => {
		const { environment, words } = parseCase(readFileSync(path, "utf8"));
		return [...environment, ...words].join(" ");
	});
	assert.ok(lines.length >= 20);
	assert.equal(new Set(lines).size, lines.length);
});

async function runCase(node: string, { environment, words }: CliCase): Promise<CliCase> {
	const { NO_COLOR: _, FORCE_COLOR: __, ...inherited } = process.env;
	const env = { ...inherited, ...Object.fromEntries(environment.map((entry) => entry.split("="))) };
	const { stdout, stderr, status } = await runProcess(node, [launcher, ...words], { cwd: folder, env });
	const hide = (text: string): string => text.replaceAll(version, "VERSION").replaceAll("\x1b", "␛");
	return { environment, words, stdout: hide(stdout), stderr: hide(stderr), status };
}

test("a reader that has gone away is no error", async () => {
	const { stderr, status } = await runProcess(
		"bash",
		["-o", "pipefail", "-c", `(sleep 0.3; "$0" "$1" inspect hello.wasm) | true`, process.execPath, launcher],
		{ cwd: folder },
	);
	assert.deepEqual({ stderr, status }, { stderr: "", status: 0 });
});
