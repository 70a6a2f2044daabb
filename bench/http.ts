import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildComponent } from "../src/build/mod.ts";
import { commit } from "./commit.ts";
import { findLoadTool, type LoadResult, type LoadSettings, type LoadTool } from "./load.ts";
import {
	chooseCores,
	comeFirst,
	type CoreTime,
	describeMachine,
	moveTo,
	othersPercent,
	readCoreTime,
} from "./machine.ts";
import { jco } from "./peers/jco.ts";
import { nodeHttp } from "./peers/node-http.ts";
import type { Peer, PeerFound, Workload } from "./peers/peer.ts";
import { skerry } from "./peers/skerry.ts";
import { wasmtime } from "./peers/wasmtime.ts";
import { workerd } from "./peers/workerd.ts";
import type { AbsentPeer, FailedPeer, HttpReport, HttpResult } from "./report.ts";
import { serve, type Served } from "./served.ts";
import { toSpread } from "./statistics.ts";
import { warmUp, type WarmUp } from "./warm-up.ts";

const PEERS: readonly Peer[] = [skerry, nodeHttp, wasmtime, workerd, jco];

/** Of wrk's order of magnitude for a small service; the same for everyone. */
const CONNECTIONS = 32;
/** Answers that are looked at after the last round, of each server. */
const CHECKS = 320;

export interface HttpOptions {
	/** Of each round. */
	readonly seconds: number;
	readonly rounds: number;
	/** Of each server before the first round, at most; not counted. */
	readonly warmupSeconds: number;
	/** Names of the peers to measure; all when absent. */
	readonly only: readonly string[] | undefined;
	/** The name of the one workload to measure; all when absent. */
	readonly app: string | undefined;
	/** What was typed, for the report. */
	readonly command: string;
	/** Told what is going on. */
	readonly onProgress: (line: string) => void;
}

/** The names that `only` may hold. */
export const PEER_NAMES: readonly string[] = PEERS.map(({ name }) => name);

/** Measures every peer that is installed on every workload, all in one run on the same machine. */
export async function benchHttp(options: HttpOptions): Promise<HttpReport> {
	const { seconds, rounds, warmupSeconds, onProgress } = options;
	const machine = describeMachine(); // before this process is moved to a single core
	const cores = chooseCores();
	const tool = await findLoadTool();
	const pin = (core: number | undefined): string[] => (core === undefined ? [] : ["taskset", "-c", `${core}`]);
	const load: LoadSettings = { connections: CONNECTIONS, seconds, prefix: pin(cores?.load) };

	const absent: AbsentPeer[] = [];
	const failed: FailedPeer[] = [];
	const found: FoundPeer[] = [];
	for (const peer of PEERS) {
		if (options.only?.includes(peer.name) === false) continue;
		const answer = await peer.find();
		if ("install" in answer) absent.push({ peer: peer.name, install: answer.install });
		else found.push({ ...answer, name: peer.name, isolation: peer.isolation });
	}

	const workloads = await findWorkloads(options.app, onProgress);
	if (cores !== undefined) moveTo(cores.load);
	// Each server is in a session of its own, which does so too.
	const first = comeFirst(process.pid);
	const results: HttpResult[] = [];
	for (const workload of workloads) {
		const measured = await measure(workload, found, {
			tool,
			load,
			rounds,
			warmupSeconds,
			onProgress,
			failed,
			pin: pin(cores?.server),
			core: cores?.server,
		});
		const own = measured.find(({ peer }) => peer === skerry.name)?.requestsPerSecond.median;
		for (const result of measured) {
			results.push({ ...result, skerryRatio: own === undefined ? null : own / result.requestsPerSecond.median });
		}
	}
	return {
		schema: "skerry-bench-http/2",
		date: new Date().toISOString(),
		command: options.command,
		commit: commit(),
		machine,
		load: { tool: tool.name, version: tool.version, connections: CONNECTIONS, seconds, rounds, warmupSeconds },
		cores: cores ?? null,
		first,
		peers: found.map(({ name, version, isolation }) => ({ peer: name, version, isolation })),
		absent,
		failed,
		results,
	};
}

interface FoundPeer extends PeerFound {
	readonly name: string;
	readonly isolation: string;
}

interface Run {
	readonly tool: LoadTool;
	readonly load: LoadSettings;
	readonly rounds: number;
	readonly warmupSeconds: number;
	readonly onProgress: (line: string) => void;
	readonly failed: FailedPeer[];
	readonly pin: readonly string[];
	/** The servers'; `undefined` when not pinned. */
	readonly core: number | undefined;
}

/**
 * All servers of a workload run at the same time, idle but for the one under load, and take turns in each round: what slows the
 * machine for a while slows all of them.
 */
