/** The rules of the component model that are easy to get wrong (`design/component-model.md`), each with the scripts of the suite that try it. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";
import { suite, test } from "node:test";

import { type Outcome, runComponentScript } from "../../src/wast/mod.ts";

const SUITE = path.resolve(import.meta.dirname, "../../../shared/suites/component-model/test");
const absent = existsSync(SUITE) ? false : `the suite is absent: ${SUITE}`;

const RULES: readonly (readonly [rule: string, ...scripts: string[]])[] = [
	["1: flat limits, of async lowers too", "async/cross-abi-calls"],
	["2: what a callback returns", "async/trap-if-block-and-sync", "async/wait-during-callback"],
	["3: BLOCKED, and how results of copies are packed", "async/partial-stream-copies", "async/cross-task-future"],
	["4: one table per instance, indices last-in first-out", "resources/handle-table", "async/passing-resources"],
	["5: who may be entered from where", "async/trap-on-reenter"],
	["6: what may be called in realloc and post-return", "values/post-return"],
	["7: backpressure is for async functions", "async/sync-barges-in", "async/big-interleaving-test"],
	["8: the exclusive lock", "async/async-calls-sync", "async/during-sync-call-no-exclusive-resume"],
	["9: a synchronous call that blocks", "async/during-sync-call-no-sibling-resume", "async/deadlock"],
	["10: task.return, and borrows that are left", "async/drop-cross-task-borrow"],
	["11: lenders are released when the event is delivered", "async/drop-subtask"],
	["12: a borrow where it was defined is the representation", "resources/borrows"],
	["13: resource.drop of what is lent", "resources/borrows", "resources/multiple-resources"],
	["14: events are made when they are delivered", "async/sync-streams", "async/closed-stream"],
	["15: copies of nothing", "async/zero-length"],
	["16: partial copies add up until they are told", "async/partial-stream-copies", "async/cancel-stream"],
	["17: ends that were dropped, futures that were not written", "async/trap-if-done", "async/futures-must-write"],
	["18: both ends in one instance", "async/same-component-stream-future"],
	["19: ends in waitable sets", "async/trap-if-transfer-in-waitable-set", "async/trap-if-sync-and-waitable-set"],
	["20: cancellation", "async/cancel-subtask", "async/big-interleaving-test"],
	["21: a trap ends the instance for good", "async/builtin-trap-poisons-instance"],
	["22: the calls of realloc for strings", "values/realloc", "values/transcode"],
	["23: lists are checked at length 0 too", "values/alignment"],
	["24: bool, narrow integers, char, NaN", "values/numerics", "values/variants"],
	["25: strings that are none; exceptions that leave a function", "values/strings", "linking/tags"],
];

suite("rules", { skip: absent }, () => {
	const ran = new Map<string, Promise<Outcome[]>>();
	const run = (script: string): Promise<Outcome[]> => {
		let outcomes = ran.get(script);
		if (outcomes === undefined) {
			outcomes = runComponentScript(readFileSync(path.join(SUITE, `${script}.wast`), "utf8"));
			ran.set(script, outcomes);
		}
		return outcomes;
	};

	for (const [rule, ...scripts] of RULES) {
		test(rule, async () => {
			for (const script of scripts) {
				const outcomes = await run(script);
				assert.ok(outcomes.length > 0, script);
				const failed = outcomes.filter(({ status }) => status !== "passed");
				assert.deepEqual(failed, [], script);
			}
		});
	}
});

test("each rule has a test of its own beside the code, too", () => {
	const source = path.resolve(import.meta.dirname, "../../src");
	const named = new Set<number>();
	for (const file of globSync("**/*.test.ts", { cwd: source })) {
		const text = readFileSync(path.join(source, file), "utf8");
		for (const [, numbers] of text.matchAll(/test\(["`]rules? ([\d and,]+):/g)) {
			for (const number of numbers?.match(/\d+/g) ?? []) named.add(Number(number));
		}
	}
	const rules = RULES.map(([rule]) => Number.parseInt(rule, 10));
	assert.equal(rules.length, 25);
	assert.deepEqual(
		rules.filter((rule) => !named.has(rule)),
		[],
	);
});
