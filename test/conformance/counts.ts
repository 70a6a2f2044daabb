import { appendFileSync, mkdirSync } from "node:fs";
import path from "node:path";

/** What a suite came to. */
export interface Count {
	passed: number;
	failed: number;
	skipped: number;
	note: string;
}

/** Hands rows to the closing summary of `npm test`, or shows them when a suite runs alone. */
export function writeRows(rows: readonly (Count & { readonly suite: string })[]): void {
	const directory = process.env["SKERRY_SUMMARY_DIR"];
	if (directory === undefined) {
		console.table(rows);
		return;
	}
	mkdirSync(directory, { recursive: true });
	for (const row of rows) appendFileSync(path.join(directory, "conformance.jsonl"), `${JSON.stringify(row)}\n`);
}

/** One row for each of a suite's counts. */
export function writeCounts(suite: string, counts: Readonly<Record<string, Count>>): void {
	writeRows(
		Object.entries(counts).map(([name, { passed, failed, skipped, note }]) => {
			return { suite: `${suite}/${name}`, passed, failed, skipped, note };
		}),
	);
}
