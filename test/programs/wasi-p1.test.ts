/** Programs of C and Rust built for WASI 0.1, each with what it is given and what has to come of it beside it. */
import assert from "node:assert/strict";
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, suite, test } from "node:test";

import { runProgram } from "./guest-run.ts";

const SUITE = path.resolve(import.meta.dirname, "../../../shared/suites/wasi-p1");
const scratch = mkdtempSync(path.join(tmpdir(), "skerry-p1-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const read = (file: string): string | undefined => (existsSync(file) ? readFileSync(file, "utf8") : undefined);
const lines = (text: string | undefined): string[] => text?.split("\n").filter((line) => line !== "") ?? [];

suite("wasi-p1", { skip: existsSync(SUITE) ? false : `the suite is absent: ${SUITE}` }, () => {
	for (const file of globSync("*/*.wasm", { cwd: SUITE }).sort()) {
		test(file, async () => {
			const base = path.join(SUITE, file.replace(/\.wasm$/, ""));
			const folders: Record<string, string> = {};
			if (existsSync(`${base}.dir`)) {
				const name = `${path.basename(base)}.dir`;
				cpSync(`${base}.dir`, path.join(scratch, name), { recursive: true });
				// The programs name it so.
				folders[name] = path.join(scratch, name);
			}
			const env = Object.fromEntries(
				lines(read(`${base}.env`)).map((line): [string, string] => {
					const at = line.indexOf("=");
					return [line.slice(0, at), line.slice(at + 1)];
				}),
			);
			const run = await runProgram(path.join(SUITE, file), {
				args: lines(read(`${base}.arg`)),
				env,
				stdin: read(`${base}.stdin`) ?? "",
				folders,
			});
			const stdout = read(`${base}.stdout`);
			const stderr = read(`${base}.stderr`);
			assert.equal(run.status, Number(read(`${base}.status`) ?? 0), run.stderr);
			if (stdout !== undefined) assert.equal(run.stdout, stdout);
			if (stderr !== undefined) assert.equal(run.stderr, stderr);
		});
	}

	test("all of them were there", () => {
		assert.ok(globSync("*/*.wasm", { cwd: SUITE }).length >= 39);
	});
});
