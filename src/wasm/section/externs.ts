import type { Reader, Writer } from "../../bytes/mod.ts";
import { encodeExternType } from "../encode-types.ts";
import { decodeExternKind, decodeExternType, EXTERN_KINDS, type ExternKind, type ExternTypeSyntax } from "../syntax.ts";

/** An item of the import section. */
export interface ImportSyntax {
	readonly module: string;
	readonly name: string;
	readonly type: ExternTypeSyntax;
}

export function decodeImport(reader: Reader): ImportSyntax {
	return {
		module: reader.name("a module name"),
		name: reader.name("an import name"),
		type: decodeExternType(reader),
	};
}

export function encodeImport(writer: Writer, { module, name, type }: ImportSyntax): void {
	writer.name(module).name(name);
	encodeExternType(writer, type);
}

/** An item of the export section. */
export interface ExportSyntax {
	readonly name: string;
	readonly kind: ExternKind;
	readonly index: number;
}

export function decodeExport(reader: Reader): ExportSyntax {
	return { name: reader.name("an export name"), kind: decodeExternKind(reader), index: reader.u32("an index") };
}

export function encodeExport(writer: Writer, { name, kind, index }: ExportSyntax): void {
	writer.name(name).u8(EXTERN_KINDS.indexOf(kind)).u32(index);
}
