/** Small components of all kinds, and what becomes of bytes that nobody vouches for. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { SkerryError } from "../fault/mod.ts";
import { decodeModuleInterface, type SectionInfo } from "../wasm/mod.ts";
import { decodeComponent } from "./decode.ts";
import { validateComponent } from "./validate.ts";
import { printWit } from "./wit/print.ts";

const SUITES = new URL("../../../shared/suites/", import.meta.url).pathname;
export const skip: string | false = existsSync(SUITES) ? false : `test data absent: ${SUITES}`;

/** Small components of all kinds; core code in them is not what is tested. */
export function corpus(): readonly Uint8Array[] {
	const files = globSync(`${SUITES}{runtime-types,http,p3}/**/*.wasm`).sort();
	return files.map((file) => readFileSync(file)).filter((bytes) => bytes.length < 110_000);
}

/** Where what is decoded lies: mutations in code, data and custom sections would hit nothing. */
export function structuralBytes(bytes: Uint8Array): readonly number[] {
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
export function outcomeOf(bytes: Uint8Array): string {
	const start = process.threadCpuUsage();
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
	const { user, system } = process.threadCpuUsage(start);
	assert.ok(user + system < 2_000_000, "too slow");
	return outcome;
}
