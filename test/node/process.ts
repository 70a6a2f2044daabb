import { spawn, type SpawnOptions } from "node:child_process";

export interface Ended {
	readonly stdout: string;
	readonly stderr: string;
	readonly status: number | null;
	readonly signal: NodeJS.Signals | null;
}

/** Runs a program to its end, with nothing on its standard input. */
export async function runProcess(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<Ended> {
	const child = spawn(command, args, { timeout: 120_000, ...options, stdio: ["ignore", "pipe", "pipe"] });
	let stdout = "";
	let stderr = "";
	child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
	child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
	return new Promise((resolve, reject) => {
		child.on("error", reject);
		child.on("close", (status, signal) => resolve({ stdout, stderr, status, signal }));
	});
}
