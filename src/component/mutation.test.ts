import assert from "node:assert/strict";
import { test } from "node:test";
import { array, assert as check, double, integer, nat, property, record } from "fast-check";
import { corpus, outcomeOf, skip, structuralBytes } from "./mutation.fixture.ts";

test("mutated components are refused or accepted, and nothing else", { skip }, () => {
	const seeds = corpus().map((bytes) => ({ bytes, offsets: structuralBytes(bytes) }));
	const seen = new Set<string>();
	const mutation = record({
		seed: nat(),
		edits: array(record({ at: nat(), byte: integer({ min: 0, max: 255 }) }), {
			minLength: 1,
			maxLength: 4,
		}),
	});
	check(
		property(mutation, ({ seed, edits }) => {
			const original = seeds[seed % seeds.length];
			if (original === undefined) return;
			const bytes = Uint8Array.from(original.bytes);
			for (const { at, byte } of edits) bytes[original.offsets[at % original.offsets.length] ?? 0] = byte;
			seen.add(outcomeOf(bytes));
		}),
		{ numRuns: Number(process.env["SKERRY_FUZZ_RUNS"] ?? 1500) },
	);
	// Shallow mutations would end in one kind of error only
	for (const code of ["accepted", "binary/malformed", "binary/truncated", "component/invalid"]) {
		assert.ok(seen.has(code), `no mutation was ${code}`);
	}
});

test("truncated components are refused or end between sections", { skip }, () => {
	const seeds = corpus();
	check(
		property(nat(), double({ min: 0, max: 1, noNaN: true }), (seed, part) => {
			const original = seeds[seed % seeds.length];
			if (original === undefined) return;
			const bytes = original.subarray(0, Math.floor(original.length * part));
			const outcome = outcomeOf(bytes);
			assert.ok(["accepted", "binary/truncated", "binary/not-wasm"].includes(outcome), outcome);
		}),
		{ numRuns: 500 },
	);
});
