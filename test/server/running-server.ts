import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Agent, type IncomingHttpHeaders, request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ServerUsage } from "../../src/server/mod.ts";
import type { FromServer, LoggedRequest, StartOptions, ToServer } from "./server-process.ts";

/** What a client got. */
export interface Answer {
	/** 0 when no head came. */
	readonly status: number;
	readonly headers: IncomingHttpHeaders;
	readonly text: string;
	/** Whether the body came to its end. */
	readonly whole: boolean;
}

/** Milliseconds that are waited for what comes at once where others leave the processor alone. */
const PATIENCE = 20_000;
export const ID = "x-skerry-request-id";
const NOTHING: ServerUsage = { requests: 0, sandboxes: 0, handles: 0, outgoing: 0, bufferedBytes: 0 };

/** A server in a process of its own, all that it says, and a client of it. */
export class RunningServer implements AsyncDisposable {
	readonly records: LoggedRequest[] = [];
	/** `stdout line`, `stderr line` */
	readonly output: string[] = [];
	/** `what; hint` */
	readonly denied: string[] = [];
	readonly #process: ChildProcess;
	readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
	readonly #usages: ((usage: ServerUsage) => void)[] = [];
	#url = "";

	private constructor() {
		this.#process = fork(fileURLToPath(new URL("server-process.ts", import.meta.url)), {
			serialization: "advanced",
			// Not the flags of `node --test`.
			execArgv: [],
			env: { ...process.env, NODE_OPTIONS: "" },
		});
	}

	static async start(options: StartOptions): Promise<RunningServer> {
		const running = new RunningServer();
		const { promise, resolve, reject } = Promise.withResolvers<string>();
		running.#process.on("message", (message: FromServer) => {
			if ("url" in message) resolve(message.url);
			else if ("failed" in message) reject(new Error(message.failed));
			else if ("usage" in message) running.#usages.shift()?.(message.usage);
			else if ("record" in message) running.records.push(message.record);
			else if ("output" in message) running.output.push(message.output);
			else running.denied.push(message.denied);
		});
		running.#process.once("exit", (code, signal) => reject(new Error(`the server ended: ${signal ?? code}`)));
		running.#tell({ start: options });
		running.#url = await promise;
		return running;
	}

	get url(): string {
		return this.#url;
	}

	/** One request over a connection that is kept. */
	async ask(path: string, body?: string | Uint8Array, headers: Record<string, string> = {}): Promise<Answer> {
		const { promise, resolve } = Promise.withResolvers<Answer>();
		const request = httpRequest(
			`${this.#url}${path}`,
			{ agent: this.#agent, method: body === undefined ? "GET" : "POST", headers },
			(response) => {
				const chunks: Buffer[] = [];
				response.on("data", (chunk: Buffer) => chunks.push(chunk));
				response.on("error", () => {});
				response.on("close", () => {
					const { statusCode: status = 0, headers: received, complete: whole } = response;
					resolve({ status, headers: received, text: Buffer.concat(chunks).toString(), whole });
				});
			},
		);
		request.on("error", () => resolve({ status: 0, headers: {}, text: "", whole: false }));
		request.end(body);
		return await promise;
	}

	/** The one record of a path. */
	async recordOf(path: string): Promise<LoggedRequest> {
		await until(() => this.records.some((record) => record.path === path), `the record of ${path}`);
		const found = this.records.filter((record) => record.path === path);
		assert.equal(found.length, 1, `${found.length} records of ${path}`);
		return found[0]!;
	}

	async usage(): Promise<ServerUsage> {
		if (!this.#process.connected) throw new Error("the server has ended");
		const { promise, resolve } = Promise.withResolvers<ServerUsage>();
		this.#usages.push(resolve);
		this.#tell("usage");
		return await promise;
	}

	/** Fails unless everything that requests held is given back. */
	async assertIdle(): Promise<void> {
		const deadline = performance.now() + PATIENCE;
		let usage = await this.usage();
		while (performance.now() < deadline && Object.values(usage).some((count) => count > 0)) {
			await sleep(10);
			usage = await this.usage();
		}
		assert.deepEqual(usage, NOTHING);
	}

	/** The process's resident set in MiB, now and at its highest (Linux; 0 elsewhere). */
	memory(): { readonly now: number; readonly peak: number } {
		if (process.platform !== "linux") return { now: 0, peak: 0 };
		const status = readFileSync(`/proc/${this.#process.pid}/status`, "utf8");
		const read = (name: string): number => Number(new RegExp(`^${name}:\\s*(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
		return { now: read("VmRSS"), peak: read("VmHWM") };
	}

	/** Connections to the server's port that are established in its process (Linux; 0 elsewhere). */
	connections(): number {
		if (process.platform !== "linux") return 0;
		const port = Number(new URL(this.#url).port).toString(16).toUpperCase().padStart(4, "0");
		return readFileSync("/proc/net/tcp", "utf8")
			.split("\n")
			.filter((line) => new RegExp(`^\\s*\\d+: 0100007F:${port} \\S+ 01 `).test(line)).length;
	}

	/** Closes the client's idle connections. */
	closeConnections(): void {
		this.#agent.destroy();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#agent.destroy();
		if (this.#process.exitCode === null && this.#process.signalCode === null) {
			const exit = once(this.#process, "exit");
			const kill = setTimeout(() => this.#process.kill("SIGKILL"), PATIENCE);
			if (this.#process.connected) this.#tell("stop");
			await exit;
			clearTimeout(kill);
		}
		const { exitCode, signalCode } = this.#process;
		assert.deepEqual({ exitCode, signalCode }, { exitCode: 0, signalCode: null }, "the server's end");
	}

	#tell(message: ToServer): void {
		this.#process.send(message);
	}
}

/** Fails when that takes too long. */
export async function until(condition: () => boolean, what: string): Promise<void> {
	const deadline = performance.now() + PATIENCE;
	while (!condition()) {
		if (performance.now() > deadline) assert.fail(`waited in vain for ${what}`);
		await sleep(5);
	}
}
