import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { type Stop, StopFigures } from "./stop-figures.ts";
import { ownTime } from "./stretch.ts";

suite("what of a stop that came late is its own", () => {
	for (const [name, took, ran, queued, allRan, own] of [
		["it ran all the time", 5, 5, 0, 5, 3],
		["others had the processor", 5, 2.5, 2.5, 2.5, 0.5],
		["V8 collected, this thread's part of it among others", 10, 6, 0, 13, 8],
		["V8 collected, and was kept from the processor", 10, 6, 0, 7, 5],
		["it waited for nothing that ran", 10, 2, 0, 2, 0],
		["it ended early", 1, 1, 0, 1, -1],
		["nobody knows", 5, Number.NaN, 0, 5, 3],
		["nobody knows what it waited", 5, 3, Number.NaN, 5, 3],
	] as const) {
		test(name, () => assert.equal(ownTime({ from: 100, due: 102, to: 100 + took, ran, queued, allRan }), own));
	}
});

const stop = (late: number, own = late): Stop => ({ late, own, what: `${own}` });

test("figures are added to what a file holds", (t) => {
	const folder = mkdtempSync(join(tmpdir(), "skerry-soak-"));
	t.after(() => rmSync(folder, { recursive: true }));
	const path = join(folder, "stops.json");
	new StopFigures(path).add("a", [stop(1), stop(3), stop(6, 4)], 2);
	new StopFigures(path).add(
		"a",
		[2.5, 5, 2.1, 2.2, 2].map((late) => stop(late)),
		2,
	);
	const figures = new StopFigures(path);
	figures.add("b", [stop(9, 0.5)], 2);
	assert.deepEqual([figures.count("a"), figures.count("b"), figures.count("c")], [8, 1, 0]);
	assert.equal(
		figures.text(["a", "b"], 2),
		"median 2.50, p99 9.00, worst 9.00 ms, 7 over 2 | its own: median 2.20, p99 5.00, worst 5.00 ms, 6 over 2",
	);
	assert.deepEqual(figures.worst(["a", "b"]), [
		"a: 5.00, its own 5.00: 5",
		"a: 6.00, its own 4.00: 4",
		"a: 3.00, its own 3.00: 3",
		"a: 2.50, its own 2.50: 2.5",
		"a: 2.20, its own 2.20: 2.2",
	]);
	assert.deepEqual(
		[figures.isOver(["a"], 2), figures.isOver(["b"], 2), figures.isOver(["a"], 5)],
		[true, false, false],
	);
});
