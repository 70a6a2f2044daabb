import assert from "node:assert/strict";
import { it } from "node:test";
import { renderSandbox, type SandboxReport } from "./sandbox-report.ts";

it("renderSandbox: times in microseconds, and why nothing was reset", () => {
	const result = {
		imageBytes: 9_500_000,
		ready: { median: 0.001, p99: 0.004 },
		request: { median: 0.05, p99: 0.1 },
		release: { median: 0.0125, p99: 0.02 },
		whole: { median: 0.0635, p99: 0.124 },
		idleReady: { median: 0.0005, p99: 0.001 },
		idleRelease: { median: 0.0025, p99: 0.003 },
		fresh: { median: 4.3, p99: 12 },
		created: 1,
		rssPerSandbox: 3_300_000,
	};
	const report: SandboxReport = {
		schema: "skerry-bench-sandbox/1",
		date: "2026-11-21T00:00:00.000Z",
		command: "npm run bench -- sandbox",
		commit: null,
		machine: { cpu: "Test CPU", cores: 2, memoryBytes: 8e9, system: "Linux 6 x64", loadAverage: 0.5 },
		pinned: true,
		mapper: "PAGEMAP_SCAN",
		cycles: 10_000,
		warmup: 10_000,
		results: [
			{ workload: "hello", ...result, restoredBytes: 741_000, freshBecause: null },
			{ workload: "tables", ...result, restoredBytes: null, freshBecause: "it changes tables" },
		],
	};
	assert.equal(
		renderSandbox(report),
		`Test CPU, 2 cores, 8 GB, Linux 6 x64, load average 0.5 before
median / 99th percentile in µs of 10000 cycles after 10000, one at a time on one core; written pages: PAGEMAP_SCAN

workload  memory  ready    release   request  whole cycle  empty cycle  new instance               put back  RSS idle  in 4 GiB
hello     9.5 MB  1 / 4  12.5 / 20  50 / 100   63.5 / 124            3  4300 / 12000               0.741 MB    3.3 MB      1301
tables    9.5 MB  1 / 4  12.5 / 20  50 / 100   63.5 / 124            3  4300 / 12000  – (it changes tables)    3.3 MB      1301`,
	);
});
