import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { Engine, type LoadOptions, type Usage } from "./mod.ts";

/** `n` counts down from its argument and calls the host each time; `boom` does so and traps. */
const GUEST = new Uint8Array(
	await parse(`(module (import "env" "host" (func $host)) (memory 1)
		(func $n (export "n") (param i32) (result i32)
			(loop $l
				(call $host)
				(memory.fill (i32.const 0) (local.get 0) (i32.const 1000))
				(br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
			(i32.const 7))
		(func (export "boom") (param i32) (result i32) (drop (call $n (local.get 0))) (unreachable))
		(func (export "ever") (param i32) (result i32) (loop $l (call $host) (br $l)) (unreachable)))`),
);
const imports = { env: { host() {} } };

suite("usage of a sandbox", () => {
	test("counts the last call, and that alone, and stays when the sandbox has ended", async () => {
		const module = await new Engine({ cache: false }).load(GUEST, { imports, metering: "fuel" });
		const sandbox = module.instantiate();
		assert.equal(sandbox.usage.hostCalls, 0);
		const seen: { readonly fuel: number; readonly hostCalls: number }[] = [];
		for (const n of [10, 20, 10]) {
			await sandbox.exports["n"](n);
			const usage: Usage = sandbox.usage;
			assert.ok(usage.cpu > 0 && usage.cpu < 5_000, `${usage.cpu} ms`);
			seen.push({ fuel: usage.fuel, hostCalls: usage.hostCalls });
		}
		const [first, second, third] = seen;
		assert.deepEqual(first, third);
		assert.deepEqual([first?.hostCalls, second?.hostCalls], [10, 20]);
		assert.ok((second?.fuel ?? 0) > (first?.fuel ?? Infinity));
		const last = sandbox.usage;
		sandbox[Symbol.dispose]();
		assert.deepEqual(sandbox.usage, last);
	});

	test("its fuel is the same whoever counts: with a cache that is empty or filled, and without; at traps and limits, too", async () => {
		const folder = mkdtempSync(join(tmpdir(), "skerry-usage-"));
		try {
			const cases: [string, LoadOptions["limits"], RegExp][] = [
				["boom", {}, /unreachable/],
				["ever", { hostCalls: 1000 }, /hostCalls 1000/],
				["ever", { fuel: 12_345 }, /fuel 12345/],
			];
			for (const [name, limits, message] of cases) {
				const found = new Set<number>();
				for (const cache of [false, folder, folder] as const) {
					const module = await new Engine({ cache }).load(GUEST, { imports, metering: "fuel", limits: { ...limits } });
					for (let round = 0; round < 20; round++) {
						const sandbox = module.instantiate();
						await assert.rejects(sandbox.exports[name](100), (error: Error) => message.test(error.message));
						found.add(sandbox.usage.fuel);
						sandbox[Symbol.dispose]();
					}
				}
				assert.equal(found.size, 1, `${name}: ${[...found].join(", ")}`);
				assert.ok(!found.has(0));
			}
		} finally {
			rmSync(folder, { recursive: true, force: true });
		}
	});
});
