import type { Reader } from "../../bytes/mod.ts";
import type { DefinedTypeExpr, FunctionTypeExpr, PrimitiveKind, ValueTypeRef } from "../ast.ts";
import * as limits from "../limits.ts";
import { decodeIndex, decodeName, decodeOptional, decodeVector, invalidByte } from "./items.ts";

/** Binary.md `primvaltype`; an array by opcode minus `0x64` would have holes, so a map. */
const PRIMITIVES = new Map<number, PrimitiveKind>([
	[0x7f, "bool"],
	[0x7e, "s8"],
	[0x7d, "u8"],
	[0x7c, "s16"],
	[0x7b, "u16"],
	[0x7a, "s32"],
	[0x79, "u32"],
	[0x78, "s64"],
	[0x77, "u64"],
	[0x76, "f32"],
	[0x75, "f64"],
	[0x74, "char"],
	[0x73, "string"],
	[0x64, "error-context"],
]);

/** Binary.md `valtype`: a primitive's byte, or a type index as a nonnegative `s33`. */
export function decodeValueTypeRef(reader: Reader): ValueTypeRef {
	const start = reader.offset;
	const byte = reader.peek();
	const primitive = PRIMITIVES.get(byte ?? -1);
	if (primitive !== undefined) {
		reader.u8();
		return primitive;
	}
	const index = reader.s33("a value type");
	if (index < 0) throw invalidByte(reader, byte ?? 0, "component value type", start);
	return index;
}

function decodeOptionalType(reader: Reader): ValueTypeRef | null {
	return decodeOptional(reader, "optional component value type", decodeValueTypeRef);
}

function decodeLabelled(reader: Reader): { name: string; type: ValueTypeRef } {
	return { name: decodeName(reader), type: decodeValueTypeRef(reader) };
}

function decodeCase(reader: Reader): { name: string; type: ValueTypeRef | null } {
	const name = decodeName(reader);
	const type = decodeOptionalType(reader);
	const start = reader.offset;
	// Once the `refines` clause
	const zero = reader.u8("the end of a case");
	if (zero !== 0) throw invalidByte(reader, zero, "zero byte required", start);
	return { name, type };
}

type DecodeDefinedType = (reader: Reader) => DefinedTypeExpr;

/** Binary.md `defvaltype`, by opcode. */
const DEFINED = new Map<number, DecodeDefinedType>([
	[
		0x72,
		(r) => ({ kind: "record", fields: decodeVector(r, "record fields", limits.MAX_RECORD_FIELDS, decodeLabelled) }),
	],
	[0x71, (r) => ({ kind: "variant", cases: decodeVector(r, "variant cases", limits.MAX_VARIANT_CASES, decodeCase) })],
	[0x70, (r) => ({ kind: "list", element: decodeValueTypeRef(r) })],
	[
		0x6f,
		(r) => ({ kind: "tuple", elements: decodeVector(r, "tuple types", limits.MAX_TUPLE_TYPES, decodeValueTypeRef) }),
	],
	[0x6e, (r) => ({ kind: "flags", names: decodeVector(r, "flags", limits.MAX_FLAG_NAMES, decodeName) })],
	[0x6d, (r) => ({ kind: "enum", names: decodeVector(r, "enum cases", limits.MAX_ENUM_CASES, decodeName) })],
	[0x6b, (r) => ({ kind: "option", element: decodeValueTypeRef(r) })],
	[0x6a, (r) => ({ kind: "result", ok: decodeOptionalType(r), err: decodeOptionalType(r) })],
	[0x69, (r) => ({ kind: "own", type: decodeIndex(r) })],
	[0x68, (r) => ({ kind: "borrow", type: decodeIndex(r) })],
	[0x67, (r) => ({ kind: "list", element: decodeValueTypeRef(r), length: r.u32("the length of a list") })],
	[0x66, (r) => ({ kind: "stream", element: decodeOptionalType(r) })],
	[0x65, (r) => ({ kind: "future", element: decodeOptionalType(r) })],
	[0x63, (r) => ({ kind: "map", key: decodeValueTypeRef(r), value: decodeValueTypeRef(r) })],
]);

/** The rest of a defined type whose opcode has been read; `undefined` where the opcode is none of theirs. */
export function decodeDefinedType(reader: Reader, opcode: number): DefinedTypeExpr | undefined {
	const primitive = PRIMITIVES.get(opcode);
	if (primitive !== undefined) return { kind: "primitive", primitive };
	return DEFINED.get(opcode)?.(reader);
}

/** The rest of a function type whose opcode (`0x40`, or `0x43` when async) has been read. */
export function decodeFunctionType(reader: Reader, async: boolean): FunctionTypeExpr {
	const params = decodeVector(reader, "function parameters", limits.MAX_FUNCTION_PARAMS, decodeLabelled, 2);
	return { kind: "func", async, params, result: decodeResultList(reader, "component function results") };
}

/** Binary.md `resultlist`: `0x00` and a type, or `0x01 0x00` for no result. */
export function decodeResultList(reader: Reader, what: string): ValueTypeRef | null {
	const start = reader.offset;
	const byte = reader.u8("function results");
	if (byte === 0) return decodeValueTypeRef(reader);
	if (byte !== 1) throw invalidByte(reader, byte, what, start);
	const count = reader.u8("the number of results");
	if (count !== 0) throw invalidByte(reader, count, "number of results", start + 1);
	return null;
}
