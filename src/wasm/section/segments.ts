import type { Reader, Writer } from "../../bytes/mod.ts";
import { type ConstExpr, decodeConstExpr, encodeConstExpr } from "../const-expr.ts";
import { encodeValueType, encodeVector } from "../encode-types.ts";
import { MAX_ELEMENTS } from "../limits.ts";
import { decodeCoreValueType, decodeVector, type ValueTypeSyntax } from "../syntax.ts";

/** Where an element segment goes when the module is instantiated. */
export type ElementMode =
	| { readonly kind: "active"; readonly table: number; readonly offset: ConstExpr }
	| { readonly kind: "passive" | "declared" };

export type ElementItems =
	| { readonly kind: "functions"; readonly indices: readonly number[] }
	| { readonly kind: "expressions"; readonly type: ValueTypeSyntax; readonly expressions: readonly ConstExpr[] };

export interface ElementSegment {
	readonly mode: ElementMode;
	readonly items: ElementItems;
}

/** Bits of an element segment's flags. */
const NOT_ACTIVE = 0x01;
/** Of an active segment: a table index and a type follow. Of another: it is declared, not passive. */
const EXPLICIT = 0x02;
/** The items are expressions, not function indices. */
const EXPRESSIONS = 0x04;

const FUNCREF: ValueTypeSyntax = { kind: "ref", nullable: true, heap: "func" };

/** Core specification, binary format, Element Section. */
export function decodeElement(reader: Reader): ElementSegment {
	const start = reader.offset;
	const flags = reader.u32("the flags of an element segment");
	if (flags > 7) throw reader.malformed("malformed elements segment kind", start);
	let mode: ElementMode;
	if ((flags & NOT_ACTIVE) === 0) {
		const table = (flags & EXPLICIT) === 0 ? 0 : reader.u32("a table index");
		mode = { kind: "active", table, offset: decodeConstExpr(reader) };
	} else {
		mode = { kind: (flags & EXPLICIT) === 0 ? "passive" : "declared" };
	}
	const typed = (flags & (NOT_ACTIVE | EXPLICIT)) !== 0;
	if ((flags & EXPRESSIONS) !== 0) {
		const type = typed ? decodeReferenceType(reader) : FUNCREF;
		const expressions = decodeVector(reader, "elements", MAX_ELEMENTS, decodeConstExpr);
		return { mode, items: { kind: "expressions", type, expressions } };
	}
	if (typed) {
		const at = reader.offset;
		if (reader.u8("an element kind") !== 0) throw reader.malformed("malformed element kind", at);
	}
	const indices = decodeVector(reader, "elements", MAX_ELEMENTS, (r) => r.u32("a function index"));
	return { mode, items: { kind: "functions", indices } };
}

function decodeReferenceType(reader: Reader): ValueTypeSyntax {
	const start = reader.offset;
	const type = decodeCoreValueType(reader);
	if (type.kind !== "ref") throw reader.malformed("malformed reference type", start);
	return type;
}

/** In the shortest form: table and type are left out where they are the default. */
export function encodeElement(writer: Writer, { mode, items }: ElementSegment): void {
	const byDefault =
		items.kind === "functions" || (items.type.kind === "ref" && items.type.nullable && items.type.heap === "func");
	let flags = items.kind === "functions" ? 0 : EXPRESSIONS;
	if (mode.kind !== "active") flags |= mode.kind === "declared" ? NOT_ACTIVE | EXPLICIT : NOT_ACTIVE;
	else if (mode.table !== 0 || !byDefault) flags |= EXPLICIT;
	writer.u32(flags);
	if (mode.kind === "active") {
		if ((flags & EXPLICIT) !== 0) writer.u32(mode.table);
		encodeConstExpr(writer, mode.offset);
	}
	const typed = (flags & (NOT_ACTIVE | EXPLICIT)) !== 0;
	if (items.kind === "functions") {
		if (typed) writer.u8(0);
		encodeVector(writer, items.indices, (w, index) => w.u32(index));
	} else {
		if (typed) encodeValueType(writer, items.type);
		encodeVector(writer, items.expressions, encodeConstExpr);
	}
}

/** `bytes` are a view of the module. */
export interface DataSegment {
	/** `null` for a passive segment. */
	readonly target: { readonly memory: number; readonly offset: ConstExpr } | null;
	readonly bytes: Uint8Array;
}

/** Flags of a data segment, Core specification, binary format, Data Section. */
const DATA_MEMORY_0 = 0;
const DATA_PASSIVE = 1;
const DATA_MEMORY = 2;

export function decodeData(reader: Reader): DataSegment {
	const start = reader.offset;
	const flags = reader.u32("the flags of a data segment");
	if (flags > DATA_MEMORY) throw reader.malformed("malformed data segment kind", start);
	let target: DataSegment["target"] = null;
	if (flags !== DATA_PASSIVE) {
		const memory = flags === DATA_MEMORY_0 ? 0 : reader.u32("a memory index");
		target = { memory, offset: decodeConstExpr(reader) };
	}
	return { target, bytes: reader.take(reader.u32("the size of a data segment"), "a data segment") };
}

export function encodeData(writer: Writer, { target, bytes }: DataSegment): void {
	if (target === null) {
		writer.u32(DATA_PASSIVE);
	} else {
		if (target.memory === 0) writer.u32(DATA_MEMORY_0);
		else writer.u32(DATA_MEMORY).u32(target.memory);
		encodeConstExpr(writer, target.offset);
	}
	writer.sized(bytes);
}
