import { createRequire } from "node:module";
import { run, version, which } from "./program.ts";

/** What one load of fixed length saw. */
export interface LoadResult {
	readonly requestsPerSecond: number;
	readonly p50Ms: number;
	readonly p99Ms: number;
	readonly requests: number;
	/** Answers that were not 2xx (wrk counts 3xx as good), and connections that failed or timed out. */
	readonly failures: number;
}

export interface LoadSettings {
	readonly connections: number;
	readonly seconds: number;
	/** Words before the command, to pin it. */
	readonly prefix: readonly string[];
}

export interface LoadTool {
	readonly name: string;
	readonly version: string;
	run(url: string, settings: LoadSettings): Promise<LoadResult>;
}

/** wrk when it is installed, else autocannon, a dev dependency; autocannon needs more of the core that it shares with nobody. */
export async function findLoadTool(): Promise<LoadTool> {
	const wrk = which("wrk");
	if (wrk !== undefined) return wrkTool(wrk, await version(wrk, ["--version"]));
	const require = createRequire(import.meta.url);
	const { version: number } = require("autocannon/package.json") as { version: string };
	return autocannonTool(require.resolve("autocannon/autocannon.js"), number);
}

function wrkTool(program: string, version: string): LoadTool {
	return {
		name: "wrk",
		version,
		async run(url, { connections, seconds, prefix }) {
			const wrk = [program, "-t1", `-c${connections}`, `-d${seconds}s`, "--latency", "--timeout", "10s", url];
			return parseWrk(await run([...prefix, ...wrk], { timeoutMs: (seconds + 30) * 1000 }));
		},
	};
}

function autocannonTool(program: string, version: string): LoadTool {
	return {
		name: "autocannon",
		version,
		async run(url, { connections, seconds, prefix }) {
			const options = ["-c", `${connections}`, "-d", `${seconds}`, "--json", "--no-progress", url];
			const command = [...prefix, process.execPath, program, ...options];
			return parseAutocannon(await run(command, { timeoutMs: (seconds + 30) * 1000 }));
		},
	};
}

const UNIT_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Reads what wrk prints with `--latency`. */
export function parseWrk(text: string): LoadResult {
	const latency = (percent: number): number => {
		const found = new RegExp(`^ +${percent}%\\s+([\\d.]+)(us|ms|s|m|h) *$`, "m").exec(text);
		return found === null ? unreadable("wrk", text) : Number(found[1]) * (UNIT_MS[found[2] ?? ""] ?? Number.NaN);
	};
	const requests = /^ +(\d+) requests in /m.exec(text)?.[1];
	const rate = /^Requests\/sec: +([\d.]+)$/m.exec(text)?.[1];
	if (requests === undefined || rate === undefined) return unreadable("wrk", text);
	const sockets =
		/^ +Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)$/m.exec(text)?.slice(1) ?? [];
	const bad = /^ +Non-2xx or 3xx responses: (\d+)$/m.exec(text)?.[1] ?? "0";
	return {
		requestsPerSecond: Number(rate),
		p50Ms: latency(50),
		p99Ms: latency(99),
		requests: Number(requests),
		failures: [...sockets, bad].reduce((sum, count) => sum + Number(count), 0),
	};
}

interface AutocannonReport {
	readonly duration: number;
	readonly requests: { readonly total: number };
	readonly latency: { readonly p50: number; readonly p99: number };
	readonly errors: number;
	readonly non2xx: number;
}

/** Reads what autocannon prints with `--json`; its errors include the timeouts. */
export function parseAutocannon(text: string): LoadResult {
	let report: AutocannonReport;
	try {
		report = JSON.parse(text) as AutocannonReport;
	} catch {
		return unreadable("autocannon", text);
	}
	const { duration, requests, latency, errors, non2xx } = report;
	return {
		requestsPerSecond: requests.total / duration,
		p50Ms: latency.p50,
		p99Ms: latency.p99,
		requests: requests.total,
		failures: errors + non2xx,
	};
}

function unreadable(tool: string, text: string): never {
	throw new Error(`Cannot read what ${tool} printed: ${text.slice(0, 500)}`);
}
