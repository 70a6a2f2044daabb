/** The Component Model's own suite, every file of it, against the ledger beside this file. */
import assert from "node:assert/strict";
import { appendFileSync, existsSync, globSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, suite, test } from "node:test";

import { blessLedger, compareWithLedger, readLedger } from "./ledger.ts";
import { type Outcome, runScript } from "./runner.ts";

const SUITE = path.resolve(import.meta.dirname, "../../../shared/suites/component-model/test");
const LEDGER = path.join(import.meta.dirname, "component-model.ledger.json");
const absent = existsSync(SUITE) ? false : `the suite is absent: ${SUITE}`;

suite("component-model", { skip: absent }, () => {
	const ledger = readLedger(LEDGER);
	const files = absent === false ? globSync("*/*.wast", { cwd: SUITE }).sort() : [];
	const all = new Map<string, Outcome>();

	for (const file of files) {
		test(file, async () => {
			const outcomes = new Map<string, Outcome>();
			for (const outcome of await runScript(readFileSync(path.join(SUITE, file), "utf8"))) {
				outcomes.set(`${file}:${outcome.line}`, outcome);
			}
			assert.ok(outcomes.size > 0, "the script has commands");
			for (const [place, outcome] of outcomes) all.set(place, outcome);
			if (process.env["SKERRY_BLESS"] === "1") return;
			const inFile = (entries: Readonly<Record<string, string>>): Record<string, string> =>
				Object.fromEntries(Object.entries(entries).filter(([place]) => place.startsWith(`${file}:`)));
			const expected = { failed: inFile(ledger.failed), skipped: inFile(ledger.skipped) };
			assert.deepEqual(compareWithLedger(expected, outcomes), []);
		});
	}

	after(() => {
		if (process.env["SKERRY_BLESS"] === "1") blessLedger(LEDGER, all);
		writeSummary(all, ledger.failed);
	});
});

/** One line per folder for the closing summary of `npm test`: failures that the ledger knows do not fail the run, but are named. */
function writeSummary(all: ReadonlyMap<string, Outcome>, known: Readonly<Record<string, string>>): void {
	const folders = new Map<string, Record<Outcome["status"] | "known", number>>();
	for (const [place, { status }] of all) {
		const folder = place.slice(0, place.indexOf("/"));
		const counts = folders.get(folder) ?? { passed: 0, failed: 0, skipped: 0, known: 0 };
		if (status === "failed" && place in known) {
			counts.skipped++;
			counts.known++;
		} else {
			counts[status]++;
		}
		folders.set(folder, counts);
	}
	const directory = process.env["SKERRY_SUMMARY_DIR"];
	if (directory === undefined) {
		console.table(Object.fromEntries(folders));
		return;
	}
	mkdirSync(directory, { recursive: true });
	for (const [folder, { known, ...counts }] of folders) {
		const note = `${known === 0 ? "" : `${known} of the skipped fail, as the ledger says; `}deviations are in the ledger`;
		const line = JSON.stringify({ suite: `component-model/${folder}`, ...counts, note });
		appendFileSync(path.join(directory, "conformance.jsonl"), `${line}\n`);
	}
}
