import { writeRows } from "./counts.ts";
import type { Outcome } from "../../src/wast/mod.ts";

/**
 * One line per suite for the closing summary of `npm test`: failures that the ledger knows do not fail the run, but are named.
 * @param known the ledger's failures
 * @param remark what else is to be said of each
 */
export function writeSummary(
	suites: ReadonlyMap<string, readonly (readonly [place: string, outcome: Outcome])[]>,
	known: Readonly<Record<string, string>>,
	remark: string,
): void {
	const rows = [...suites].map(([suite, outcomes]) => {
		const row = { suite, passed: 0, failed: 0, skipped: 0, note: "" };
		let knownFailures = 0;
		for (const [place, { status }] of outcomes) {
			const isKnown = status === "failed" && place in known;
			if (isKnown) knownFailures++;
			row[isKnown ? "skipped" : status]++;
		}
		const notes = [
			remark,
			knownFailures === 0 ? "" : `${knownFailures} of the skipped fail, as the ledger says`,
			"deviations are in the ledger",
		];
		row.note = notes.filter((note) => note !== "").join("; ");
		return row;
	});
	writeRows(rows);
}
