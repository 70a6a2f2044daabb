import type { Reader } from "../../bytes/mod.ts";
import { SkerryError } from "../../fault/mod.ts";
import type { ExportDefinition, ExternDesc, ExternName, ImportDefinition } from "../ast.ts";
import { MAX_NAME_ATTRIBUTES } from "../limits.ts";
import { decodeIndex, decodeName, decodeOptional, invalidByte } from "./items.ts";
import { decodeSortIndex } from "./sorts.ts";
import { decodeValueTypeRef } from "./value-types.ts";

/** Binary.md `nameattribute`: the key in the AST and the name in the text format. */
const ATTRIBUTES = [
	{ key: "implements", title: "implements" },
	{ key: "versionSuffix", title: "versionsuffix" },
	{ key: "externalId", title: "external-id" },
] as const;

/** Binary.md `externname`: `0x00` and (the same, older) `0x01` before a bare name, `0x02` before one with attributes. */
export function decodeExternName(reader: Reader): ExternName {
	const start = reader.offset;
	const prefix = reader.u8("a name");
	if (prefix > 2) throw invalidByte(reader, prefix, "component name", start);
	const name = decodeName(reader);
	return prefix === 2 ? { name, ...decodeAttributes(reader) } : { name };
}

function decodeAttributes(reader: Reader): Omit<ExternName, "name"> {
	const attributes: Partial<Record<(typeof ATTRIBUTES)[number]["key"], string>> = {};
	for (let n = reader.count("name attributes", MAX_NAME_ATTRIBUTES, 2); n > 0; n--) {
		const start = reader.offset;
		const byte = reader.u8("a name attribute");
		const attribute = ATTRIBUTES[byte];
		if (attribute === undefined) throw invalidByte(reader, byte, "name option", start);
		if (attributes[attribute.key] !== undefined) {
			throw new SkerryError("component/invalid", `duplicate '${attribute.title}' option in name`, {
				place: { offset: start },
			});
		}
		attributes[attribute.key] = decodeName(reader);
	}
	return attributes;
}

/** Binary.md `externdesc`. */
export function decodeExternDesc(reader: Reader): ExternDesc {
	const start = reader.offset;
	const byte = reader.u8("an external kind");
	switch (byte) {
		case 0x00: {
			const second = reader.u8("a core sort");
			if (second !== 0x11) throw invalidByte(reader, second, "component external kind", start + 1);
			return { kind: "core module", type: decodeIndex(reader) };
		}
		case 0x01:
			return { kind: "func", type: decodeIndex(reader) };
		case 0x02:
			return { kind: "value", bound: decodeValueBound(reader) };
		case 0x03:
			return { kind: "type", bound: decodeTypeBound(reader) };
		case 0x04:
			return { kind: "component", type: decodeIndex(reader) };
		case 0x05:
			return { kind: "instance", type: decodeIndex(reader) };
		default:
			throw invalidByte(reader, byte, "component external kind", start);
	}
}

function decodeTypeBound(reader: Reader): Extract<ExternDesc, { kind: "type" }>["bound"] {
	const start = reader.offset;
	const byte = reader.u8("a type bound");
	if (byte === 0) return { kind: "eq", type: decodeIndex(reader) };
	if (byte === 1) return { kind: "sub resource" };
	throw invalidByte(reader, byte, "type bound", start);
}

function decodeValueBound(reader: Reader): Extract<ExternDesc, { kind: "value" }>["bound"] {
	const start = reader.offset;
	const byte = reader.u8("a value bound");
	if (byte === 0) return { kind: "eq", index: decodeIndex(reader) };
	if (byte === 1) return { kind: "type", type: decodeValueTypeRef(reader) };
	throw invalidByte(reader, byte, "value bound", start);
}

export function decodeImport(reader: Reader): ImportDefinition {
	const offset = reader.offset;
	return { kind: "import", offset, name: decodeExternName(reader), desc: decodeExternDesc(reader) };
}

export function decodeExport(reader: Reader): ExportDefinition {
	const offset = reader.offset;
	const name = decodeExternName(reader);
	const item = decodeSortIndex(reader);
	const desc = decodeOptional(reader, "optional component export type", decodeExternDesc);
	return { kind: "export", offset, name, item, ...(desc === null ? {} : { desc }) };
}
