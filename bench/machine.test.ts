import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { it } from "node:test";
import { parseCoreList, readTreeMemory } from "./machine.ts";

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
