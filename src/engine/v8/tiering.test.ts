import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";

const GUEST = `(module (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))`;

/** After how many calls a function of JavaScript and one of a guest are optimised, by V8's own account; without other threads. */
async function callsUntilOptimised(early: boolean): Promise<{ js: number; guest: number }> {
	const bytes = Buffer.from(await parse(GUEST)).toString("base64");
	const program = `
		import { optimizeGuestsEarly, optimizeHostEarly } from ${JSON.stringify(new URL("./tiering.ts", import.meta.url).href)};
		if (${early}) [optimizeGuestsEarly(), optimizeHostEarly()];
		const module = new WebAssembly.Module(Buffer.from("${bytes}", "base64"));
		const { f } = new WebAssembly.Instance(module).exports;
		const js = (x) => x + 1;
		const calls = { js: 0, guest: 0 };
		while (calls.js < 1e6 && !%ActiveTierIsTurbofan(js)) js(calls.js++);
		while (calls.guest < 1e6 && !%IsTurboFanFunction(f)) f(calls.guest++);
		console.log(JSON.stringify(calls));`;
	const flags = ["--allow-natives-syntax", "--no-concurrent-recompilation", "--wasm-sync-tier-up"];
	const args = [...flags, "--input-type=module", "-e", program];
	return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as { js: number; guest: number };
}

test("a process that serves has functions optimised after fewer calls", async () => {
	const [usual, early] = [await callsUntilOptimised(false), await callsUntilOptimised(true)];
	assert.ok(early.js < 0.6 * usual.js, `JavaScript: ${early.js} calls rather than ${usual.js}`);
	assert.ok(early.guest < 0.3 * usual.guest, `guest: ${early.guest} calls rather than ${usual.guest}`);
});
