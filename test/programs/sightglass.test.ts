/**
 * Sightglass: the real programs by which Wasmtime measures itself, each run to its end. Those that take over a second are for
 * `npm run programs`. Where Wasmtime is at hand, output and status are compared with its own.
 */
import assert from "node:assert/strict";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, suite, test } from "node:test";

import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";

import { runProcess } from "../node/process.ts";
import { runProgram } from "./guest-run.ts";
import { isLong, LONG, SIGHTGLASS as SUITE } from "./sightglass.ts";

const WASMTIME = "/opt/peers/bin/wasmtime";
const LAUNCHER = path.resolve(import.meta.dirname, "../../bin/skerry.js");
/** Their output says how long they took. */
const TIMED = /\d+\.\d+ seconds/g;
const plain = (text: string): string => text.replaceAll(TIMED, "N seconds");

const scratch = mkdtempSync(path.join(tmpdir(), "skerry-sightglass-"));
const bench = path.join(scratch, "bench.wasm");
before(async () => {
	writeFileSync(bench, await parse('(module (func (export "start")) (func (export "end")))'));
});
after(() => rmSync(scratch, { recursive: true, force: true }));

async function runWasmtime(file: string): Promise<{ stdout: string; status: number | null }> {
	const args = ["run", "--preload", `bench=${bench}`, "--dir", ".::.", path.basename(file)];
	const { stdout, status } = await runProcess(WASMTIME, args, { cwd: path.dirname(file) });
	return { stdout: plain(stdout), status };
}

suite("sightglass", { skip: existsSync(SUITE) ? false : `the suite is absent: ${SUITE}` }, () => {
	const all = globSync("*/*.wasm", { cwd: SUITE }).sort();
	for (const name of all) {
		const skip = LONG.has(name) && !isLong ? "takes over a second: `npm run programs`" : false;
		test(name, { skip }, async () => {
			const file = path.join(SUITE, name);
			const calls: string[] = [];
			const run = await runProgram(file, {
				folders: { ".": { path: path.dirname(file), readOnly: true } },
				imports: {
					bench: { start: () => calls.push("start") && undefined, end: () => calls.push("end") && undefined },
				},
			});
			assert.deepEqual(
				{ status: run.status, denied: run.denied, calls },
				{ status: 0, denied: [], calls: ["start", "end"] },
			);
			const expected = file.replace(/\.wasm$/, ".stdout.expected");
			if (existsSync(expected)) assert.equal(run.stdout, readFileSync(expected, "utf8"));
			const expectedError = file.replace(/\.wasm$/, ".stderr.expected");
			if (existsSync(expectedError)) assert.equal(run.stderr, readFileSync(expectedError, "utf8"));
			if (existsSync(WASMTIME)) assert.deepEqual({ stdout: plain(run.stdout), status: 0 }, await runWasmtime(file));
		});
	}

	test("all of them were there", () => assert.ok(all.length >= 25));

	test("under `skerry run`, from the command line", async () => {
		const cwd = path.join(SUITE, "pulldown-cmark");
		const run = await runProcess(process.execPath, [LAUNCHER, "run", "benchmark.wasm", "--dir", ".::.::ro"], { cwd });
		const expected = {
			stdout: readFileSync(path.join(cwd, "benchmark.stdout.expected"), "utf8"),
			stderr: readFileSync(path.join(cwd, "benchmark.stderr.expected"), "utf8"),
			status: 0,
		};
		assert.deepEqual({ stdout: run.stdout, stderr: run.stderr, status: run.status }, expected);
	});
});
