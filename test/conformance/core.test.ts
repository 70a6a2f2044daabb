/**
 * The core suite of WebAssembly, every module of it as Skerry gives it to V8: decoded and encoded anew (`plain`), and rewritten for
 * each way of metering, with instances that are new (`fresh`), or were used up and put back before the script has them, by copying
 * (`copy`) and by copy-on-write pages (`cow`). One ledger of deviations, beside this file, holds for all of these.
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
	readonly all: Map<string, Outcome>;
	readonly counts: ResetCounts;
}

function defineMode(name: string, mode: Mode): ModeRun {
	return { ...mode, name, all: new Map(), counts: { reset: 0, discarded: 0, mapped: 0 } };
}

const METERINGS = ["off", "trap", "yield", "fuel"] as const;

/** What is done to an instance before the script has it: nothing, or it is used up and put back. */
const STRATEGIES: readonly { readonly name: string; readonly reset?: NonNullable<Mode["reset"]> }[] = [
	{ name: "fresh" },
	{ name: "copy", reset: { mapper: undefined } },
	...(typeof mapper === "string" ? [] : [{ name: "cow", reset: { mapper } }]),
];

const MODES: readonly ModeRun[] = [
	defineMode("plain", { rewrite: false }),
	...METERINGS.flatMap((metering) =>
		STRATEGIES.map(({ name, ...strategy }) =>
			defineMode(`${metering}/${name}`, { rewrite: true, metering, ...strategy }),
		),
	),
];

/** One for all modes: where one of them deviates from the others, it fails. */
const LEDGER_PATH = path.join(import.meta.dirname, "core.ledger.json");
const LEDGER: Ledger = readLedger(LEDGER_PATH);

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
				const { failed, skipped } = LEDGER;
				const expected = { failed: inFile(failed, file), skipped: inFile(skipped, file) };
				const differences = compareWithLedger(expected, outcomes);
				if (differences.length > 0) problems[mode.name] = differences;
			}
			if (!isBlessing) assert.deepEqual(problems, {});
		});
	}

	test("memories were put back by pages", { skip: noMapper ?? false }, () => {
		for (const { name, counts, reset } of MODES) {
			if (reset?.mapper !== undefined) assert.ok(counts.mapped > 250, `${name}: ${counts.mapped} memories`);
		}
	});

	test("enough was there to be run and to be reset", () => {
		for (const { name, all, reset, counts } of MODES) {
			assert.ok(all.size > 65_000, `${name}: ${all.size} commands`);
			if (reset !== undefined) assert.ok(counts.reset > 1000, `${name}: ${counts.reset} instances were reset`);
		}
	});

	after(() => {
		if (isBlessing) blessLedger(LEDGER_PATH, MODES[0]?.all ?? new Map());
		for (const { name, all, reset, counts } of MODES) {
			const { reset: put, discarded, mapped } = counts;
			const remark =
				reset === undefined
					? ""
					: `${put} instances reset, ${discarded} discarded for memory that grew, ${mapped} memories by pages`;
			writeSummary(new Map([[`core/${name}`, [...all]]]), LEDGER.failed, remark);
		}
	});
});
