import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { suite, test, type TestContext } from "node:test";

const SCRIPT = `
	import { mock } from "node:test";
	import { createStopRequest } from ${JSON.stringify(new URL("./signals.ts", import.meta.url).href)};
	const timer = setInterval(() => {}, 1000);
	mock.timers.enable({ apis: ["setTimeout"] });
	if (process.argv[2] === "first") Object.defineProperty(process, "pid", { value: 1 });
	const stop = createStopRequest();
	stop.signal.addEventListener("abort", () => {
		mock.timers.tick(Number(process.argv[1]));
		console.log("stopping: " + stop.signal.reason);
		// As a guest does that gives nobody the thread
		if (process.argv[2] === "held") for (;;);
	});
	let signals = 0;
	const onSignal = () => {
		if (++signals < 2) return;
		clearInterval(timer);
		stop[Symbol.dispose]();
		for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.off(name, onSignal);
	};
	if (process.argv[2] === "free") for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, onSignal);
	console.log("ready");
`;

/**
 * A process for which the second signal comes so many milliseconds after the first.
 * @param state "free": then it ends of its own accord; "held": from the first on its thread is held; "first": of a container
 */
async function start(t: TestContext, later: number, state: "free" | "held" | "first"): Promise<ChildProcess> {
	const child = spawn(process.execPath, ["--input-type=module", "--eval", SCRIPT, String(later), state], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	t.after(() => child.kill("SIGKILL"));
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
		test(`${signal} asks, and the process ends as it likes`, async (t) => {
			const child = await start(t, 300, "free");
			child.kill(signal);
			assert.equal(await nextLine(child), `stopping: ${signal}\n`);
			// The same signal, delivered by the terminal and by the launcher.
			child.kill(signal);
			assert.deepEqual(await once(child, "exit"), [0, null]);
		});
	}

	for (const [state, whose, ended] of [
		["held", "", [null, "SIGTERM"]],
		["first", ", where it has no effect of its own", [143, null]],
	] as const) {
		test(`a later one ends the process at once${whose}`, { timeout: 20_000 }, async (t) => {
			const child = await start(t, 600, state);
			child.kill("SIGINT");
			assert.equal(await nextLine(child), "stopping: SIGINT\n");
			child.kill("SIGTERM");
			assert.deepEqual(await once(child, "exit"), ended);
		});
	}
});
