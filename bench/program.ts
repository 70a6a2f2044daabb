import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** The absolute path of a program of `PATH`, or of `folders`. */
export function which(name: string, folders: readonly string[] = []): string | undefined {
	for (const folder of [...(process.env["PATH"] ?? "").split(delimiter), ...folders]) {
		if (folder === "") continue;
		try {
			accessSync(join(folder, name), constants.X_OK);
			return join(folder, name);
		} catch {
			// not in this one
		}
	}
	return undefined;
}

/** What a program prints on its standard output; its status does not matter (`wrk --version` ends with 1), its silence does. */
export async function run(command: readonly string[], options: { timeoutMs: number }): Promise<string> {
	const [program = "", ...args] = command;
	const child = spawn(program, args, {
		stdio: ["ignore", "pipe", "pipe"],
		timeout: options.timeoutMs,
		killSignal: "SIGKILL",
	});
	let out = "";
	let err = "";
	child.stdout.setEncoding("utf8").on("data", (chunk: string) => (out += chunk));
	child.stderr.setEncoding("utf8").on("data", (chunk: string) => (err += chunk));
	return new Promise((resolve, reject) => {
		child.on("error", reject);
		child.on("close", (status, signal) => {
			if (out !== "") resolve(out);
			else reject(new Error(`Cannot run ${command.join(" ")}: ended with ${signal ?? status}: ${err.trim()}`));
		});
	});
}

/** The first number with dots in the first line that a program prints about itself. */
export async function version(program: string, args: readonly string[]): Promise<string> {
	const text = await run([program, ...args], { timeoutMs: 10_000 });
	return /\d+(?:\.\d+)+/.exec(text)?.[0] ?? text.split("\n", 1)[0] ?? "";
}
