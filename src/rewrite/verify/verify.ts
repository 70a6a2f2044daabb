import { compareCode } from "./code.ts";
import { refuse, sameBytes, sameContent } from "./cursor.ts";
import { addedItems, compareOthers } from "./sections.ts";
import {
	CODE,
	EXPORT,
	IMPORT,
	KIND_GLOBAL,
	KIND_MEMORY,
	MEMORY,
	Outline,
	readExport,
	readImport,
	readVector,
	type SectionRange,
	sectionOf,
	sectionsOf,
} from "./outline.ts";

/** A shared memory of one page. */
const FLAG_LIMITS = "3 1 1";

/** Sections that are compared item by item; all others are the same bytes. */
const BY_ITEM = new Set([IMPORT, MEMORY, EXPORT, CODE]);

/**
 * Proves that a rewritten module is the original and nothing more than the engine's additions. It has a decoder of its own and
 * shares nothing with the rewriter, so that one mistake is not made twice. What it is given has been decoded before: it is
 * well-formed, but need not be valid.
 * @param metered whether checks are to be there; without, nothing but exports of state may be added
 * @param engine the name of the module of which the original already imports what is the engine's
 * @throws SkerryError `engine/verification`
 */
export function verifyRewriting(
	original: Uint8Array,
	rewritten: Uint8Array,
	{ metered, engine }: { readonly metered: boolean; readonly engine?: string | undefined },
): void {
	if (!sameBytes(original, 0, 8, rewritten, 0)) throw refuse("it has another preamble");
	const from = sectionsOf(original);
	const to = sectionsOf(rewritten);
	compareOthers(from, to, BY_ITEM, Infinity);
	const outline = new Outline(from);
	compareImports(from, to, outline, metered, engine);
	compareExports(from, to, outline);
	if (metered) {
		if (sectionOf(to, MEMORY).number() !== 0) throw refuse("it defines memories");
		compareCode(sectionOf(from, CODE), sectionOf(to, CODE), outline);
		return;
	}
	for (const id of [MEMORY, CODE]) {
		if (!sameContent(sectionOf(from, id), sectionOf(to, id))) throw refuse(`section ${id} is not what it was`);
	}
}

function compareImports(
	from: readonly SectionRange[],
	to: readonly SectionRange[],
	outline: Outline,
	metered: boolean,
	known: string | undefined,
): void {
	const added = addedItems(IMPORT, from, to, readImport);
	if (!metered) {
		if (added.length > 0) throw refuse("it imports more than the original");
		return;
	}
	const limits = [...outline.memories, FLAG_LIMITS];
	if (added.length !== limits.length) throw refuse("it does not import the guest's memories and the flag");
	const engine = added[0]?.module ?? "";
	if (known === undefined ? outline.imports.some(({ module }) => module === engine) : engine !== known)
		throw refuse("the guest could import what is the engine's");
	if (new Set(added.map(({ name }) => name)).size !== added.length) throw refuse("it imports one thing twice");
	added.forEach((item, i) => {
		if (item.module !== engine || item.kind !== KIND_MEMORY || item.limits !== limits[i])
			throw refuse(`its import ${item.name} is not what it should be`);
	});
}

function compareExports(from: readonly SectionRange[], to: readonly SectionRange[], outline: Outline): void {
	const memories = outline.count(KIND_MEMORY) + outline.memories.length;
	const added = addedItems(EXPORT, from, to, readExport);
	const names = new Set(readVector(sectionOf(from, EXPORT), (cursor) => readExport(cursor).name));
	for (const { name, kind, index } of added) {
		if (names.has(name)) throw refuse(`it exports ${name} twice`);
		names.add(name);
		if (kind !== KIND_MEMORY && kind !== KIND_GLOBAL) throw refuse(`it exports ${name}, which is no state`);
		if (index < outline.count(kind)) throw refuse(`it exports ${name}, which is not its own`);
	}
	for (const { name, kind, index } of [...outline.exports, ...added]) {
		if (kind === KIND_MEMORY && index >= memories) throw refuse(`it exports ${name}, which the guest does not have`);
	}
}
