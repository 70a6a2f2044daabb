import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { comeFirst, readTreeMemory, type TreeMemory } from "./machine.ts";
import type { PeerFound, Workload } from "./peers/peer.ts";

/** Milliseconds for a server to give its first answer; compiling a JavaScript engine takes Wasmtime 10 s on one core. */
const START_DEADLINE = 120_000;
/** Milliseconds for a server to end when asked. */
const STOP_DEADLINE = 3000;
/** Characters kept of what a server prints, the last ones. */
const MAX_OUTPUT = 4096;

/** The groups that run, to be ended with this process however it ends. */
const running = new Set<number>();
process.on("exit", () => {
	for (const pid of running) signalGroup(pid, "SIGKILL");
});

/** A running server of a workload, which has given the right answer once. Dispose of it to end it. */
export interface Served extends AsyncDisposable {
	readonly url: string;
	/** Milliseconds from the start of the process to its first answer. */
	readonly startMs: number;
	/** Of the process that was started. */
	readonly pid: number;
	memory(): TreeMemory | undefined;
}

/**
 * Starts a server and waits for its first answer.
 * @param prefix words before its command, to pin it
 * @throws when it ends, does not answer in time, or answers something else than the workload's answer
 */
export async function serve(peer: PeerFound, workload: Workload, prefix: readonly string[]): Promise<Served> {
	const scratch = await mkdtemp(join(tmpdir(), "skerry-bench-"));
	const port = await freePort();
	const url = `http://127.0.0.1:${port}${workload.path}`;
	const [program = "", ...args] = [...prefix, ...peer.command(workload, port, scratch)];
	const started = performance.now();
	// A process group of its own, so that what it starts ends with it.
	const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
	if (child.pid !== undefined) {
		running.add(child.pid);
		comeFirst(child.pid);
	}
	let output = "";
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding("utf8").on("data", (chunk: string) => (output = (output + chunk).slice(-MAX_OUTPUT)));
	}
	const served = {
		url,
		startMs: 0,
		pid: child.pid ?? 0,
		memory: () => (child.pid === undefined ? undefined : readTreeMemory(child.pid)),
		async [Symbol.asyncDispose]() {
			await stop(child);
			await rm(scratch, { recursive: true, force: true });
		},
	};
	try {
		await firstAnswer(child, url, workload);
		return { ...served, startMs: performance.now() - started };
	} catch (error) {
		await served[Symbol.asyncDispose]();
		throw new Error(`${(error as Error).message}${output === "" ? "" : `; it printed: ${output.trim()}`}`, {
			cause: error,
		});
	}
}

async function firstAnswer(child: ChildProcess, url: string, workload: Workload): Promise<void> {
	let failed: Error | undefined;
	child.on("error", (error) => (failed = error));
	const deadline = performance.now() + START_DEADLINE;
	while (performance.now() < deadline) {
		if (failed !== undefined) throw failed;
		if (child.exitCode !== null || child.signalCode !== null) {
			throw new Error(`it ended with ${child.signalCode ?? child.exitCode} before it answered`);
		}
		let response: Response;
		try {
			response = await fetch(url, { signal: AbortSignal.timeout(30_000) });
		} catch {
			await sleep(20);
			continue;
		}
		const body = await response.text();
		if (response.status === 200 && body === workload.answer) return;
		throw new Error(`it answered ${response.status} ${JSON.stringify(body.slice(0, 200))}`);
	}
	throw new Error(`it did not answer within ${START_DEADLINE} ms`);
}

/** Asks the whole group to end, then makes it. */
async function stop(child: ChildProcess): Promise<void> {
	const { pid } = child;
	if (pid === undefined) return;
	const ended = new Promise((resolve) => child.once("close", resolve));
	if (child.exitCode === null && child.signalCode === null) {
		signalGroup(pid, "SIGTERM");
		await Promise.race([ended, sleep(STOP_DEADLINE, undefined, { ref: false })]);
	}
	signalGroup(pid, "SIGKILL");
	running.delete(pid);
}

function signalGroup(pid: number, name: NodeJS.Signals): void {
	try {
		process.kill(-pid, name);
	} catch {
		// none of the group is left
	}
}

async function freePort(): Promise<number> {
	const server = createServer().listen(0, "127.0.0.1");
	await new Promise((resolve) => server.once("listening", resolve));
	const { port } = server.address() as AddressInfo;
	await new Promise((resolve) => server.close(resolve));
	return port;
}
