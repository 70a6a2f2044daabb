import { basename } from "node:path";
import { isatty } from "node:tty";

import { ComponentError, Engine } from "../embed/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { GuestExit } from "../wasi/mod.ts";
import { withProgress } from "./progress.ts";
import { paint } from "./terminal.ts";

export interface RunOptions {
	/** A component's file. */
	readonly path: string;
	/** The guest's arguments, without the name of the command. */
	readonly args: readonly string[];
	readonly env: Readonly<Record<string, string>>;
	/** Origins, as `parseOutboundPolicy` takes them. */
	readonly allowOutbound: readonly string[];
}

const RUN = /^wasi:cli\/run@(\d+\.\d+)/;

/** Runs a command's component to its end with this process's streams; the result is the guest's exit status. */
export async function runComponent(options: RunOptions): Promise<number> {
	const engine = new Engine({ onWarning: (message) => process.stderr.write(`warning: ${message}\n`) });
	const component = await withProgress("compiling", () => engine.load(options.path));
	const run = component.exportNames.find((name) => RUN.exec(name)?.[1] === "0.2");
	if (run === undefined) throw noRun(options.path, component.exportNames);
	const { stderr } = process;
	using sandbox = component.instantiate({
		wasi: {
			args: [basename(options.path), ...options.args],
			env: options.env,
			// A getter, so that the process's stdin is opened only by a guest that reads it.
			stdin: () => process.stdin,
			stdout: process.stdout,
			stderr,
			terminal: { stdin: isatty(0), stdout: isatty(1), stderr: isatty(2) },
			allowOutbound: options.allowOutbound,
			onDenied: (what, hint) => {
				stderr.write(`${paint("yellow", "denied:", stderr)} ${what}; ${hint}\n`);
			},
		},
	});
	try {
		await sandbox.call([run, "run"], []);
		return 0;
	} catch (error) {
		if (error instanceof ComponentError) return 1;
		if (error instanceof GuestExit) return error.status;
		throw error;
	}
}

function noRun(path: string, exports: readonly string[]): SkerryError {
	const later = exports.find((name) => RUN.test(name));
	if (later !== undefined) {
		return new SkerryError(
			"link/unsupported",
			`Cannot run ${path}: it exports ${later}, and WASI 0.3 is not supported yet`,
		);
	}
	const serves = exports.some((name) => name.startsWith("wasi:http/"));
	return new SkerryError("link/no-export", `Cannot run ${path}: it does not export wasi:cli/run`, {
		hint: serves
			? `it answers HTTP requests: \`skerry up ${path}\``
			: `\`skerry inspect ${path}\` shows what it exports`,
	});
}
