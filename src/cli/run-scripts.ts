import { inFile, type MeteringMode } from "../fault/mod.ts";
import { runWast, type WastOptions } from "../wast/mod.ts";
import { withProgress } from "./progress.ts";
import { readInput } from "./target.ts";
import { paint, printable } from "./terminal.ts";

export interface ScriptOptions {
	readonly paths: readonly string[];
	readonly metering: MeteringMode | undefined;
	readonly strategy: WastOptions["strategy"];
	/** Whether what is skipped is named. */
	readonly verbose: boolean;
}

/** Bytes of a script: fewer than V8 takes of a text. */
const MAX_SCRIPT = 2 ** 28;

/** Runs test scripts and says what failed; the result is the exit status. */
export async function runScripts({ paths, metering, strategy, verbose }: ScriptOptions): Promise<number> {
	const counts = { passed: 0, failed: 0, skipped: 0 };
	for (const path of paths) {
		const text = (await readInput(path, MAX_SCRIPT)).toString("utf8");
		try {
			const { outcomes } = await withProgress(path, () => runWast(text, { metering, strategy }));
			for (const { line, status, why } of outcomes) {
				counts[status]++;
				if (status === "passed" || (status === "skipped" && !verbose)) continue;
				const mark = paint(status === "failed" ? "red" : "yellow", status, process.stdout);
				say(`${path}:${line}: ${mark}: ${printable(why.replaceAll("\n", " "))}`);
			}
		} catch (error) {
			throw inFile(error, path);
		}
	}
	const { passed, failed, skipped } = counts;
	say(
		`${paths.length === 1 ? paths[0] : `${paths.length} scripts`}: ${passed} passed, ${failed} failed, ${skipped} skipped`,
	);
	return failed === 0 ? 0 : 1;
}

function say(line: string): void {
	process.stdout.write(`${line}\n`);
}
