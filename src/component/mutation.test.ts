import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { array, assert as check, double, integer, nat, property, record } from "fast-check";
import { SkerryError } from "../fault/mod.ts";
import { decodeModuleInterface, type SectionInfo } from "../wasm/mod.ts";
import { decodeComponent } from "./decode.ts";
import { validateComponent } from "./validate.ts";
import { printWit } from "./wit/print.ts";

const SUITES = new URL("../../../shared/suites/", import.meta.url).pathname;
const skip = existsSync(SUITES) ? false : `test data absent: ${SUITES}`;

/** Small components of all kinds; core code in them is not what is tested. */
function corpus(): readonly Uint8Array[] {
	const files = globSync(`${SUITES}{runtime-types,http,p3}/**/*.wasm`).sort();
	return files.map((file) => readFileSync(file)).filter((bytes) => bytes.length < 110_000);
}

/** Where what is decoded lies: mutations in code, data and custom sections would hit nothing. */
function structuralBytes(bytes: Uint8Array): readonly number[] {
	const component = decodeComponent(bytes);
	const offsets: number[] = [];
	const add = (sections: readonly SectionInfo[], opaque: ReadonlySet<string>): void => {
		for (const { name, offset, size } of sections) {
			const length = opaque.has(name) || name.startsWith("custom") ? 12 : size;
			for (let i = 0; i < length; i++) offsets.push(offset + i);
		}
	};
	add(component.sections, new Set(["core module"]));
	for (const definition of component.definitions) {
		if (definition.kind !== "core module") continue;
		add(decodeModuleInterface(definition.bytes, definition.offset).sections, new Set(["code", "data", "element"]));
	}
	return offsets;
}

/** Runs everything that reads untrusted bytes: it may refuse, and nothing else. */
function outcomeOf(bytes: Uint8Array): string {
	const start = performance.now();
	let outcome = "accepted";
	try {
		const type = validateComponent(decodeComponent(bytes));
		printWit(type, { full: true });
	} catch (error) {
		if (!(error instanceof SkerryError)) throw error;
		assert.ok((error.place?.offset ?? -1) >= 0, `no offset: ${error.message}`);
		assert.ok((error.place?.offset ?? 0) <= bytes.length, `offset past the end: ${error.message}`);
		outcome = error.code;
	}
	assert.ok(performance.now() - start < 2000, "too slow");
	return outcome;
}

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
