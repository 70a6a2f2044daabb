import assert from "node:assert/strict";
import { test } from "node:test";
import { geomean, join, type MeteringReport, type MeteringResult, renderMetering } from "./metering-report.ts";

const REPORT: MeteringReport = {
	schema: "skerry-bench-metering/1",
	date: "2026-11-21T00:00:00.000Z",
	command: "npm run bench -- metering",
	commit: null,
	machine: { cpu: "a CPU", cores: 2, memoryBytes: 2 ** 30, system: "Linux", loadAverage: 0 },
	milliseconds: 100,
	results: [
		{
			program: "one",
			rounds: 7,
			milliseconds: { off: 10, trap: 10, yield: 11, fuel: 12 },
			bytes: { off: 100, trap: 101, yield: 102, fuel: 130 },
			wasmtime: { off: 10, epochs: 22, fuel: 24 },
		},
		{
			program: "two",
			rounds: 4,
			milliseconds: { off: 100, trap: 121, yield: 110, fuel: 120 },
			bytes: { off: 100, trap: 100, yield: 100, fuel: 100 },
			wasmtime: null,
		},
	],
	failed: [{ program: "three", reason: "it ended with status 1" }],
};

test("multiples of the untouched program, their geometric mean and their worst; what was not measured is left out", () => {
	const lines = renderMetering(REPORT).split("\n").slice(3);
	const cells = lines.map((line) => line.trim().split(/ {2,}/));
	assert.deepEqual(cells.slice(1), [
		["one", "7", "10", "1.000", "1.100", "1.200", "0.500", "0.500", "1.010", "1.020", "1.300"],
		["two", "4", "100", "1.210", "1.100", "1.200", "–", "–", "1.000", "1.000", "1.000"],
		["geometric mean", "1.100", "1.100", "1.200", "0.500", "0.500"],
		["worst", "1.210", "1.100", "1.200", "0.500", "0.500"],
		["failed: three: it ended with status 1"],
	]);
});

test("the geometric mean", () => {
	assert.ok(Math.abs(geomean([2, 8]) - 4) < 1e-12);
	assert.ok(Number.isNaN(geomean([])));
});

test("of several passes the shortest, of each by itself", () => {
	const [one, two] = REPORT.results as [MeteringResult, MeteringResult];
	const other = { ...one, rounds: 3, milliseconds: { off: 9, trap: 11, yield: 10, fuel: 13 } };
	assert.deepEqual(join(undefined, one), one);
	assert.deepEqual(join(one, { ...other, wasmtime: { off: 11, epochs: 21, fuel: 24 } }), {
		...one,
		rounds: 10,
		milliseconds: { off: 9, trap: 10, yield: 10, fuel: 12 },
		wasmtime: { off: 10, epochs: 21, fuel: 24 },
	});
	assert.equal(join(one, { ...other, wasmtime: null }).wasmtime, null);
	assert.equal(join(two, { ...two, wasmtime: one.wasmtime }).wasmtime, null);
});
