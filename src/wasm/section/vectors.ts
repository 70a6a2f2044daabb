import type { Reader, Writer } from "../../bytes/mod.ts";
import { encodeExternTypeBody, encodeRecType } from "../encode-types.ts";
import * as limits from "../limits.ts";
import type { Module } from "../module.ts";
import { decodeMemoryType, decodeRecType, decodeTagType } from "../syntax.ts";
import { decodeGlobal, decodeTable, encodeGlobal, encodeTable } from "./definitions.ts";
import { decodeExport, decodeImport, encodeExport, encodeImport } from "./externs.ts";
import { decodeData, decodeElement, encodeData, encodeElement } from "./segments.ts";

/** A section that is a vector of items. */
export interface VectorSection<T> {
	/** What the items are called in errors. */
	readonly what: string;
	readonly limit: number;
	/** Bytes that an item takes at least. */
	readonly minimum: number;
	readonly decode: (reader: Reader) => T;
	readonly encode: (writer: Writer, item: T) => void;
}

/** Parts of a module that are vectors of items, by their key in `Module`. */
export type VectorKey =
	| "types"
	| "imports"
	| "functions"
	| "tables"
	| "memories"
	| "tags"
	| "globals"
	| "exports"
	| "elements"
	| "data";

export const VECTORS: { readonly [K in VectorKey]: VectorSection<Module[K][number]> } = {
	types: { what: "types", limit: limits.MAX_TYPES, minimum: 2, decode: decodeRecType, encode: encodeRecType },
	imports: { what: "imports", limit: limits.MAX_IMPORTS, minimum: 4, decode: decodeImport, encode: encodeImport },
	functions: {
		what: "functions",
		limit: limits.MAX_FUNCTIONS,
		minimum: 1,
		decode: (reader) => reader.u32("a type index"),
		encode: (writer, type) => void writer.u32(type),
	},
	tables: { what: "tables", limit: limits.MAX_TABLES, minimum: 3, decode: decodeTable, encode: encodeTable },
	memories: {
		what: "memories",
		limit: limits.MAX_MEMORIES,
		minimum: 2,
		decode: decodeMemoryType,
		encode: encodeExternTypeBody,
	},
	tags: { what: "tags", limit: limits.MAX_TAGS, minimum: 2, decode: decodeTagType, encode: encodeExternTypeBody },
	globals: { what: "globals", limit: limits.MAX_GLOBALS, minimum: 3, decode: decodeGlobal, encode: encodeGlobal },
	exports: { what: "exports", limit: limits.MAX_EXPORTS, minimum: 3, decode: decodeExport, encode: encodeExport },
	elements: {
		what: "element segments",
		limit: limits.MAX_ELEMENT_SEGMENTS,
		minimum: 2,
		decode: decodeElement,
		encode: encodeElement,
	},
	data: {
		what: "data segments",
		limit: limits.MAX_DATA_SEGMENTS,
		minimum: 2,
		decode: decodeData,
		encode: encodeData,
	},
};