async function measure(
	workload: Workload,
	peers: readonly FoundPeer[],
	run: Run,
): Promise<Omit<HttpResult, "skerryRatio">[]> {
	await using stack = new AsyncDisposableStack();
	const servers: { peer: FoundPeer; server: Served; warm: WarmUp; loads: LoadResult[]; others: number[] }[] = [];
	for (const peer of peers) {
		if (peer.serves?.(workload) === false) continue;
		run.onProgress(`${workload.name}: starting ${peer.name}`);
		try {
			const server = stack.use(await serve(peer, workload, run.pin));
			const warm = await warmUp(run.warmupSeconds, async () => {
				const { requestsPerSecond } = await run.tool.run(server.url, { ...run.load, seconds: 1 });
				return requestsPerSecond;
			});
			servers.push({ peer, server, warm, loads: [], others: [] });
		} catch (error) {
			run.failed.push({ workload: workload.name, peer: peer.name, reason: (error as Error).message });
		}
	}
	for (let round = 1; round <= run.rounds; round++) {
		run.onProgress(`${workload.name}: round ${round} of ${run.rounds}`);
		for (const { server, loads, others } of servers) {
			const time = (): CoreTime | undefined =>
				run.core === undefined ? undefined : readCoreTime(run.core, server.pid);
			const before = time();
			loads.push(await run.tool.run(server.url, run.load));
			others.push(othersPercent(before, time()));
		}
	}
	const wrong = new Map<Served, number>();
	for (const { server } of servers) wrong.set(server, await countWrong(server.url, workload.answer));
	return servers.map(({ peer, server, warm, loads, others }) => {
		const memory = server.memory();
		return {
			workload: workload.name,
			peer: peer.name,
			requestsPerSecond: toSpread(loads.map((load) => load.requestsPerSecond)),
			p50Ms: toSpread(loads.map((load) => load.p50Ms)),
			p99Ms: toSpread(loads.map((load) => load.p99Ms)),
			requests: loads.reduce((sum, load) => sum + load.requests, 0),
			failures: loads.reduce((sum, load) => sum + load.failures, wrong.get(server) ?? 0),
			othersPercent: others.some(Number.isNaN) ? null : toSpread(others),
			startMs: server.startMs,
			warmUp: warm,
			peakRssBytes: memory?.peakRssBytes ?? null,
			rssBytes: memory?.rssBytes ?? null,
		};
	});
}

/** How many of the answers after the load are not the right one: a counter that counts on, say. The load tools look at statuses only. */
async function countWrong(url: string, answer: string): Promise<number> {
	let wrong = 0;
	for (let batch = 0; batch < CHECKS / CONNECTIONS; batch++) {
		const ask = async (): Promise<void> => {
			const response = await fetch(url);
			if (response.status !== 200 || (await response.text()) !== answer) wrong++;
		};
		await Promise.all(Array.from({ length: CONNECTIONS }, ask));
	}
	return wrong;
}

/** The names that `app` may have. */
export const WORKLOAD_NAMES: readonly string[] = [
	"rust hello",
	"StarlingMonkey hello",
	"quickstart hello (TypeScript)",
	"quickstart counter",
];

async function findWorkloads(app: string | undefined, onProgress: (line: string) => void): Promise<Workload[]> {
	const absolute = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
	const build = async (folder: string, entry: string): Promise<string> => {
		const { file } = await buildComponent({
			entry: `${folder}/${entry}`,
			folder,
			onProgress: (step) => onProgress(`${entry}: ${step}`),
		});
		return file;
	};
	const rust: Workload = {
		name: "rust hello",
		component: absolute("../../shared/suites/http/rust-hello-0.2.wasm"),
		path: "/",
		answer: "hello world",
	};
	// Only what is measured is built.
	if (app === rust.name) return [rust];
	const quickstart = await build(absolute("../examples/quickstart"), "src/app.ts");
	const hello = await build(absolute("programs"), "hello.js");
	const workloads: Workload[] = [
		rust,
		{
			name: "StarlingMonkey hello",
			component: hello,
			script: absolute("programs/hello.js"),
			path: "/",
			answer: "Hello\n",
		},
		{
			name: "quickstart hello (TypeScript)",
			component: quickstart,
			path: "/",
			answer: "Hello from a sandbox of its own!\n",
		},
		{ name: "quickstart counter", component: quickstart, path: "/counter", answer: "1\n" },
	];
	return workloads.filter(({ name, component }) => {
		if (app !== undefined && name !== app) return false;
		const there = existsSync(component);
		if (!there) onProgress(`${name}: left out, there is no ${component}`);
		return there;
	});
}
