import assert from "node:assert/strict";
import { it } from "node:test";
import { type CallsReport, renderCalls } from "./calls-report.ts";

it("renderCalls: microseconds, and ours as a multiple of what is by hand and of Wasmtime's ways, and a part of jco's", () => {
	const report: CallsReport = {
		schema: "skerry-bench-calls/4",
		date: "2026-11-21T00:00:00.000Z",
		command: "npm run bench -- calls",
		commit: null,
		machine: { cpu: "Test CPU", cores: 2, memoryBytes: 8e9, system: "Linux 6 x64", loadAverage: 0.5 },
		pinned: false,
		rounds: 5,
		results: [
			{
				name: "add",
				micros: { skerry: 0.02, hand: 0.01, jco: 2 },
				wasmtime: { typed: 0.08, stoppable: 0.8, dynamic: 1 },
				bytes: { skerry: 12.4, hand: 0 },
			},
			{
				name: "import",
				micros: { skerry: 5, hand: null, jco: 20 },
				wasmtime: null,
				bytes: { skerry: null, hand: null },
			},
		],
	};
	assert.equal(
		renderCalls(report),
		`Test CPU, 2 cores, 8 GB, Linux 6 x64, load average 0.5 before
µs per call, medians of 5 rounds in turns, NOT PINNED

case    skerry  by hand  jco  wasmtime typed  stoppable  dynamic  of by hand  of jco  of typed  of stoppable  of dynamic  allocates  by hand
add     0.0200   0.0100    2          0.0800     0.8000        1       2.00×   1/100     0.25×         0.02×       0.02×       12 B      0 B
import  5             –   20               –          –        –           –     1/4         –             –           –          –        –`,
	);
});
