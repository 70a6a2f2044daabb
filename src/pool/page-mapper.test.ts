import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { PageMapper } from "../engine/mod.ts";
import { watchMapper } from "./page-mapper.ts";

const refuse = (): never => {
	throw new Error("refused");
};

/** Refuses all it is asked for. */
const REFUSING: PageMapper = {
	pageSize: 4096,
	method: "none",
	createImage: refuse,
	protect: () => false,
	unprotect: () => false,
};

suite("page mapper", () => {
	test("each refusal is told, and handed on", () => {
		const told: string[] = [];
		const mapper = watchMapper(REFUSING, (what, consequence) => told.push(`${what}: ${consequence}`));
		assert.throws(() => mapper.createImage(new Uint8Array(4096)), /refused/);
		assert.equal(mapper.protect(new ArrayBuffer(4096), 0, 4096), false);
		const mapping = watchMapper(
			{ ...REFUSING, createImage: () => ({ map: refuse, [Symbol.dispose]: () => {} }) },
			(what) => told.push(what),
		);
		assert.throws(
			() => mapping.createImage(new Uint8Array(4096)).map({ buffer: new ArrayBuffer(4096), grow: refuse }),
			/refused/,
		);
		assert.deepEqual(told, [
			"Cannot make an image of a memory: refused: resets copy whole memories",
			"Cannot change the protection of memory: instances whose memory grew are made anew",
			"Cannot map an image over a memory: refused",
		]);
	});

	test(
		"without FFI: one warning, and calls go on",
		{ skip: process.platform === "linux" ? false : "only on Linux" },
		() => {
			const script = `
			const { Engine } = await import(${JSON.stringify(new URL("../embed/mod.ts", import.meta.url).href)});
			const { parse } = await import("@bytecodealliance/jco-transpile/wasm-tools");
			const bytes = await parse('(module (memory 4) (func (export "f") (result i32) (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) (i32.load (i32.const 0))))');
			const warnings = [];
			const engine = new Engine({ cache: false, onWarning: (message) => warnings.push(message) });
			const answers = [];
			for (let i = 0; i < 2; i++) {
				const guest = await engine.load(bytes);
				for (let n = 0; n < 3; n++) answers.push(await guest.exports.f());
			}
			console.log(JSON.stringify({ warnings, answers }));`;
			const { stdout, stderr } = spawnSync(
				process.execPath,
				["--no-experimental-ffi", "--input-type=module", "--eval", script],
				{ encoding: "utf8", cwd: fileURLToPath(new URL("../..", import.meta.url)) },
			);
			assert.deepEqual(
				JSON.parse(stdout || JSON.stringify(stderr)),
				{
					warnings: ["Cannot use copy-on-write memory: node:ffi is missing: resets copy whole memories"],
					answers: [1, 1, 1, 1, 1, 1],
				},
				stderr,
			);
		},
	);
});
