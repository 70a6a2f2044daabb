import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { suite, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

const SCRIPT = `
	import { createStopRequest } from ${JSON.stringify(new URL("./signals.ts", import.meta.url).href)};
	const stop = createStopRequest();
	const timer = setInterval(() => {}, 1000);
	stop.signal.addEventListener("abort", () => {
		console.log("stopping: " + stop.signal.reason);
		if (process.argv[1] === "ends") setTimeout(() => { clearInterval(timer); stop[Symbol.dispose](); }, 300);
	});
	console.log("ready");
`;

async function start(task: string): Promise<ChildProcess> {
	const child = spawn(process.execPath, ["--input-type=module", "--eval", SCRIPT, task], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	assert.equal(await nextLine(child), "ready\n");
	return child;
}

async function nextLine(child: ChildProcess): Promise<string> {
	assert(child.stdout !== null);
	const [chunk] = await once(child.stdout, "data");
	return String(chunk);
}

suite("createStopRequest", { concurrency: 2, skip: process.platform === "win32" && "no signals" }, () => {
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
		test(`${signal} asks, and the process ends as it likes`, async () => {
			const child = await start("ends");
			child.kill(signal);
			assert.equal(await nextLine(child), `stopping: ${signal}\n`);
			// The same signal, delivered by the terminal and by the launcher.
			child.kill(signal);
			assert.deepEqual(await once(child, "exit"), [0, null]);
		});
	}

	test("a later one ends the process at once", async () => {
		const child = await start("hangs");
		child.kill("SIGINT");
		assert.equal(await nextLine(child), "stopping: SIGINT\n");
		await delay(600);
		child.kill("SIGTERM");
		assert.deepEqual(await once(child, "exit"), [143, null]);
	});
});
