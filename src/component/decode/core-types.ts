import type { Reader } from "../../bytes/mod.ts";
import { decodeExternType, decodeRecType } from "../../wasm/mod.ts";
import type { CoreModuleDeclaration, CoreTypeDefinition, CoreTypeExpr } from "../ast.ts";
import { MAX_DECLARATIONS } from "../limits.ts";
import { decodeIndex, decodeName, decodeVector, invalidByte } from "./items.ts";

/** `core:moduletype`, and the core format's non-final `sub`, which a `0x00` in front tells apart. */
const MODULE_OR_SUB = 0x50;

/** Binary.md `core:type`. */
export function decodeCoreType(reader: Reader): CoreTypeDefinition {
	const offset = reader.offset;
	return { kind: "core type", offset, type: decodeCoreTypeExpr(reader) };
}

function decodeCoreTypeExpr(reader: Reader): CoreTypeExpr {
	const byte = reader.peek();
	if (byte === MODULE_OR_SUB) {
		reader.u8();
		const declarations = decodeVector(reader, "module type declarations", MAX_DECLARATIONS, decodeModuleDeclaration, 2);
		return { kind: "module", declarations };
	}
	if (byte === 0x00) {
		const start = reader.offset;
		reader.u8();
		if (reader.peek() !== MODULE_OR_SUB) throw invalidByte(reader, reader.u8("a core type"), "core type", start + 1);
	}
	return decodeCoreRecType(reader);
}

function decodeCoreRecType(reader: Reader): CoreTypeExpr {
	const offset = reader.offset;
	return { kind: "rec", offset, bytes: spanned(reader, decodeRecType) };
}

/** The bytes that `decode` moves over. */
function spanned(reader: Reader, decode: (reader: Reader) => unknown): Uint8Array {
	const start = reader.position;
	decode(reader);
	return reader.bytes.subarray(start, reader.position);
}

/** Binary.md `core:moduledecl`. */
function decodeModuleDeclaration(reader: Reader): CoreModuleDeclaration {
	const offset = reader.offset;
	const byte = reader.u8("a module type declaration");
	switch (byte) {
		case 0x00: {
			const module = decodeName(reader);
			const name = decodeName(reader);
			const descOffset = reader.offset;
			return { kind: "import", offset, module, name, desc: spanned(reader, decodeExternType), descOffset };
		}
		case 0x01:
			// Here a bare 0x50 is the core format's `sub`: module types do not nest
			return { kind: "type", offset, type: decodeCoreRecType(reader) };
		case 0x02: {
			const sort = reader.u8("an alias sort");
			if (sort !== 0x10) throw invalidByte(reader, sort, "outer alias kind", reader.offset - 1);
			const target = reader.u8("an alias target");
			if (target !== 0x01) throw invalidByte(reader, target, "outer alias target", reader.offset - 1);
			return { kind: "alias", offset, sort: "type", count: decodeIndex(reader), index: decodeIndex(reader) };
		}
		case 0x03: {
			const name = decodeName(reader);
			const descOffset = reader.offset;
			return { kind: "export", offset, name, desc: spanned(reader, decodeExternType), descOffset };
		}
		default:
			throw invalidByte(reader, byte, "type definition", offset);
	}
}
