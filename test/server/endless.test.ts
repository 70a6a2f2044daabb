/** Every shape of code that never ends, in the sandboxes of a real pool: it is stopped, alone, and what held it is as new. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CompileCache } from "../../src/engine/mod.ts";
import { LimitExceeded, type Limits } from "../../src/fault/mod.ts";
import { type HostFunction, linkComponent, loadComponent } from "../../src/link/mod.ts";
import { SandboxPool } from "../../src/pool/mod.ts";
import {
	BOTTOMLESS,
	DOUBLING_START,
	ENDLESS,
	ENDLESS_HOST_CALLS,
	ENDLESS_START,
	HOARDER,
	WASTER,
} from "./endless-shapes.ts";

type Metering = NonNullable<NonNullable<Parameters<typeof linkComponent>[3]>["metering"]>;
const METERINGS: readonly Metering[] = ["trap", "yield", "fuel"];

const CPU = 50;
/** Some shapes have large tables. */
const LIMITS: Limits = { cpu: CPU, tables: 1_000_000 };
const cache = new CompileCache();

async function start(
	text: string,
	metering: Metering,
	limits: Limits = LIMITS,
	functions: Readonly<Record<string, HostFunction<unknown>>> = {},
): Promise<SandboxPool> {
	const linked = await linkComponent(loadComponent(await parse(text)), { interfaces: [], functions }, cache, {
		metering,
	});
	return new SandboxPool(linked, { wasi: () => ({}), limits, app: "x" });
}

function isKilled(error: unknown, limit: string, message: string): void {
	assert.ok(error instanceof LimitExceeded, String(error));
	assert.deepEqual([error.limit, error.message], [limit, message]);
}

async function isStopped(pool: SandboxPool, limit: string, message: string): Promise<void> {
	const [endless, neighbour] = [await pool.acquire(), await pool.acquire()];
	// Both are under way in the same turn
	const [stopped, answered] = await Promise.allSettled([endless.call(["f"], []), neighbour.call(["ok"], [])]);
	assert.equal(stopped.status, "rejected");
	isKilled(stopped.reason, limit, message);
	assert.deepEqual(answered, { status: "fulfilled", value: 7 });
	endless.end(undefined);
	neighbour.end(undefined);
	const next = await pool.acquire();
	assert.equal(await next.call(["ok"], []), 7);
	next.end(undefined);
	assert.equal(pool.usage().sandboxes, 0);
	pool.close(new Error("the test is over"));
}

for (const metering of METERINGS) {
	suite(`a guest that never ends is stopped, and only that guest: metering ${metering}`, () => {
		for (const [name, text] of Object.entries(ENDLESS)) {
			test(name, async () => {
				await isStopped(await start(text, metering), "cpu", 'killed: cpu 50 ms (limit "cpu" of app x)');
			});
		}

		test("recursion to the end of the stack inside of catch_all, again and again", async () => {
			const pool = await start(BOTTOMLESS, metering);
			for (let i = 0; i < 3; i++) {
				const [bottomless, neighbour] = [await pool.acquire(), await pool.acquire()];
				const [stopped, answered] = await Promise.allSettled([bottomless.call(["f"], []), neighbour.call(["ok"], [])]);
				assert.equal(stopped.status === "rejected" && String(stopped.reason), "Trap: call stack exhausted");
				assert.deepEqual(answered, { status: "fulfilled", value: 7 });
				bottomless.end(undefined);
				neighbour.end(undefined);
			}
			pool.close(undefined);
		});

		test("objects in V8's heap, up to their limit", async () => {
			const pool = await start(HOARDER, metering, { gcHeap: 3_000_000 });
			await isStopped(pool, "gcHeap", 'killed: gcHeap 3000000 bytes (limit "gcHeap" of app x)');
		});

		test("what was thrown away counts no more", async () => {
			const pool = await start(WASTER, metering, { gcHeap: 400 * 1024 * 1024 });
			const sandbox = await pool.acquire();
			await sandbox.call(["f"], [2 ** 31 - 1]);
			sandbox.end(undefined);
			pool.close(undefined);
		});

		for (const [name, text] of [
			["a start function", ENDLESS_START],
			["a start function whose calls double at each level", DOUBLING_START],
		] as const)
			test(name, async () => {
				const pool = await start(text, metering);
				const error = await Promise.resolve(pool.acquire()).then(
					() => assert.fail("it started"),
					(reason: unknown) => reason,
				);
				isKilled(error, "cpu", 'killed: cpu 50 ms (limit "cpu" of app x)');
				assert.equal(pool.usage().sandboxes, 0);
			});

		for (const [name, act, limits, limit, message] of [
			["calls of the host", () => {}, { cpu: CPU }, "cpu", 'killed: cpu 50 ms (limit "cpu" of app x)'],
			[
				"calls of the host, up to their number",
				() => {},
				{ hostCalls: 1_000 },
				"hostCalls",
				'killed: hostCalls 1000 calls (limit "hostCalls" of app x)',
			],
			["short waits", () => sleep(1), { wall: 400 }, "wall", 'killed: wall 400 ms (limit "wall" of app x)'],
			[
				"a wait for ever",
				() => new Promise(() => {}),
				{ wall: 400 },
				"wall",
				'killed: wall 400 ms (limit "wall" of app x)',
			],
		] as const) {
			test(name, async () => {
				const pool = await start(ENDLESS_HOST_CALLS, metering, limits, { act });
				await isStopped(pool, limit, message);
			});
		}

		test("what takes longer than it has left is not begun", async () => {
			const pool = await start(
				`(component
					(core module $m (table $t 0 funcref) (func (export "f")
						(drop (table.grow $t (ref.null func) (i32.const 900000))) (loop $l (br $l))))
					(core instance $i (instantiate $m))
					(func (export "f") (canon lift (core func $i "f"))))`,
				metering,
				{ cpu: 80, tables: 1_000_000 },
			);
			const sandbox = await pool.acquire();
			await assert.rejects(async () => await sandbox.call(["f"], []), LimitExceeded);
			const { cpu } = sandbox.usage;
			sandbox.end(undefined);
			pool.close(undefined);
			assert.ok(cpu < 80, `${cpu} ms`);
		});

		test("a guest that works for long, but not for too long, is left alone", async () => {
			const pool = await start(
				`(component
					(core module $m (func (export "f") (local i32)
						(loop $l (br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 3000000))))))
					(core instance $i (instantiate $m))
					(func (export "f") (canon lift (core func $i "f"))))`,
				metering,
				{ cpu: 2_000 },
			);
			for (let i = 0; i < 50; i++) {
				const sandbox = await pool.acquire();
				await sandbox.call(["f"], []);
				sandbox.end(undefined);
			}
			assert.equal(pool.counts.created, 1);
		});
	});
}
