import { existsSync, readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { buildComponent } from "../src/build/mod.ts";
import { CompileCache, createLinuxPageMapper, type PageMapper } from "../src/engine/mod.ts";
import { instantiate, type Linked, linkComponent, loadComponent } from "../src/link/mod.ts";
import { type PooledSandbox, SandboxPool } from "../src/pool/mod.ts";
import { createWasiContext, WASI_HOST } from "../src/wasi/mod.ts";
import { callHandler } from "../test/reset/http-call.ts";
import { commit } from "./commit.ts";
import { chooseCores, describeMachine, moveTo } from "./machine.ts";
import type { SandboxReport, SandboxResult } from "./sandbox-report.ts";
import { soak, type SoakResult } from "./soak.ts";
import { type Quantiles, toQuantiles } from "./statistics.ts";

export interface SandboxOptions {
	/** Cycles that are measured, of each workload. */
	readonly cycles: number;
	/** Cycles before them; not counted. */
	readonly warmup: number;
	/** What was typed, for the report. */
	readonly command: string;
	/** Told what is going on. */
	readonly onProgress: (line: string) => void;
}

interface Workload {
	readonly name: string;
	readonly linked: Linked;
	/** One request in a sandbox that was acquired for it. */
	readonly request: (sandbox: PooledSandbox) => Promise<unknown>;
}

const OVER = new Error("the call is over");

/** New instances are made this many times only: V8 keeps address space for each until it is collected. */
const FRESH_CYCLES = 200;
/** Sandboxes that are kept at once to see what one of them takes. */
const IDLE_SANDBOXES = 32;

/** How long it takes to make a sandbox ready, to use it and to put it back, one at a time, on one core. */
export async function benchSandbox(options: SandboxOptions): Promise<SandboxReport> {
	const machine = describeMachine();
	const cores = chooseCores();
	const found = createLinuxPageMapper();
	const workloads = await findWorkloads(options.onProgress);
	if (cores !== undefined) moveTo(cores.server);
	const results: SandboxResult[] = [];
	for (const workload of workloads) {
		options.onProgress(workload.name);
		results.push(await measure(workload, typeof found === "string" ? undefined : found, options));
	}
	return {
		schema: "skerry-bench-sandbox/1",
		date: new Date().toISOString(),
		command: options.command,
		commit: commit(),
		machine,
		pinned: cores !== undefined,
		mapper: typeof found === "string" ? found : found.method,
		cycles: options.cycles,
		warmup: options.warmup,
		results,
	};
}

/** The whole of the acquire-and-release cycle, very often: a component of nothing, one with memory, and a real one. */
export async function soakSandboxes(cycles: number, onProgress: (line: string) => void): Promise<SoakResult[]> {
	const results: SoakResult[] = [];
	for (const workload of await findWorkloads(onProgress)) {
		if (SOAKED.has(workload.name)) results.push(await soak(workload, cycles, collectAll, onProgress));
	}
	return results;
}

const SOAKED: ReadonlySet<string> = new Set(["empty component", "60 MB of memory", "rust hello"]);

async function measure(
	{ name, linked, request }: Workload,
	mapper: PageMapper | undefined,
	{ cycles, warmup }: SandboxOptions,
): Promise<SandboxResult> {
	const fresh = await measureFresh(linked);
	const pool = new SandboxPool(linked, { wasi: () => ({}), mapper });
	const phases = { ready: samples(cycles), request: samples(cycles), release: samples(cycles), whole: samples(cycles) };
	const idle = { ready: samples(cycles), release: samples(cycles) };
	for (let i = -warmup; i < cycles; i++) {
		const started = performance.now();
		const sandbox = await pool.acquire();
		const ready = performance.now();
		await request(sandbox);
		const answered = performance.now();
		sandbox.end(OVER);
		const released = performance.now();
		if (i < 0) continue;
		phases.ready[i] = ready - started;
		phases.request[i] = answered - ready;
		phases.release[i] = released - answered;
		phases.whole[i] = released - started;
	}
	const { restoredBytes, reset, created } = pool.counts;
	// Without a request between them: what a sandbox costs by itself.
	for (let i = -warmup; i < cycles; i++) {
		const started = performance.now();
		const sandbox = await pool.acquire();
		const ready = performance.now();
		sandbox.end(OVER);
		const released = performance.now();
		if (i < 0) continue;
		idle.ready[i] = ready - started;
		idle.release[i] = released - ready;
	}
	const rssPerSandbox = await measureIdle(pool, request);
	const freshBecause = pool.freshBecause ?? null;
	pool.close(OVER);
	return {
		workload: name,
		imageBytes: imageBytes(linked),
		ready: toQuantiles(phases.ready),
		request: toQuantiles(phases.request),
		release: toQuantiles(phases.release),
		whole: toQuantiles(phases.whole),
		idleReady: toQuantiles(idle.ready),
		idleRelease: toQuantiles(idle.release),
		fresh,
		restoredBytes: reset === 0 ? null : restoredBytes / reset,
		created,
		freshBecause,
		rssPerSandbox,
	};
}

const samples = (count: number): Float64Array => new Float64Array(count);

/** A new instance of the component: what a sandbox would cost without slots. */
async function measureFresh(linked: Linked): Promise<Quantiles> {
	const times = samples(FRESH_CYCLES);
	for (let i = -20; i < FRESH_CYCLES; i++) {
		const started = performance.now();
		const instance = instantiate(linked, createWasiContext());
		if (i >= 0) times[i] = performance.now() - started;
		instance.dispose(OVER);
		await turn();
	}
	collectGarbage();
	return toQuantiles(times);
}

function imageBytes(linked: Linked): number {
	const instance = instantiate(linked, createWasiContext());
	const bytes = instance.snapshot().reduce((sum, { memories }) => sum + memories.reduce((n, m) => n + m.length, 0), 0);
	instance.dispose(OVER);
	return bytes;
}

/** Resident memory that one more sandbox takes, after it has served a request and was put back. */
async function measureIdle(pool: SandboxPool, request: (sandbox: PooledSandbox) => Promise<unknown>): Promise<number> {
	const serve = async (count: number): Promise<void> => {
		const sandboxes = await Promise.all(Array.from({ length: count }, async () => await pool.acquire()));
		for (const sandbox of sandboxes) await request(sandbox);
		for (const sandbox of sandboxes) sandbox.end(OVER);
		await turn();
		collectGarbage();
	};
	await serve(1);
	const before = process.memoryUsage.rss();
	await serve(1 + IDLE_SANDBOXES);
	return (process.memoryUsage.rss() - before) / IDLE_SANDBOXES;
}

setFlagsFromString("--expose-gc");
const runCollector = runInNewContext("gc") as (options?: object) => void;
const collectGarbage = (): void => runCollector();
/** Gives back what V8 keeps for young objects, too: some megabytes, which it has and has not by turns. */
const collectAll = (): void => runCollector({ type: "major", execution: "sync", flavor: "last-resort" });

/** A component with one function, and a memory of this many pages whose first bytes it counts in. */
function synthetic(pages: number): string {
	const count = `(i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1))) (i32.load (i32.const 8))`;
	// Every page has content of its own, as in a program that was initialised ahead.
	const data = Array.from({ length: pages }, (_, i) => `(data (i32.const ${i * 65_536 + 64}) "page ${i}")`).join("");
	return `(component
		(core module $m ${pages === 0 ? "" : `(memory ${pages}) ${data}`}
			(func (export "run") (result i32) ${pages === 0 ? "(i32.const 1)" : count}))
		(core instance $i (instantiate $m))
		(func (export "run") (result u32) (canon lift (core func $i "run"))))`;
}

async function findWorkloads(onProgress: (line: string) => void): Promise<Workload[]> {
	const cache = new CompileCache();
	const link = async (bytes: Uint8Array): Promise<Linked> =>
		await linkComponent(loadComponent(bytes), WASI_HOST, cache);
	const workloads: Workload[] = [];
	for (const [name, pages] of [
		["empty component", 0],
		["60 MB of memory", 960],
	] as const) {
		workloads.push({
			name,
			linked: await link(new Uint8Array(await parse(synthetic(pages)))),
			request: (sandbox) => sandbox.call(["run"], []),
		});
	}
	for (const [name, component] of await findComponents(onProgress)) {
		const linked = await link(component);
		const handler = [...linked.plan.exports.keys()].find((key) => key.startsWith("wasi:http/incoming-handler@")) ?? "";
		workloads.push({
			name,
			linked,
			request: (sandbox) => callHandler(sandbox, { path: [handler, "handle"], target: "/" }),
		});
	}
	return workloads;
}

/** Real components, by their names in reports. */
export async function findComponents(
	onProgress: (line: string) => void,
): Promise<readonly (readonly [name: string, bytes: Uint8Array])[]> {
	const found: [string, Uint8Array][] = [];
	const rust = fileURLToPath(new URL("../../shared/suites/http/rust-hello-0.2.wasm", import.meta.url));
	const build = async (folder: string, entry: string): Promise<string> => {
		const path = fileURLToPath(new URL(folder, import.meta.url));
		const { file } = await buildComponent({
			entry: `${path}/${entry}`,
			folder: path,
			onProgress: (step) => onProgress(`${entry}: ${step}`),
		});
		return file;
	};
	for (const [name, component] of [
		["rust hello", rust],
		["StarlingMonkey hello", await build("programs", "hello.js")],
		["quickstart hello (TypeScript)", await build("../examples/quickstart", "src/app.ts")],
	] as const) {
		if (!existsSync(component)) {
			onProgress(`${name}: left out, there is no ${component}`);
			continue;
		}
		found.push([name, new Uint8Array(readFileSync(component))]);
	}
	return found;
}
