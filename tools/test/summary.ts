import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * One line of the summary. Conformance suites write theirs as a line of JSON into a `.jsonl` file of the folder that the
 * environment variable SKERRY_SUMMARY_DIR names. `failed` counts what deviates from the suite's ledger: it fails the run.
 * Cases that the ledger lists are `skipped`, and the note says so.
 */
export interface Suite {
	readonly suite: string;
	readonly passed: number;
	readonly failed: number;
	readonly skipped: number;
	readonly note: string;
}

/** The suites that tests wrote into `folder`. A line that is none of them becomes a failed suite. */
export function readSuites(folder: string): Suite[] {
	return readdirSync(folder)
		.sort()
		.flatMap((file) =>
			readFileSync(join(folder, file), "utf8")
				.split("\n")
				.filter((line) => line.trim() !== "")
				.map((line) => parseSuite(line, file)),
		);
}

function parseSuite(line: string, file: string): Suite {
	const broken = { suite: file, passed: 0, failed: 1, skipped: 0, note: `not a summary: ${line.slice(0, 100)}` };
	try {
		const { suite, passed, failed, skipped, note = "" }: Partial<Suite> = JSON.parse(line);
		const counts = [passed, failed, skipped];
		if (typeof suite !== "string" || !counts.every(Number.isSafeInteger) || typeof note !== "string") return broken;
		return { suite, passed: Number(passed), failed: Number(failed), skipped: Number(skipped), note };
	} catch {
		return broken;
	}
}

/** A table of the suites, and as its last line the sums: `N passed, N failed, N skipped`. */
export function renderSummary(suites: readonly Suite[]): string {
	const sum = (key: "passed" | "failed" | "skipped"): number => suites.reduce((total, suite) => total + suite[key], 0);
	const width = Math.max(5, ...suites.map(({ suite }) => suite.length));
	const row = (suite: string, cells: readonly unknown[], note: string): string =>
		`${suite.padEnd(width)}${cells.map((cell) => String(cell).padStart(9)).join("")}  ${note}`.trimEnd();
	return [
		row("suite", ["passed", "failed", "skipped"], ""),
		...suites.map(({ suite, passed, failed, skipped, note }) => row(suite, [passed, failed, skipped], note)),
		"",
		`${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`,
	].join("\n");
}
