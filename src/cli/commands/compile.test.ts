import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { Engine } from "../../embed/mod.ts";
import { SkerryError } from "../../fault/mod.ts";
import { createReport } from "../inspect/report.ts";
import { compileCommand, parseCompileOptions } from "./compile.ts";

const file = fileURLToPath(import.meta.url);

test("the command line", () => {
	assert.deepEqual(parseCompileOptions([file], {}), { source: file, output: `${file}.skerry`, metering: "trap" });
	assert.deepEqual(parseCompileOptions([file], { output: "o", metering: "off" }), {
		source: file,
		output: "o",
		metering: "off",
	});
	assert.throws(
		() => parseCompileOptions([file], { metering: "of" }),
		(error) => error instanceof SkerryError && error.code === "cli/usage" && /trap/.test(error.hint ?? ""),
	);
	assert.throws(() => parseCompileOptions(["/nowhere.wasm"], {}), { code: "cli/file-not-found" });
});

function place(t: TestContext): string {
	const root = mkdtempSync(join(tmpdir(), "skerry-compile-"));
	t.after(() => rmSync(root, { recursive: true, force: true }));
	return root;
}

test("what it writes is loaded as the component is, from wherever it stands", async (t) => {
	const folder = place(t);
	const source = join(folder, "app.wasm");
	const text = `(component (core module $m (func (export "f") (result i32) (loop (br_if 0 (i32.const 0))) (i32.const 7)))
		(core instance $i (instantiate $m)) (func (export "f") (result u32) (canon lift (core func $i "f"))))`;
	writeFileSync(source, new Uint8Array(await parse(text)));
	assert.equal(await compileCommand.run([source], {}), 0);
	const component = await new Engine({ cache: false }).load(join(folder, "app.skerry"));
	assert.equal(await (component.exports as { f(): Promise<number> }).f(), 7);
	assert.equal(
		await compileCommand.run([join(folder, "app.skerry")], { output: join(folder, "again"), metering: "trap" }),
		0,
	);
	assert.deepEqual(readFileSync(join(folder, "again")), readFileSync(join(folder, "app.skerry")));
	assert.deepEqual(readdirSync(folder).sort(), ["again", "app.skerry", "app.wasm"]);
	const packed = readFileSync(join(folder, "app.skerry"));
	const { compiled, ...report } = await createReport("app", packed, true);
	assert.deepEqual(compiled, { size: packed.length, metering: "trap" });
	assert.deepEqual(report, await createReport("app", readFileSync(source), true));
	await assert.rejects(createReport("app", packed.subarray(0, -1), false), { code: "artefact/damaged" });
});

test("a pipe that it is to write to gets it, and stays a pipe", { skip: process.platform === "win32" }, async (t) => {
	const folder = place(t);
	const [source, pipe] = [join(folder, "app.wasm"), join(folder, "pipe")];
	writeFileSync(source, new Uint8Array(await parse("(component)")));
	execFileSync("mkfifo", [pipe]);
	const [read, status] = await Promise.all([readFile(pipe), compileCommand.run([source], { output: pipe })]);
	assert.equal(status, 0);
	assert.equal(read.subarray(1, 7).toString(), "skerry");
	assert.ok(lstatSync(pipe).isFIFO());
	assert.deepEqual(readdirSync(folder).sort(), ["app.wasm", "pipe"]);
});

test("what cannot be compiled leaves no file, and the error names the source", async (t) => {
	const folder = place(t);
	const source = join(folder, "app.wasm");
	writeFileSync(source, "not WebAssembly");
	await assert.rejects(compileCommand.run([source], {}), (error) => {
		assert.ok(error instanceof SkerryError);
		assert.deepEqual([error.code, error.place?.file], ["binary/not-wasm", source]);
		return true;
	});
	assert.equal(existsSync(join(folder, "app.skerry")), false);
});
