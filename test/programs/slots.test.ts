/**
 * Every Sightglass program twice in one slot and once in a new instance: equal output, equal memory at the end, equal fuel. Those that
 * take longer, five times over, are for `npm run programs`.
 */
import assert from "node:assert/strict";
import { existsSync, globSync } from "node:fs";
import path from "node:path";
import { suite, test } from "node:test";
import { CompileCache } from "../../src/engine/mod.ts";
import { STRATEGIES } from "../reset/reset-check.ts";
import { linkProgram, ProgramSlot } from "../reset/slot-run.ts";
import { isLong, SIGHTGLASS } from "./sightglass.ts";

const QUICK: ReadonlySet<string> = new Set([
	"hashset/benchmark.wasm",
	"noop/benchmark.wasm",
	"pulldown-cmark/benchmark.wasm",
	"quicksort/benchmark.wasm",
	"shootout/shootout-ackermann.wasm",
]);

/** All that it has is in V8's heap. */
const WITHOUT_MEMORY: ReadonlySet<string> = new Set(["splay/splay.wasm"]);

const OVER = new Error("the test is over");

suite("sightglass in slots", { skip: existsSync(SIGHTGLASS) ? false : `the suite is absent: ${SIGHTGLASS}` }, () => {
	const programs = globSync("*/*.wasm", { cwd: SIGHTGLASS }).sort();
	for (const name of programs) {
		const skip = QUICK.has(name) || isLong ? false : "takes long: `npm run programs`";
		test(name, { skip }, async (t) => {
			const file = path.join(SIGHTGLASS, name);
			const linked = await linkProgram(file, new CompileCache());
			const fresh = new ProgramSlot(linked, file, 0, undefined);
			const due = await fresh.run();
			fresh.pool.close(OVER);
			assert.ok(due.fuel > 0 && (due.memories.length > 0 || WITHOUT_MEMORY.has(name)), JSON.stringify(due));
			for (const strategy of STRATEGIES.filter(({ warm, skip: absent }) => warm > 0 && absent === false)) {
				const slot = new ProgramSlot(linked, file, 1, strategy.mapper);
				for (let round = 0; round < 2; round++)
					assert.deepEqual(await slot.run(), due, `${strategy.name}, run ${round}`);
				const { created, reset } = slot.pool.counts;
				t.diagnostic(`${strategy.name}: ${created} instances, ${reset} times put back, fuel ${due.fuel}`);
				slot.pool.close(OVER);
			}
		});
	}

	test("all of them were there", () => assert.ok(programs.length >= 25));
});
