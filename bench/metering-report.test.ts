import assert from "node:assert/strict";
import { test } from "node:test";
import { geomean, type MeteringEntry, type MeteringReport, renderMetering, summarize } from "./metering-report.ts";

const BYTES = { off: 100, again: 108, trap: 101, yield: 102, fuel: 130 };

function entry(milliseconds: MeteringEntry["milliseconds"], more: Partial<MeteringEntry> = {}): MeteringEntry {
	return { program: "one", milliseconds, bytes: BYTES, rounds: 3, undisturbed: 1, best: 27, wasmtime: null, ...more };
}

const ONE = entry(
	{ off: 10, again: 10, trap: 10, yield: 11, fuel: 12 },
	{ wasmtime: { off: 10, epochs: 22, fuel: 24 } },
);
const TWO = entry(
	{ off: 100, again: 121, trap: 121, yield: 110, fuel: 132 },
	{ program: "two", bytes: { off: 100, again: 108, trap: 100, yield: 100, fuel: 100 } },
);

const REPORT: MeteringReport = {
	schema: "skerry-bench-metering/2",
	date: "2026-11-21T00:00:00.000Z",
	command: "npm run bench -- metering",
	commit: null,
	machine: { cpu: "a CPU", cores: 2, memoryBytes: 2 ** 30, system: "Linux", loadAverage: 0 },
	milliseconds: 100,
	results: [
		summarize([ONE, ONE], 27),
		summarize([TWO, { ...TWO, milliseconds: { off: 1, again: 1, trap: 1, yield: 1, fuel: 2 }, undisturbed: 0 }], 27),
	],
	failed: [{ program: "three", reason: "it ended with status 1" }],
};

test("multiples of the untouched program, their geometric mean and their worst; what was not measured is left out", () => {
	const lines = renderMetering(REPORT).split("\n").slice(3);
	const cells = lines.map((line) => line.trim().split(/ {2,}/));
	assert.deepEqual(cells.slice(1), [
		["one", "2", "10", "1.000 ±0", "1.000 ±0", "1.100 ±0", "1.200 ±0", "0.500", "0.500", "1.010", "1.020", "1.300"],
		["two", "1 (1 not)", "100", "1.210", "1.100", "1.000", "1.200", "–", "–", "1.000", "1.000", "1.000"],
		["geometric mean", "1.100", "1.049", "1.049", "1.200", "0.500", "0.500"],
		["of the shortest", "1.100", "1.100", "1.100", "1.259", "–", "–"],
		["worst", "1.210", "1.100", "1.100", "1.200", "0.500", "0.500"],
		["failed: three: it ended with status 1"],
	]);
});

test("the geometric mean", () => {
	assert.ok(Math.abs(geomean([2, 8]) - 4) < 1e-12);
	assert.ok(Number.isNaN(geomean([])));
});

test("ratios are taken within a process, over both runs of the untouched module", () => {
	const slow = entry({ off: 20, again: 20, trap: 22, yield: 22, fuel: 24 });
	const fast = entry({ off: 8, again: 12.5, trap: 10, yield: 11, fuel: 12 });
	const { ratios, milliseconds, shortest, processes } = summarize([slow, fast], 27);
	assert.equal(processes, 2);
	assert.deepEqual(milliseconds, { off: 14, again: 16.25, trap: 16, yield: 16.5, fuel: 18 });
	const near = (found: number, expected: number): void => assert.ok(Math.abs(found - expected) < 1e-9, `${found}`);
	assert.deepEqual(shortest, fast.milliseconds);
	near(ratios.again.value, 1.25);
	near(ratios.trap.value, Math.sqrt(1.1));
	// Of two logarithms, half of what lies between them
	near(ratios.trap.error, Math.log(1.1) / 2);
	near(ratios.yield.value, 1.1);
	near(ratios.yield.error, 0);
});

test("processes that were disturbed count where there are no others", () => {
	const disturbed = entry({ off: 20, again: 20, trap: 30, yield: 22, fuel: 24 }, { undisturbed: 0 });
	const shared = { ...disturbed, undisturbed: 4, best: 47 };
	for (const [entries, processes, off, left] of [
		[[ONE, disturbed, shared], 1, 10, 2],
		[[disturbed, shared], 2, 20, 2],
	] as const) {
		const found = summarize(entries, 27);
		assert.deepEqual([found.processes, found.milliseconds.off, found.disturbed], [processes, off, left]);
	}
	assert.equal(summarize([shared], 47).disturbed, 0);
});

test("of Wasmtime, whose code is always the same, the shortest of all processes", () => {
	const other = { ...ONE, wasmtime: { off: 11, epochs: 21, fuel: 25 } };
	assert.deepEqual(summarize([ONE, other, { ...ONE, wasmtime: null }], 27).wasmtime, { off: 10, epochs: 21, fuel: 24 });
	assert.equal(summarize([TWO], 27).wasmtime, null);
});
