import { Reader } from "../bytes/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { decodeModule, decodeSection } from "../wasm/mod.ts";
import { liftData } from "./lift/initial.ts";
import type { InitialState } from "./rewritten.ts";

/** Ids of sections. */
const DATA = 11;
const DATA_COUNT = 12;

/**
 * What a module is but for its data, in two parts: before its data section, and after it. Modules for which both are equal become
 * the same code, if all of their data can be taken out.
 * @returns `undefined` for bytes that are no module, or have no data
 */
export function splitData(bytes: Uint8Array): readonly [before: Uint8Array, after: Uint8Array] | undefined {
	const section = sectionsOf(bytes)?.find(({ id }) => id === DATA);
	return section && [bytes.subarray(0, section.start), bytes.subarray(section.end)];
}

/** Whether a rewritten module has no data of its own left, nor code that names any. */
export function isWithoutData(rewritten: Uint8Array): boolean {
	return sectionsOf(rewritten)?.every(({ id }) => id !== DATA && id !== DATA_COUNT) ?? false;
}

/**
 * The data of a module whose like was rewritten before: one that differs in its data section only, and had no data left.
 * @returns `undefined` when some of it has to stay in the module, which is then to be rewritten by itself
 */
export function takeData(bytes: Uint8Array, offset: number): InitialState["data"] | undefined {
	const { data, lifted } = liftData(decodeModule(bytes, offset), { namesData: false });
	return data.length === 0 ? lifted : undefined;
}

function sectionsOf(
	bytes: Uint8Array,
): { readonly id: number; readonly start: number; readonly end: number }[] | undefined {
	const reader = new Reader(bytes);
	const sections: { id: number; start: number; end: number }[] = [];
	try {
		reader.take(8, "the preamble");
		while (!reader.done) {
			const start = reader.offset;
			const { id } = decodeSection(reader, () => "core");
			sections.push({ id, start, end: reader.offset });
		}
		return sections;
	} catch (error) {
		if (error instanceof SkerryError) return undefined;
		throw error;
	}
}
