import type { Reader } from "../../bytes/mod.ts";
import { SkerryError } from "../../fault/mod.ts";
import { decodeCoreValueType } from "../../wasm/mod.ts";
import type { Declaration, TypeDefinition, TypeExpr } from "../ast.ts";
import { MAX_DECLARATIONS, MAX_TYPE_DEPTH } from "../limits.ts";
import { decodeAlias } from "./aliases.ts";
import { decodeCoreType } from "./core-types.ts";
import { decodeExternDesc, decodeExternName, decodeImport } from "./externs.ts";
import { decodeIndex, decodeOptional, decodeVector, invalidByte } from "./items.ts";
import { decodeDefinedType, decodeFunctionType } from "./value-types.ts";

export function decodeType(reader: Reader): TypeDefinition {
	return decodeNestedType(reader, 0);
}

/** Binary.md `type`; `depth` counts the component and instance types around it. */
function decodeNestedType(reader: Reader, depth: number): TypeDefinition {
	const offset = reader.offset;
	return { kind: "type", offset, type: decodeTypeExpr(reader, depth) };
}

function decodeTypeExpr(reader: Reader, depth: number): TypeExpr {
	const start = reader.offset;
	const opcode = reader.u8("a type");
	switch (opcode) {
		case 0x3f:
			return decodeResourceType(reader);
		case 0x40:
			return decodeFunctionType(reader, false);
		case 0x43:
			return decodeFunctionType(reader, true);
		case 0x41:
			return { kind: "component", declarations: decodeDeclarations(reader, depth, true) };
		case 0x42:
			return { kind: "instance", declarations: decodeDeclarations(reader, depth, false) };
		default: {
			const type = decodeDefinedType(reader, opcode);
			if (type === undefined) throw invalidByte(reader, opcode, "component defined type", start);
			return { kind: "defined", type };
		}
	}
}

function decodeResourceType(reader: Reader): TypeExpr {
	const start = reader.offset;
	const rep = decodeCoreValueType(reader);
	const name = rep.kind === "number" ? rep.name : "ref";
	if (name !== "i32" && name !== "i64") {
		throw new SkerryError("component/invalid", "resources can only be represented by `i32`", {
			place: { offset: start },
		});
	}
	const dtor = decodeOptional(reader, "optional destructor", decodeIndex);
	return { kind: "resource", rep: name, dtor, async: false, callback: null };
}

function decodeDeclarations(reader: Reader, depth: number, imports: boolean): readonly Declaration[] {
	if (depth >= MAX_TYPE_DEPTH) {
		throw new SkerryError("binary/limit", `types nest more than ${MAX_TYPE_DEPTH} deep`, {
			place: { offset: reader.offset },
		});
	}
	return decodeVector(reader, "declarations", MAX_DECLARATIONS, (r) => decodeDeclaration(r, depth + 1, imports), 2);
}

/** Binary.md `componentdecl` and `instancedecl`, which has no imports. */
function decodeDeclaration(reader: Reader, depth: number, imports: boolean): Declaration {
	const offset = reader.offset;
	const byte = reader.u8("a declaration");
	switch (byte) {
		case 0x00:
			return decodeCoreType(reader);
		case 0x01:
			return decodeNestedType(reader, depth);
		case 0x02:
			return decodeAlias(reader);
		case 0x03:
			if (imports) return decodeImport(reader);
			break;
		case 0x04:
			return {
				kind: "export declaration",
				offset,
				name: decodeExternName(reader),
				desc: decodeExternDesc(reader),
			};
	}
	throw invalidByte(reader, byte, "component or instance type declaration", offset);
}
