import { spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { SourceMap } from "node:module";
import { dirname, extname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Place, SkerryError } from "../fault/mod.ts";
import type { Bundle } from "./bundle.ts";
import type { ComponentizeJob } from "./componentize-process.ts";
import { BUNDLE_NAME, ENTRY_MODULE, WORLD_NAME, WORLD_WIT } from "./guest.ts";
import { MAX_TOOL_OUTPUT } from "./limits.ts";
import type { Tool } from "./tools.ts";

interface Script {
	/** Absolute. */
	readonly entry: string;
	readonly folder: string;
	readonly bundle: Bundle;
}

/**
 * Makes a component of a bundle by componentize-js, in a process of its own.
 * @param work a folder of the caller's for what is written on the way
 * @returns the absolute path of the component, in `work`
 * @throws {SkerryError} `build/failed` with what the tool said
 */
export async function componentize(tool: Tool, script: Script, work: string, deadlineMs: number): Promise<string> {
	const sources = join(work, "sources");
	await mkdir(sources);
	const output = join(work, "component.wasm");
	const source = join(sources, script.bundle.hasDefault ? "entry.js" : BUNDLE_NAME);
	await writeFile(join(sources, "entry.js"), ENTRY_MODULE);
	await writeFile(join(sources, BUNDLE_NAME), script.bundle.code);
	const { status, text } = await run({
		tool: tool.folder,
		source,
		wit: WORLD_WIT,
		world: WORLD_NAME,
		output,
		deadlineMs,
	});
	if (status !== 0) throw explain(script, text, deadlineMs);
	return output;
}

async function run(job: ComponentizeJob): Promise<{ status: number | null; text: string }> {
	// The file beside this one has this one's extension: .ts in the sources, .js in the package.
	const program = fileURLToPath(new URL(`componentize-process${extname(import.meta.url)}`, import.meta.url));
	const child = spawn(process.execPath, [program, JSON.stringify(job)], {
		cwd: dirname(job.source), // paths that the guest sees, in its stacks, start here
		stdio: ["ignore", "pipe", "pipe"],
	});
	let text = "";
	const collect = (chunk: string): void => {
		text = (text + chunk).slice(-MAX_TOOL_OUTPUT);
	};
	child.stdout.setEncoding("utf8").on("data", collect);
	child.stderr.setEncoding("utf8").on("data", collect);
	// Nobody is left to take what it makes.
	const onExit = (): void => void child.kill();
	process.once("exit", onExit);
	return new Promise<{ status: number | null; text: string }>((resolve, reject) => {
		child.on("error", reject);
		child.on("close", (status) => resolve({ status, text }));
	}).finally(() => process.off("exit", onExit));
}

/** `app.js:12:34 TypeError: message`, in what the engine prints when the guest's top level throws. */
const THROWN = /^(?<file>[\w.]+\.js):(?<line>\d+):(?<column>\d+) (?<message>.+)$/m;

function explain(script: Script, text: string, deadlineMs: number): SkerryError {
	const name = relative(script.folder, script.entry);
	const cause = new Error(text.trim() || "componentize-js ended without a word");
	const thrown = THROWN.exec(text)?.groups;
	if (thrown !== undefined) {
		const place = toSource(script, thrown["file"], Number(thrown["line"]), Number(thrown["column"]));
		return new SkerryError("build/failed", `Cannot build ${name}: ${thrown["message"]}`, {
			place,
			hint: "the script's top level runs while the component is built, without network, files or environment",
			cause,
		});
	}
	const late = /killed by signal: SIGKILL/.test(text) ? `: its top level did not end within ${deadlineMs} ms` : "";
	return new SkerryError("build/failed", `Cannot build ${name}${late}`, { place: { file: script.entry }, cause });
}

/** Where a place in the bundle comes from. */
function toSource(script: Script, file: string | undefined, line: number, column: number): Place {
	if (file !== BUNDLE_NAME) return { file: script.entry };
	const map = new SourceMap(JSON.parse(script.bundle.map) as ConstructorParameters<typeof SourceMap>[0]);
	const origin = map.findEntry(line - 1, column - 1);
	if (!("originalSource" in origin)) return { file: script.entry };
	return {
		file: resolve(script.folder, origin.originalSource),
		line: origin.originalLine + 1,
		column: origin.originalColumn + 1,
	};
}
