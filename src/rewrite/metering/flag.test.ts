import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { rewriteModule } from "../rewrite.ts";

const { WebAssembly } = globalThis as any;

/** As many as V8 takes, the parameter among them. */
const MOST_LOCALS = 50_000;

for (const metering of ["trap", "yield"] as const) {
	for (const count of [MOST_LOCALS - 2000, MOST_LOCALS]) {
		test(`a large loop that counts, in a function with ${count} locals, metering ${metering}`, async () => {
			const bytes = await parse(`(module (func (export "f") (param i32) (local ${"i64 ".repeat(count - 1)})
				(loop $again ${"(drop (i32.const 0))".repeat(200)} (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))`);
			const rewritten = rewriteModule(new Uint8Array(bytes), 0, { metering, verify: true });
			assert.ok(WebAssembly.validate(rewritten.bytes));
		});
	}
}
