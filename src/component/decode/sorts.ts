import type { Reader } from "../../bytes/mod.ts";
import type { CoreSort, CoreSortIndex, Sort, SortIndex } from "../ast.ts";
import { decodeIndex, invalidByte } from "./items.ts";

/** Binary.md `core:sort`. */
const CORE_SORTS = new Map<number, CoreSort>([
	[0x00, "func"],
	[0x01, "table"],
	[0x02, "memory"],
	[0x03, "global"],
	[0x04, "tag"],
	[0x10, "type"],
	[0x11, "module"],
	[0x12, "instance"],
]);

/** Binary.md `sort`; 0x00 is a core sort, whose own byte follows. */
const SORTS = new Map<number, Sort>([
	[0x01, "func"],
	[0x02, "value"],
	[0x03, "type"],
	[0x04, "component"],
	[0x05, "instance"],
]);

function decodeCoreSort(reader: Reader, what: string): CoreSort {
	const start = reader.offset;
	const byte = reader.u8("a core sort");
	const sort = CORE_SORTS.get(byte);
	if (sort === undefined) throw invalidByte(reader, byte, what, start);
	return sort;
}

export function decodeSort(reader: Reader, what: string): Sort {
	const start = reader.offset;
	const byte = reader.u8("a sort");
	if (byte === 0x00) return `core ${decodeCoreSort(reader, what)}`;
	const sort = SORTS.get(byte);
	if (sort === undefined) throw invalidByte(reader, byte, what, start);
	return sort;
}

/** The sorts that an instance can export and an import can ask for; core items other than modules are not among them. */
export function decodeSortIndex(reader: Reader): SortIndex {
	const start = reader.offset;
	const sort = decodeSort(reader, "component external kind");
	if (sort.startsWith("core ") && sort !== "core module") {
		throw reader.malformed(`invalid component external kind: ${sort}`, start);
	}
	return { sort, index: decodeIndex(reader) };
}

/** The sorts that a core instance can export. */
export function decodeCoreSortIndex(reader: Reader): CoreSortIndex {
	const start = reader.offset;
	const sort = decodeCoreSort(reader, "external kind");
	if (sort === "type" || sort === "module" || sort === "instance") {
		throw reader.malformed(`invalid external kind: core ${sort}`, start);
	}
	return { sort, index: decodeIndex(reader) };
}
