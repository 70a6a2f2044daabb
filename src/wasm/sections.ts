import type { Reader } from "../bytes/mod.ts";
import { hex } from "./syntax.ts";
import type { CustomSection, SectionInfo } from "./types.ts";

/** A section and a reader over its content. */
export interface Section extends SectionInfo {
	readonly content: Reader;
	/** Set for custom sections (id 0), whose name has been read off the content. */
	readonly custom?: CustomSection;
}

/** Sections of a core module in the order that the specification demands, which is not that of their ids. */
export const CORE_SECTIONS = [
	{ id: 1, name: "type" },
	{ id: 2, name: "import" },
	{ id: 3, name: "function" },
	{ id: 4, name: "table" },
	{ id: 5, name: "memory" },
	{ id: 13, name: "tag" },
	{ id: 6, name: "global" },
	{ id: 7, name: "export" },
	{ id: 8, name: "start" },
	{ id: 9, name: "element" },
	{ id: 12, name: "data count" },
	{ id: 10, name: "code" },
	{ id: 11, name: "data" },
] as const;

export type CoreSectionName = (typeof CORE_SECTIONS)[number]["name"];

/** Place in the order, from 1, and name. */
const CORE_SECTION_BY_ID: ReadonlyMap<number, { readonly name: CoreSectionName; readonly order: number }> = new Map(
	CORE_SECTIONS.map(({ id, name }, i) => [id, { name, order: i + 1 }]),
);

/** Reads the next section of a module or component: id, length and content; `nameOf` gives `undefined` for an unknown id. */
export function decodeSection(reader: Reader, nameOf: (id: number) => string | undefined): Section {
	const offset = reader.offset;
	const id = reader.u8("a section id");
	const name = id === 0 ? "custom" : nameOf(id);
	if (name === undefined) throw reader.malformed(`malformed section id: ${hex(id)}`, offset);
	const size = reader.u32("the size of a section");
	const content = reader.sub(size, `the ${name} section`);
	if (id !== 0) return { id, name, offset, size, content };
	const title = content.name("the name of a custom section");
	const start = content.offset;
	const custom: CustomSection = { name: title, offset: start, bytes: content.take(content.remaining) };
	return { id, name: `custom "${title}"`, offset, size, content, custom };
}

/** The sections of a core module, in order; `reader` stands behind the preamble. */
export function* decodeCoreSections(reader: Reader): Generator<Section> {
	let last = 0;
	while (!reader.done) {
		const section = decodeSection(reader, (id) => CORE_SECTION_BY_ID.get(id)?.name);
		if (section.id !== 0) {
			const order = CORE_SECTION_BY_ID.get(section.id)?.order ?? 0;
			if (order <= last) throw reader.malformed("section out of order", section.offset);
			last = order;
		}
		yield section;
	}
}

/** Ends the reading of a section: nothing may be left. */
export function finishSection(section: Section): void {
	if (!section.content.done) {
		throw section.content.malformed(`section size mismatch: unexpected data at the end of the ${section.name} section`);
	}
}
