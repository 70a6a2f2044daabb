import assert from "node:assert/strict";
import { it } from "node:test";
import { type LoadingReport, renderLoading } from "./loading-report.ts";
import { toSpread } from "./statistics.ts";

it("renderLoading: the stages, and what of them jco's transpilation is compared with", () => {
	const report: LoadingReport = {
		schema: "skerry-bench-load/1",
		date: "2026-11-21T00:00:00.000Z",
		command: "npm run bench -- load",
		commit: null,
		machine: { cpu: "Test CPU", cores: 2, memoryBytes: 8e9, system: "Linux 6 x64", loadAverage: 0.5 },
		rounds: 3,
		results: [
			{
				workload: "hello",
				bytes: 12e6,
				decode: toSpread([10, 9, 30]),
				validate: toSpread([5, 5, 5]),
				link: toSpread([15, 14, 16]),
				rewrite: toSpread([100, 100, 100]),
				verify: 80,
				compile: toSpread([40, 40, 40]),
				uncached: toSpread([260, 260, 260]),
				cached: toSpread([50, 50, 50]),
				jco: toSpread([600, 600, 600]),
			},
		],
	};
	assert.equal(
		renderLoading(report),
		`Test CPU, 2 cores, 8 GB, Linux 6 x64, load average 0.5 before
ms, medians of 3 processes each, in turns

component  size   decode  validate  link  sum  jco  sum of jco  rewrite  verify  V8  uncached  cached
hello      12 MB      10         5    15   30  600        1/20      100      80  40       260      50`,
	);
});
