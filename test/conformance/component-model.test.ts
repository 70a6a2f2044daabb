/** The Component Model's own suite, every file of it, against the ledger beside this file. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, suite, test } from "node:test";

import { type Outcome, runComponentScript } from "../../src/wast/mod.ts";
import { blessLedger, compareWithLedger, readLedger } from "./ledger.ts";
import { writeSummary } from "./summary.ts";

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
			for (const outcome of await runComponentScript(readFileSync(path.join(SUITE, file), "utf8"))) {
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
		const folders = Map.groupBy(all, ([place]) => `component-model/${place.slice(0, place.indexOf("/"))}`);
		writeSummary(folders, ledger.failed, "");
	});
});
