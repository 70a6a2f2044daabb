import type { Reader, Writer } from "../../bytes/mod.ts";
import { type ConstExpr, decodeConstExpr, encodeConstExpr } from "../const-expr.ts";
import { encodeExternTypeBody } from "../encode-types.ts";
import { decodeGlobalType, decodeTableType, type GlobalTypeSyntax, type TableTypeSyntax } from "../syntax.ts";

/** A table that the module defines. */
export interface TableDefinition {
	readonly type: TableTypeSyntax;
	/** The value of every entry; `null` for the default, which is a null reference. */
	readonly init: ConstExpr | null;
}

/** Begins a table with an initial value: no value type has this byte. */
const WITH_INIT = 0x40;

/** A table type, or `0x40 0x00`, a type and an initial value. */
export function decodeTable(reader: Reader): TableDefinition {
	if (reader.peek() !== WITH_INIT) return { type: decodeTableType(reader), init: null };
	reader.u8();
	const start = reader.offset;
	if (reader.u8("a reserved byte") !== 0) throw reader.malformed("zero byte expected", start);
	return { type: decodeTableType(reader), init: decodeConstExpr(reader) };
}

export function encodeTable(writer: Writer, { type, init }: TableDefinition): void {
	if (init !== null) writer.u8(WITH_INIT).u8(0);
	encodeExternTypeBody(writer, type);
	if (init !== null) encodeConstExpr(writer, init);
}

/** A global that the module defines. */
export interface GlobalDefinition {
	readonly type: GlobalTypeSyntax;
	readonly init: ConstExpr;
}

export function decodeGlobal(reader: Reader): GlobalDefinition {
	return { type: decodeGlobalType(reader), init: decodeConstExpr(reader) };
}

export function encodeGlobal(writer: Writer, { type, init }: GlobalDefinition): void {
	encodeExternTypeBody(writer, type);
	encodeConstExpr(writer, init);
}
