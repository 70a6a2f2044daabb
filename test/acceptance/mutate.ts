/**
 * `npm run soak -- mutate [binaries] [first seed]`: components with a few bytes changed are decoded, found valid or not, and printed; those
 * that pass are linked, some of them. Whatever is wrong is an error with a code.
 */
import assert from "node:assert/strict";
import { corpus, outcomeOf, skip, structuralBytes } from "../../src/component/mutation.fixture.ts";
import { CompileCache } from "../../src/engine/mod.ts";
import { SkerryError } from "../../src/fault/mod.ts";
import { linkComponent, loadComponent } from "../../src/link/mod.ts";
import { WASI_HOST } from "../../src/wasi/mod.ts";
import { Dice } from "../reset/dice.ts";

/** Of those that are valid one in so many is linked: it takes a hundred times as long. */
const LINKED_ONE_IN = 10;
const REPORT_INTERVAL = 15_000;
const SHOWN = 5;

export async function soakMutations(binaries: number, firstSeed: number): Promise<boolean> {
	if (skip !== false) throw new Error(skip);
	const seeds = corpus().map((bytes) => ({ bytes, offsets: structuralBytes(bytes) }));
	const outcomes = new Map<string, number>();
	const failed: number[] = [];
	const started = performance.now();
	let reported = started;
	for (let seed = firstSeed; seed < firstSeed + binaries; seed++) {
		const dice = new Dice(seed);
		const original = dice.pick(seeds);
		const bytes = Uint8Array.from(original.bytes);
		for (let edits = 1 + dice.below(4); edits > 0; edits--) bytes[dice.pick(original.offsets)] = dice.below(256);
		try {
			const outcome = outcomeOf(bytes);
			count(outcomes, outcome);
			if (outcome === "accepted" && dice.oneIn(LINKED_ONE_IN)) count(outcomes, `linked: ${await linkOutcome(bytes)}`);
		} catch (error) {
			failed.push(seed);
			if (failed.length <= SHOWN) console.log(error);
		}
		if (performance.now() - reported < REPORT_INTERVAL) continue;
		reported = performance.now();
		console.log(`  ${seed - firstSeed + 1} binaries, ${failed.length} failed`);
	}
	const seconds = ((performance.now() - started) / 1000).toFixed(0);
	console.log(`${binaries} binaries in ${seconds} s: ${JSON.stringify(Object.fromEntries(outcomes))}`);
	for (const seed of failed) console.log(`FAILED npm run soak -- mutate 1 ${seed}`);
	return failed.length === 0;
}

function count(counts: Map<string, number>, key: string): void {
	counts.set(key, (counts.get(key) ?? 0) + 1);
}

async function linkOutcome(bytes: Uint8Array): Promise<string> {
	const begun = performance.now();
	try {
		await linkComponent(loadComponent(bytes), WASI_HOST, new CompileCache());
		return "yes";
	} catch (error) {
		if (!(error instanceof SkerryError)) throw error;
		// Of ours, and so of nobody's input.
		assert.notEqual(error.code, "cli/internal");
		assert.notEqual(error.code, "engine/verification");
		return error.code;
	} finally {
		assert.ok(performance.now() - begun < 30_000, "too slow");
	}
}
