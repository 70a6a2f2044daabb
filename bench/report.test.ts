import assert from "node:assert/strict";
import { it } from "node:test";
import { figure, type HttpReport, renderHttp } from "./report.ts";
import { toSpread } from "./statistics.ts";

it("figure: three significant digits, whole from 100 on", () => {
	const cases: [number, string][] = [
		[0.01234, "0.0123"],
		[1, "1"],
		[99.94, "99.9"],
		[123.4, "123"],
		[41955.11, "41955"],
		[Number.NaN, "–"],
	];
	for (const [value, due] of cases) assert.equal(figure(value), due);
});

it("renderHttp: every result, what failed and what is absent", () => {
	const report: HttpReport = {
		schema: "skerry-bench-http/2",
		date: "2026-11-21T00:00:00.000Z",
		command: "npm run bench -- http",
		commit: null,
		machine: { cpu: "Test CPU", cores: 2, memoryBytes: 8e9, system: "Linux 6 x64", loadAverage: 0.5 },
		load: { tool: "wrk", version: "4.1.0", connections: 32, seconds: 3, rounds: 3, warmupSeconds: 15 },
		cores: null,
		first: false,
		peers: [{ peer: "node:http", version: "26.0.0", isolation: "none" }],
		absent: [{ peer: "jco serve", install: "npm i" }],
		failed: [{ workload: "hello", peer: "wasmtime serve", reason: "it ended with 1" }],
		results: [
			{
				workload: "hello",
				peer: "node:http",
				requestsPerSecond: toSpread([1000, 1234, 999]),
				p50Ms: toSpread([1, 1, 1]),
				p99Ms: toSpread([2.5, 2.5, 2.5]),
				requests: 9699,
				failures: 7,
				othersPercent: toSpread([0, 3.6, 1]),
				startMs: 250,
				warmUp: { rates: [300, 900, 960, 1001, 1000, 1000, 1000], settled: true },
				peakRssBytes: null,
				rssBytes: null,
				skerryRatio: 0.5,
			},
		],
	};
	assert.equal(
		renderHttp(report),
		`Test CPU, 2 cores, 8 GB, Linux 6 x64, load average 0.5 before
wrk 4.1.0: 32 connections, medians of 3 rounds of 3 s, warm-up of 15 s at most; NOT PINNED: server and load share cores, LIKE OTHERS that want them

hello
server            per request  req/s  (min–max)  p50 ms  p99 ms  others %  peak RSS   start  1st second  warm after  failures  skerry ÷ it
node:http 26.0.0  none          1000   999–1234       1     2.5         4         –  0.25 s         300         2 s         7         0.5×

Failed:
  wasmtime serve on hello: it ended with 1

Absent:
  jco serve: npm i`,
	);
});
