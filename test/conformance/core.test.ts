/**
 * The core suite of WebAssembly, every module of it as Skerry gives it to V8, in several modes: decoded and encoded anew (`plain`),
 * also rewritten to export its state (`state`), metered as well (`yield`, `fuel`), and with instances that were used up and put back before the script has them, by
 * copying (`reset-copy`) and by copy-on-write pages (`reset-cow`). Each mode has a ledger of deviations beside this file.
 */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, suite, test } from "node:test";

import { createLinuxPageMapper } from "../../src/engine/mod.ts";
import { type Mode, type Outcome, prepareScript, type ResetCounts, runCoreScript } from "../../src/wast/mod.ts";
import { blessLedger, compareWithLedger, type Ledger, readLedger } from "./ledger.ts";
import { writeSummary } from "./summary.ts";

const SUITE = path.resolve(import.meta.dirname, "../../../shared/suites/core");
const absent = existsSync(SUITE) ? false : `the suite is absent: ${SUITE}`;
const isBlessing = process.env["SKERRY_BLESS"] === "1";

/** V8 does not know these proposals. */
const FOREIGN = ["custom-descriptors", "custom-page-sizes", "wide-arithmetic"];

const mapper = createLinuxPageMapper();
const noMapper = typeof mapper === "string" ? mapper : undefined;

interface ModeRun extends Mode {
	readonly name: string;
	readonly ledgerPath: string;
	readonly ledger: Ledger;
	readonly all: Map<string, Outcome>;
	readonly counts: ResetCounts;
}

function defineMode(name: string, mode: Mode): ModeRun {
	const ledgerPath = path.join(import.meta.dirname, `core.${name}.ledger.json`);
	return {
		...mode,
		name,
		ledgerPath,
		ledger: readLedger(ledgerPath),
		all: new Map(),
		counts: { reset: 0, discarded: 0, mapped: 0 },
	};
}

const MODES: readonly ModeRun[] = [
	defineMode("plain", { rewrite: false }),
	defineMode("state", { rewrite: true }),
	defineMode("yield", { rewrite: true, metering: "yield" }),
	defineMode("fuel", { rewrite: true, metering: "fuel" }),
	defineMode("reset-copy", { rewrite: true, reset: { mapper: undefined } }),
	...(typeof mapper === "string" ? [] : [defineMode("reset-cow", { rewrite: true, reset: { mapper } })]),
];

/** Outcomes by `file:line`; a second command of a line is `file:line#2`. */
function placed(file: string, outcomes: readonly Outcome[]): Map<string, Outcome> {
	const places = new Map<string, Outcome>();
	for (const outcome of outcomes) {
		const line = `${file}:${outcome.line}`;
		let place = line;
		for (let n = 2; places.has(place); n++) place = `${line}#${n}`;
		places.set(place, outcome);
	}
	return places;
}

const inFile = (entries: Readonly<Record<string, string>>, file: string): Record<string, string> =>
	Object.fromEntries(Object.entries(entries).filter(([place]) => place.startsWith(`${file}:`)));

suite("core", { skip: absent }, () => {
	const files = absent === false ? globSync("{*,custom/*,legacy/*,proposals/*/*}.wast", { cwd: SUITE }).sort() : [];

	for (const file of files) {
		const proposal = FOREIGN.find((name) => file.startsWith(`proposals/${name}/`));
		test(file, { skip: proposal === undefined ? false : `V8 does not know ${proposal}` }, async () => {
			const script = await prepareScript(readFileSync(path.join(SUITE, file), "utf8"));
			const problems: Record<string, string[]> = {};
			for (const mode of MODES) {
				const outcomes = placed(file, await runCoreScript(script, mode, mode.counts));
				assert.equal(outcomes.size, script.commands.length);
				assert.ok(outcomes.size > 0, "the script has commands");
				for (const [place, outcome] of outcomes) mode.all.set(place, outcome);
				const { failed, skipped } = mode.ledger;
				const expected = { failed: inFile(failed, file), skipped: inFile(skipped, file) };
				const differences = compareWithLedger(expected, outcomes);
				if (differences.length > 0) problems[mode.name] = differences;
			}
			if (!isBlessing) assert.deepEqual(problems, {});
		});
	}

	test("memories were put back by pages", { skip: noMapper ?? false }, () => {
		const cow = MODES.find(({ name }) => name === "reset-cow");
		const mapped = cow?.counts.mapped ?? 0;
		assert.ok(mapped > 250, `${mapped} memories`);
	});

	test("enough was there to be run and to be reset", () => {
		for (const { name, all, reset, counts } of MODES) {
			assert.ok(all.size > 65_000, `${name}: ${all.size} commands`);
			if (reset !== undefined) assert.ok(counts.reset > 1000, `${name}: ${counts.reset} instances were reset`);
		}
	});

	after(() => {
		for (const { name, all, ledgerPath, ledger, reset, counts } of MODES) {
			if (isBlessing) blessLedger(ledgerPath, all);
			const { reset: put, discarded, mapped } = counts;
			const remark =
				reset === undefined
					? ""
					: `${put} instances reset, ${discarded} discarded for memory that grew, ${mapped} memories by pages`;
			writeSummary(new Map([[`core/${name}`, [...all]]]), ledger.failed, remark);
		}
	});
});
