import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { suite, test } from "node:test";

const SCRIPT = `
	let now = 0;
	performance.now = () => now;
	import { createStopRequest } from ${JSON.stringify(new URL("./signals.ts", import.meta.url).href)};
	const stop = createStopRequest();
	const timer = setInterval(() => {}, 1000);
	stop.signal.addEventListener("abort", () => {
		console.log("stopping: " + stop.signal.reason);
		now = Number(process.argv[1]);
	});
	let signals = 0;
	const onSignal = () => {
		if (++signals < 2) return;
		clearInterval(timer);
		stop[Symbol.dispose]();
		for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.off(name, onSignal);
	};
	for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, onSignal);
	console.log("ready");
`;

/** A process for which the second signal comes so many milliseconds after the first, and which ends then of its own accord. */
async function start(later: number): Promise<ChildProcess> {
	const child = spawn(process.execPath, ["--input-type=module", "--eval", SCRIPT, String(later)], {
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
			const child = await start(300);
			child.kill(signal);
			assert.equal(await nextLine(child), `stopping: ${signal}\n`);
			// The same signal, delivered by the terminal and by the launcher.
			child.kill(signal);
			assert.deepEqual(await once(child, "exit"), [0, null]);
		});
	}

	test("a later one ends the process at once", async () => {
		const child = await start(600);
		child.kill("SIGINT");
		assert.equal(await nextLine(child), "stopping: SIGINT\n");
		child.kill("SIGTERM");
		assert.deepEqual(await once(child, "exit"), [143, null]);
	});
});
