// Runs as a process of its own: componentize-js blocks for seconds, and writes to the console.
import childProcess from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire, findPackageJSON, registerHooks, syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as ComponentizeJs from "@bytecodealliance/componentize-js";
import { fillHeap } from "./heap.ts";

/** What the process does, as JSON in its first argument. All paths are absolute. */
export interface ComponentizeJob {
	/** The folder of componentize-js. */
	readonly tool: string;
	/** The module to evaluate; what it imports lies beside it. */
	readonly source: string;
	/** The text that defines `world`. */
	readonly wit: string;
	readonly world: string;
	/** Where the component is written. */
	readonly output: string;
	/** After this the evaluation of the guest's top level is ended. */
	readonly deadlineMs: number;
}

const job = JSON.parse(process.argv[2] ?? "") as ComponentizeJob;
const toolFile = join(job.tool, "package.json");

// componentize-js 0.23 imports preview2-shim without depending on it; its dependency jco has it.
registerHooks({
	resolve(specifier, context, next) {
		try {
			return next(specifier, context);
		} catch (error) {
			if (!specifier.startsWith("@bytecodealliance/preview2-shim/")) throw error;
			const jco = findPackageJSON("@bytecodealliance/jco", toolFile) ?? toolFile;
			return next(specifier, { ...context, parentURL: pathToFileURL(jco).href });
		}
	},
});

/** How the initialised module's file is named to Wizer. */
const OUTPUT = "-o=";
// It evaluates the guest by `spawnSync` without limit; a guest whose top level never ends must not hang the build.
const { spawnSync } = childProcess;
childProcess.spawnSync = ((file: string, args: string[], options: object) => {
	const result = spawnSync(file, args, { ...options, timeout: job.deadlineMs, killSignal: "SIGKILL" });
	// What it has written is read when this returns.
	const output = args.find((arg) => arg.startsWith(OUTPUT))?.slice(OUTPUT.length);
	const filled = result.status === 0 && output !== undefined ? fillHeap(readFileSync(output)) : undefined;
	if (output !== undefined && filled !== undefined) writeFileSync(output, filled);
	return result;
}) as typeof spawnSync;
syncBuiltinESMExports();

try {
	const manifest = createRequire(toolFile)(toolFile) as { exports: { import: string } };
	const module = pathToFileURL(join(job.tool, manifest.exports.import)).href;
	const { componentize } = (await import(module)) as typeof ComponentizeJs;
	// The world goes as text (`witWorld`, which the types leave out of this form): by path it is read through preview2-shim, whose
	// newer versions open no folder.
	const options = { sourcePath: job.source, witWorld: job.wit, worldName: job.world };
	const { component } = await componentize(options);
	writeFileSync(job.output, component);
} catch (error) {
	process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
	process.exitCode = 1;
}
