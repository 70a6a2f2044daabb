import { join, relative, sep } from "node:path";
import { run } from "node:test";
import { inspect, styleText } from "node:util";
import { formatSeconds, heading } from "./console.ts";
import { suiteOf } from "./files.ts";
import type { Suite } from "./summary.ts";

/** A single test that takes longer than this hangs. */
const TEST_TIMEOUT = 300_000;

/**
 * Runs test files, two at a time, each in a process of its own. Shows one line for each file, what it printed, and each
 * failure in full. A file in which no test ran counts as failed.
 */
export async function runTestFiles(root: string, files: readonly string[]): Promise<Suite[]> {
	heading(`tests (${files.length} files)`);
	const tallies = new Map(files.map((file) => [file, { passed: 0, failed: 0, skipped: 0 }]));
	const shown = new Set<string>();
	const show = (file: string, time: string): void => {
		const { passed, failed, skipped } = tallies.get(file) ?? { passed: 0, failed: 0, skipped: 0 };
		const counts = `${passed} passed${failed > 0 ? `, ${failed} failed` : ""}${skipped > 0 ? `, ${skipped} skipped` : ""}`;
		console.log(`${failed > 0 ? "✖" : "✔"} ${file}: ${counts}${time}`);
		shown.add(file);
	};
	const nameOf = (path: string | undefined): string =>
		relative(root, path ?? root)
			.split(sep)
			.join("/");
	const tallyOf = (data: { file?: string | undefined; entryFile?: string }) =>
		tallies.get(nameOf(data.entryFile ?? data.file));

	const stream = run({
		files: files.map((file) => join(root, file)),
		concurrency: 2,
		timeout: TEST_TIMEOUT,
		cwd: root,
		execArgv: ["--conditions", "skerry-source"],
	});
	stream.on("test:stdout", ({ message }) => process.stdout.write(message));
	stream.on("test:stderr", ({ message }) => process.stderr.write(message));
	stream.on("test:pass", (data) => {
		const tally = tallyOf(data);
		// The event of a file as a whole comes when no test in it ran.
		if (tally === undefined || data.details.type === "suite" || isWholeFile(data)) return;
		if (data.skip === undefined && data.todo === undefined) {
			tally.passed++;
		} else {
			tally.skipped++;
			const reason = data.skip ?? data.todo;
			console.log(`- skipped: ${data.name}${typeof reason === "string" ? `: ${reason}` : ""} (${nameOf(data.file)})`);
		}
	});
	stream.on("test:fail", (data) => {
		const tally = tallyOf(data);
		if (tally === undefined || data.details.type === "suite") return;
		if (data.todo !== undefined) {
			tally.skipped++;
			return;
		}
		tally.failed++;
		const where = `${nameOf(data.file)}${isWholeFile(data) ? "" : `:${data.line}`}`;
		console.log(styleText("red", `✖ ${isWholeFile(data) ? "the file failed" : data.name} (${where})`));
		const { error } = data.details;
		console.log(inspect(error.cause ?? error, { depth: 8, maxStringLength: 10_000 }).replaceAll(/^/gm, "    "));
	});
	stream.on("test:summary", (data) => {
		// The one without a file is the sum of all.
		if (data.file !== undefined) show(nameOf(data.file), `, ${formatSeconds(data.duration_ms)}`);
	});
	await new Promise<void>((resolve, reject) => {
		stream.on("error", reject).on("end", resolve).resume();
	});

	for (const [file, tally] of tallies) {
		if (tally.passed + tally.failed + tally.skipped === 0) {
			console.log(styleText("red", `✖ no test ran (${file})`));
			tally.failed++;
		}
		if (!shown.has(file)) show(file, "");
	}
	return sumBySuite(tallies);
}

function isWholeFile({ name, file }: { name: string; file?: string | undefined }): boolean {
	return name === file;
}

function sumBySuite(tallies: ReadonlyMap<string, Omit<Suite, "suite" | "note">>): Suite[] {
	const suites = new Map<string, Suite>();
	for (const [file, { passed, failed, skipped }] of tallies) {
		const suite = suiteOf(file);
		const sum = suites.get(suite) ?? { suite, passed: 0, failed: 0, skipped: 0, note: "" };
		suites.set(suite, {
			...sum,
			passed: sum.passed + passed,
			failed: sum.failed + failed,
			skipped: sum.skipped + skipped,
		});
	}
	return [...suites.values()];
}
