import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { suite, test } from "node:test";

const door = new URL("../mod.ts", import.meta.url).href;

suite("webAssembly", () => {
	for (const [name, change, printed] of [
		[
			"Node before 26, though it has JSPI",
			'Object.defineProperty(process.versions, "node", { value: "24.9.0" })',
			true,
		],
		["an engine without JSPI", "delete WebAssembly.Suspending", true],
		["what it was made for", "", false],
	] as const) {
		test(name, () => {
			const code = `${change}; const { webAssembly } = await import("${door}");
				try { webAssembly(); console.log(false); } catch ({ code }) { console.log(code === "engine/unsupported-platform"); }`;
			const stdout = execFileSync(process.execPath, ["--input-type=module", "--eval", code], { encoding: "utf8" });
			assert.equal(stdout, `${printed}\n`);
		});
	}
});
