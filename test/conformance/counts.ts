import { appendFileSync, mkdirSync } from "node:fs";
import path from "node:path";

interface Count {
	passed: number;
	failed: number;
	skipped: number;
	note: string;
}

/** Hands what a suite has counted to `npm test`, or shows it when the suite runs alone. */
export function writeCounts(suite: string, counts: Readonly<Record<string, Count>>): void {
	const directory = process.env["SKERRY_SUMMARY_DIR"];
	if (directory === undefined) {
		console.table(counts);
		return;
	}
	mkdirSync(directory, { recursive: true });
	for (const [name, result] of Object.entries(counts)) {
		const line = JSON.stringify({ suite: `${suite}/${name}`, ...result });
		appendFileSync(path.join(directory, "conformance.jsonl"), `${line}\n`);
	}
}
