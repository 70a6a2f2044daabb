import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { commit } from "./commit.ts";
import type { LoadingReport, LoadingResult, LoadingWay } from "./loading-report.ts";
import { describeMachine } from "./machine.ts";
import { findComponents } from "./sandbox.ts";
import { type Spread, toSpread } from "./statistics.ts";

export interface LoadingOptions {
	readonly rounds: number;
	/** Only components with one of these in their names; all where it is not given. */
	readonly only?: readonly string[] | undefined;
	/** What was typed, for the report. */
	readonly command: string;
	/** Told what is going on. */
	readonly onProgress: (line: string) => void;
}

const WAYS: readonly LoadingWay[] = ["proven", "unproven", "uncached", "cached", "jco"];
const TIMEOUT_MS = 120_000;

/** From the bytes of a component to what can be instantiated, each time in a new process; beside it jco, which makes JavaScript of them. */
export async function benchLoading(options: LoadingOptions): Promise<LoadingReport> {
	const machine = describeMachine();
	const results: LoadingResult[] = [];
	for (const [workload, bytes] of await findComponents(options.onProgress)) {
		if (options.only?.every((part) => !workload.includes(part)) === true) continue;
		const folder = mkdtempSync(join(tmpdir(), "skerry-load-"));
		try {
			results.push(measure(workload, bytes, folder, options));
		} finally {
			rmSync(folder, { recursive: true, force: true });
		}
	}
	return {
		schema: "skerry-bench-load/1",
		date: new Date().toISOString(),
		command: options.command,
		commit: commit(),
		machine,
		rounds: options.rounds,
		results,
	};
}

function measure(workload: string, bytes: Uint8Array, folder: string, options: LoadingOptions): LoadingResult {
	const file = join(folder, "component.wasm");
	const cache = join(folder, "cache");
	writeFileSync(file, bytes);
	// What is found in the cache by all others.
	load("cached", file, cache);
	const rounds = new Map<string, number[]>();
	for (let round = 0; round < options.rounds; round++) {
		options.onProgress(`${workload}, round ${round + 1}`);
		for (const way of WAYS) {
			for (const [stage, took] of Object.entries(load(way, file, cache))) {
				const key = `${way} ${stage}`;
				rounds.set(key, [...(rounds.get(key) ?? []), took]);
			}
		}
	}
	const spread = (key: string): Spread => toSpread(rounds.get(key) ?? []);
	return {
		workload,
		bytes: bytes.length,
		decode: spread("proven decode"),
		validate: spread("proven validate"),
		rewrite: spread("unproven rewrite"),
		verify: spread("proven rewrite").median - spread("unproven rewrite").median,
		link: spread("proven link"),
		compile: spread("proven compile"),
		uncached: spread("uncached whole"),
		cached: spread("cached whole"),
		jco: spread("jco whole"),
	};
}

function load(way: LoadingWay, file: string, cache: string): Readonly<Record<string, number>> {
	const child = fileURLToPath(new URL("loading-child.ts", import.meta.url));
	const { stdout, stderr, status } = spawnSync(process.execPath, ["--no-warnings", child, way, file, cache], {
		encoding: "utf8",
		timeout: TIMEOUT_MS,
	});
	if (status !== 0) throw new Error(`loading ${way} failed: ${stderr.slice(-2000)}`);
	return JSON.parse(stdout) as Record<string, number>;
}
