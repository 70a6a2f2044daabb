import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { it } from "node:test";
import { othersPercent, parseCoreList, readCoreTime, readTreeMemory } from "./machine.ts";

it("parseCoreList: single cores and ranges", () => {
	const cases: [string, number[]][] = [
		["0", [0]],
		[" 0,1\n", [0, 1]],
		["0-2,5,8-9", [0, 1, 2, 5, 8, 9]],
	];
	for (const [text, due] of cases) assert.deepEqual(parseCoreList(text), due);
});

it(
	"readTreeMemory: sums up the processes below",
	{ skip: existsSync("/proc/self/status") ? false : "no /proc" },
	async () => {
		const child = spawn(process.execPath, ["-e", "console.log(1); setInterval(() => {}, 1000)"]);
		await once(child.stdout, "data");
		const alone = readTreeMemory(child.pid ?? 0);
		const both = readTreeMemory(process.pid);
		child.kill("SIGKILL");
		await once(child, "close");
		assert.ok(alone !== undefined && both !== undefined);
		assert.ok(alone.rssBytes > 10e6 && alone.peakRssBytes >= alone.rssBytes);
		assert.ok(both.rssBytes - alone.rssBytes > 10e6);
	},
);

it(
	"readCoreTime: what others do on a core is told from what the processes below do",
	{ skip: existsSync("/proc/stat") ? false : "no /proc" },
	async () => {
		const busy = "const end = Date.now() + 400; while (Date.now() < end); console.log(1); setInterval(() => {}, 1000)";
		const child = spawn("taskset", ["-c", "0", process.execPath, "-e", busy]);
		const [before, ownBefore] = [readCoreTime(0, child.pid ?? 0), readCoreTime(0, process.pid)];
		await once(child.stdout, "data");
		const [after, ownAfter] = [readCoreTime(0, child.pid ?? 0), readCoreTime(0, process.pid)];
		const nobody = readCoreTime(0, -1);
		child.kill("SIGKILL");
		await once(child, "close");
		assert.ok(before !== undefined && after !== undefined && nobody !== undefined);
		// All that the child has done is missing.
		assert.ok(after.others < nobody.others, `${after.others} of ${nobody.others} ticks`);
		const [others, own] = [othersPercent(before, after), othersPercent(ownBefore, ownAfter)];
		assert.ok(others >= 0 && others <= 100 && own >= 0 && own <= others + 10, `${others} %, ${own} %`);
	},
);

it("othersPercent: NaN where it is not known, and of ticks counted a moment apart never less than none", () => {
	const at = (all: number, others: number): { all: number; others: number } => ({ all, others });
	assert.equal(othersPercent(at(1000, 40), at(1300, 70)), 10);
	assert.equal(othersPercent(at(1000, 40), at(1300, 39)), 0);
	assert.ok(Number.isNaN(othersPercent(undefined, at(1, 1))));
});
