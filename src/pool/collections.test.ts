import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CompileCache, threadNursery } from "../engine/mod.ts";
import { LimitExceeded } from "../fault/mod.ts";
import { linkComponent, loadComponent } from "../link/mod.ts";
import { SandboxPool } from "./sandbox-pool.ts";

const OVER = new Error("the call is over");
const cache = new CompileCache();

/** Makes so many arrays of 100 KB, one after the other without a check, over and over. */
const makesArrays = (many: number): string => `(component
	(core module $m (type $b (array (mut i8)))
		(func (export "f") (loop $l ${"(drop (array.new_default $b (i32.const 100000)))".repeat(many)} (br $l))))
	(core instance $i (instantiate $m))
	(func (export "f") (canon lift (core func $i "f"))))`;

/** Runs it until its 100 ms of `cpu` are used up. */
async function run(wat: string, metering: "trap" | "yield" | "fuel"): Promise<void> {
	const loaded = loadComponent(new Uint8Array(await parse(wat)));
	const linked = await linkComponent(loaded, { interfaces: [], functions: {} }, cache, { metering });
	const pool = new SandboxPool(linked, { wasi: () => ({}), limits: { cpu: 100, wall: 20_000 } });
	const sandbox = await pool.acquire();
	await assert.rejects(sandbox.call(["f"], []), (error) => error instanceof LimitExceeded && error.limit === "cpu");
	sandbox.end(OVER);
	pool.close(OVER);
}

/** Has the thread run for so many milliseconds. */
function burn(time: number): void {
	const from = process.threadCpuUsage();
	let ran = 0;
	while (ran < time) {
		const { user, system } = process.threadCpuUsage(from);
		ran = (user + system) / 1_000;
	}
}

/** Milliseconds. */
const WAIT = 10;

for (const metering of ["trap", "yield", "fuel"] as const) {
	suite(`collections of what a guest makes: metering ${metering}`, () => {
		test("it is charged for those that are brought about for it, also where other threads do them", async (t) => {
			const nothing = new Int32Array(new SharedArrayBuffer(4));
			let collections = 0;
			t.mock.method(threadNursery(), "make", () => {
				collections++;
				Atomics.wait(nothing, 0, 0, WAIT);
				return true;
			});
			await run(makesArrays(1), metering);
			assert.ok(collections > 0 && collections <= 100 / WAIT, `${collections} of ${WAIT} ms each`);
		});

		test("without time it is given nothing more that could bring about another", async (t) => {
			let made = 0;
			t.mock.method(threadNursery(), "make", (left: number) => {
				made++;
				burn(left + 1);
				return false;
			});
			await run(makesArrays(5), metering);
			assert.equal(made, 1);
		});
	});
}
