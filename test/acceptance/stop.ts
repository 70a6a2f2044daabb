/**
 * `npm run soak -- stop [times]`: every shape of endless guest stopped so many times in a row, on an idle machine and under full
 * load, with the distribution of how late; and two endless guests that share a thread with a timer.
 */
import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CompileCache } from "../../src/engine/mod.ts";
import { LimitExceeded } from "../../src/fault/mod.ts";
import { linkComponent, loadComponent } from "../../src/link/mod.ts";
import { SandboxPool } from "../../src/pool/mod.ts";
import { ENDLESS, ENDLESS_HOST_CALLS, ENDLESS_START } from "../server/endless-shapes.ts";

/** Milliseconds of CPU time that each guest has. */
const CPU = 2;
/** The same for those that share the thread. */
const SHARED_CPU = 2_000;
/** The neighbour is asked once in so many kills. */
const NEIGHBOURLY = 10;
type Metering = NonNullable<NonNullable<Parameters<typeof linkComponent>[3]>["metering"]>;
const METERINGS: readonly Metering[] = ["trap", "yield", "fuel"];

const cache = new CompileCache();

async function start(text: string, metering: Metering, cpu: number): Promise<SandboxPool> {
	const host = { interfaces: [], functions: { act: () => {} } };
	const linked = await linkComponent(loadComponent(await parse(text)), host, cache, { metering });
	return new SandboxPool(linked, { wasi: () => ({}), limits: { cpu }, app: "soak" });
}

const OVER = new Error("over");

/** Milliseconds from the deadline of one guest until its caller knew. */
async function stopOnce(pool: SandboxPool, starts: boolean): Promise<number> {
	const from = performance.now();
	try {
		const sandbox = await pool.acquire();
		try {
			assert.ok(starts, "a start function that never ends has ended");
			await sandbox.call(["f"], []);
		} finally {
			sandbox.end(OVER);
		}
	} catch (error) {
		assert.ok(error instanceof LimitExceeded && error.limit === "cpu", String(error));
		return performance.now() - from - CPU;
	}
	return assert.fail("it ended by itself");
}

async function askNeighbour(pool: SandboxPool): Promise<void> {
	const sandbox = await pool.acquire();
	assert.equal(await sandbox.call(["ok"], []), 7);
	sandbox.end(OVER);
}

function distribution(late: readonly number[]): string {
	const sorted = late.toSorted((a, b) => a - b);
	const at = (share: number): string => (sorted[Math.ceil(share * sorted.length) - 1] ?? 0).toFixed(2);
	const [idle, load] = [2, 25].map((bound) => sorted.filter((time) => time > bound).length);
	return `median ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, worst ${at(1)} ms late; ${idle} later than 2 ms, ${load} than 25 ms`;
}

async function stopAll(metering: Metering, when: string, times: number): Promise<void> {
	const all: number[] = [];
	const shapes = { ...ENDLESS, "calls of the host": ENDLESS_HOST_CALLS, "a start function": ENDLESS_START };
	for (const [name, text] of Object.entries(shapes)) {
		const pool = await start(text, metering, CPU);
		const neighbour = await start(ENDLESS["a loop"] ?? "", metering, 5_000);
		const late: number[] = [];
		for (let i = 0; i < times; i++) {
			const asked = i % NEIGHBOURLY === 0 ? askNeighbour(neighbour) : undefined;
			late.push(await stopOnce(pool, text !== ENDLESS_START));
			await asked;
			await turn();
		}
		assert.deepEqual([pool.usage().sandboxes, neighbour.usage().sandboxes], [0, 0]);
		pool.close(OVER);
		neighbour.close(OVER);
		console.log(`  ${name}: ${distribution(late)}`);
		all.push(...late);
	}
	console.log(`${metering}, ${when}, ${all.length} guests: ${distribution(all)}`);
}

/** Without slices the guests run one after the other, and the timer in between. */
async function share(metering: Metering): Promise<void> {
	const pool = await start(ENDLESS["a loop"] ?? "", metering, SHARED_CPU);
	const ended = [0, 1].map(async () => {
		const sandbox = await pool.acquire();
		const from = performance.now();
		await assert.rejects(sandbox.call(["f"], []), LimitExceeded);
		sandbox.end(OVER);
		return performance.now() - from;
	});
	const gaps: number[] = [];
	let last = performance.now();
	const timer = setInterval(() => {
		const now = performance.now();
		gaps.push(now - last);
		last = now;
	}, 5);
	const took = await Promise.all(ended);
	clearInterval(timer);
	pool.close(OVER);
	gaps.sort((a, b) => a - b);
	const worst = gaps.at(-1)?.toFixed(1);
	console.log(
		`${metering}, two endless guests of ${SHARED_CPU} ms each, over after ${took.map((ms) => ms.toFixed(0)).join(" and ")} ms, beside a 5 ms timer: ` +
			`${gaps.length} ticks, median gap ${gaps[gaps.length >> 1]?.toFixed(1)}, worst ${worst} ms`,
	);
}

async function idleCost(): Promise<void> {
	const before = process.cpuUsage();
	await sleep(5_000);
	const { user, system } = process.cpuUsage(before);
	console.log(`idle for 5 s: ${((user + system) / 1000).toFixed(1)} ms of CPU time in the whole process`);
}

export async function soakStop(times: number): Promise<void> {
	console.log(`${times} times each, ${CPU} ms of CPU time`);
	for (const metering of METERINGS) await stopAll(metering, "idle", times);
	for (const metering of METERINGS) await share(metering);
	await idleCost();
	const burners = Array.from({ length: availableParallelism() }, () => new Worker("for (;;);", { eval: true }));
	for (const metering of METERINGS) await stopAll(metering, "under full load", times);
	for (const metering of METERINGS) await share(metering);
	await Promise.all(burners.map(async (burner) => await burner.terminate()));
}
