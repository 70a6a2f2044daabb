import { Reader, Writer } from "../bytes/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { MAX_NAMES } from "./limits.ts";

/** Names by index. */
export type NameMap = ReadonlyMap<number, string>;
/** Names of things within an item: by its index, then their own. */
export type IndirectNameMap = ReadonlyMap<number, NameMap>;

/** The `name` section: core specification, appendix Custom Sections, with the extended name section proposal. */
export interface NameSection {
	readonly module?: string;
	readonly functions: NameMap;
	/** By function. */
	readonly locals: IndirectNameMap;
	/** By function. */
	readonly labels: IndirectNameMap;
	readonly types: NameMap;
	readonly tables: NameMap;
	readonly memories: NameMap;
	readonly globals: NameMap;
	readonly elements: NameMap;
	readonly data: NameMap;
	/** By type. */
	readonly fields: IndirectNameMap;
	readonly tags: NameMap;
}

type DirectKey = "functions" | "types" | "tables" | "memories" | "globals" | "elements" | "data" | "tags";
type IndirectKey = "locals" | "labels" | "fields";

/** Subsections by their id, in the order in which they stand. The first, 0, is the module's own name. */
const SUBSECTIONS: readonly ({ readonly direct: DirectKey } | { readonly indirect: IndirectKey } | null)[] = [
	null,
	{ direct: "functions" },
	{ indirect: "locals" },
	{ indirect: "labels" },
	{ direct: "types" },
	{ direct: "tables" },
	{ direct: "memories" },
	{ direct: "globals" },
	{ direct: "elements" },
	{ direct: "data" },
	{ indirect: "fields" },
	{ direct: "tags" },
];

function decodeMap<T>(content: Reader, into: Map<number, T>, item: () => T): void {
	for (let n = content.count("names", MAX_NAMES, 2); n > 0; n--) into.set(content.u32(), item());
}

/** The content of a `name` section. The section binds nobody: what is malformed is left out, and nothing throws. */
export function decodeNameSection(bytes: Uint8Array, offset = 0): NameSection {
	const direct: Record<DirectKey, Map<number, string>> = {
		functions: new Map(),
		types: new Map(),
		tables: new Map(),
		memories: new Map(),
		globals: new Map(),
		elements: new Map(),
		data: new Map(),
		tags: new Map(),
	};
	const indirect: Record<IndirectKey, Map<number, NameMap>> = {
		locals: new Map(),
		labels: new Map(),
		fields: new Map(),
	};
	let module: string | undefined;
	const reader = new Reader(bytes, offset);
	try {
		while (!reader.done) {
			const id = reader.u8();
			const content = reader.sub(reader.u32());
			const subsection = SUBSECTIONS[id];
			if (id === 0) {
				module = content.name();
			} else if (subsection != null && "direct" in subsection) {
				decodeMap(content, direct[subsection.direct], () => content.name());
			} else if (subsection != null) {
				decodeMap(content, indirect[subsection.indirect], () => {
					const names = new Map<number, string>();
					decodeMap(content, names, () => content.name());
					return names;
				});
			}
		}
	} catch (error) {
		if (!(error instanceof SkerryError)) throw error;
	}
	return { ...(module === undefined ? {} : { module }), ...direct, ...indirect };
}

/** What most ask of the names: the module's own and those of functions. */
export type ModuleNames = Pick<NameSection, "module" | "functions">;

/** The module's name and those of functions; like `decodeNameSection`, it never throws. */
export function decodeNames(bytes: Uint8Array, offset = 0): ModuleNames {
	const { module, functions } = decodeNameSection(bytes, offset);
	return { ...(module === undefined ? {} : { module }), functions };
}

function encodeMap<T>(writer: Writer, map: ReadonlyMap<number, T>, item: (value: T) => void): void {
	const entries = [...map].sort(([a], [b]) => a - b);
	writer.u32(entries.length);
	for (const [index, value] of entries) {
		writer.u32(index);
		item(value);
	}
}

/** The content of a `name` section: subsections that hold something, indices ascending. */
export function encodeNameSection(names: NameSection): Uint8Array {
	const out = new Writer();
	if (names.module !== undefined) out.section(0, new Writer().name(names.module));
	SUBSECTIONS.forEach((subsection, id) => {
		if (subsection === null) return;
		const content = new Writer();
		if ("direct" in subsection) {
			if (names[subsection.direct].size === 0) return;
			encodeMap(content, names[subsection.direct], (name) => content.name(name));
		} else {
			if (names[subsection.indirect].size === 0) return;
			encodeMap(content, names[subsection.indirect], (map) => encodeMap(content, map, (name) => content.name(name)));
		}
		out.section(id, content);
	});
	return out.finish();
}
