import { existsSync, readFileSync, writeFileSync } from "node:fs";

import type { Outcome } from "../../src/wast/mod.ts";

/** Only deviations: `file:line` → why it does not pass. Skipped are those whose feature is refused by name. */
export interface Ledger {
	readonly failed: Readonly<Record<string, string>>;
	readonly skipped: Readonly<Record<string, string>>;
}

export function readLedger(path: string): Ledger {
	return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Ledger) : { failed: {}, skipped: {} };
}

/**
 * Where a run differs from the ledger: what fails or is skipped without standing there, and what stands there but passes.
 * An empty list is the only good answer.
 */
export function compareWithLedger(ledger: Ledger, outcomes: ReadonlyMap<string, Outcome>): string[] {
	const differences: string[] = [];
	for (const [place, outcome] of outcomes) {
		if (outcome.status === "passed") {
			if (place in ledger.failed || place in ledger.skipped) differences.push(`${place} passes now: take it out`);
		} else if (!(place in ledger[outcome.status])) differences.push(`${place} ${outcome.status}: ${outcome.why}`);
	}
	for (const place of [...Object.keys(ledger.failed), ...Object.keys(ledger.skipped)]) {
		if (!outcomes.has(place)) differences.push(`${place} is in the ledger but did not run`);
	}
	return differences;
}

/** Writes the ledger anew (`SKERRY_BLESS=1`): reasons that were written by hand are kept. */
export function blessLedger(path: string, outcomes: ReadonlyMap<string, Outcome>): void {
	const old = readLedger(path);
	const collect = (status: "failed" | "skipped"): Record<string, string> =>
		Object.fromEntries(
			[...outcomes]
				.filter(([, outcome]) => outcome.status === status)
				.map(([place, outcome]) => [place, old[status][place] ?? outcome.why.split("\n")[0] ?? ""]),
		);
	writeFileSync(path, `${JSON.stringify({ failed: collect("failed"), skipped: collect("skipped") }, null, "\t")}\n`);
}
