import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { rewriteModule } from "../rewrite.ts";
import { LARGE } from "./large.fixture.ts";

const { WebAssembly } = globalThis as any;

/** Linear work is done in a tenth of it, and what grows with the square takes several times as much. */
const SECONDS = 5;

suite("who loads a large module waits in proportion to its size", () => {
	for (const [name, make] of Object.entries(LARGE)) {
		test(name, () => {
			assert.ok(WebAssembly.validate(make(10)), "it is a module");
			const bytes = make(20_000);
			for (const metering of ["off", "trap", "yield", "fuel"] as const) {
				const before = process.cpuUsage();
				rewriteModule(bytes, 0, { metering, verify: true });
				const { user, system } = process.cpuUsage(before);
				assert.ok(user + system < SECONDS * 1e6, `${metering}: ${(user + system) / 1e6} s`);
				assert.ok(WebAssembly.validate(rewriteModule(make(10), 0, { metering, verify: true }).bytes), metering);
			}
		});
	}
});
