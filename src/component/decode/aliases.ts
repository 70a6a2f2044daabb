import type { Reader } from "../../bytes/mod.ts";
import type { AliasDefinition, AliasTarget, Sort } from "../ast.ts";
import { decodeIndex, decodeName, invalidByte } from "./items.ts";
import { decodeSort } from "./sorts.ts";

/** The sorts that each kind of alias target can have. */
const SORTS_OF: { readonly [K in AliasTarget["kind"]]: ReadonlySet<Sort> } = {
	export: new Set<Sort>(["core module", "func", "value", "type", "component", "instance"]),
	"core export": new Set<Sort>(["core func", "core table", "core memory", "core global", "core tag"]),
	outer: new Set<Sort>(["core module", "core type", "type", "component"]),
};

/** Binary.md `alias`. */
export function decodeAlias(reader: Reader): AliasDefinition {
	const offset = reader.offset;
	const sort = decodeSort(reader, "component outer alias kind");
	const last = reader.bytes[reader.position - 1] ?? 0;
	const target = decodeTarget(reader);
	if (!SORTS_OF[target.kind].has(sort)) {
		throw invalidByte(reader, last, `component ${target.kind} alias kind`, offset);
	}
	return { kind: "alias", offset, sort, target };
}

function decodeTarget(reader: Reader): AliasTarget {
	const start = reader.offset;
	const byte = reader.u8("an alias target");
	switch (byte) {
		case 0x00:
			return { kind: "export", instance: decodeIndex(reader), name: decodeName(reader) };
		case 0x01:
			return { kind: "core export", instance: decodeIndex(reader), name: decodeName(reader) };
		case 0x02:
			return { kind: "outer", count: decodeIndex(reader), index: decodeIndex(reader) };
		default:
			throw invalidByte(reader, byte, "alias", start);
	}
}
