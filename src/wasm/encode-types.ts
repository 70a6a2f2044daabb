import type { Writer } from "../bytes/mod.ts";
import {
	CUSTOM_PAGE_SIZE,
	EXTERN_KINDS,
	type ExternTypeSyntax,
	type FieldSyntax,
	HAS_MAXIMUM,
	HEAPS,
	type HeapTypeSyntax,
	INDEX_64,
	type LimitsSyntax,
	NUMBERS,
	PACKED,
	type RecTypeSyntax,
	SHARED,
	type SubTypeSyntax,
	type ValueTypeSyntax,
} from "./syntax.ts";

/** The decoder's tables the other way round. */
function invert(table: ReadonlyMap<number, string>): ReadonlyMap<string, number> {
	return new Map([...table].map(([byte, name]) => [name, byte]));
}

const HEAP_BYTES = invert(HEAPS);
const STORAGE_BYTES = new Map([...invert(NUMBERS), ...invert(PACKED)]);

function byteOf(bytes: ReadonlyMap<string, number>, name: string): number {
	const byte = bytes.get(name);
	if (byte === undefined) throw new TypeError(`no type is named ${name}`);
	return byte;
}

export function encodeHeapType(writer: Writer, heap: HeapTypeSyntax): void {
	if (typeof heap === "number") writer.s33(heap);
	else writer.u8(byteOf(HEAP_BYTES, heap));
}

/** A value type or a packed one; `(ref null abstract)` in its short form. */
export function encodeValueType(writer: Writer, type: ValueTypeSyntax): void {
	if (type.kind === "number") {
		writer.u8(byteOf(STORAGE_BYTES, type.name));
	} else {
		if (!type.nullable || typeof type.heap === "number") writer.u8(type.nullable ? 0x63 : 0x64);
		encodeHeapType(writer, type.heap);
	}
}

/** The count of `items` and each of them. */
export function encodeVector<T>(writer: Writer, items: readonly T[], encode: (writer: Writer, item: T) => void): void {
	writer.u32(items.length);
	for (const item of items) encode(writer, item);
}

function encodeField(writer: Writer, { storage, mutable }: FieldSyntax): void {
	encodeValueType(writer, storage);
	writer.u8(mutable ? 1 : 0);
}

function encodeSubType(writer: Writer, { final, supertypes, composite }: SubTypeSyntax): void {
	if (!final || supertypes.length > 0) {
		writer.u8(final ? 0x4f : 0x50);
		encodeVector(writer, supertypes, (w, index) => w.u32(index));
	}
	switch (composite.kind) {
		case "func":
			writer.u8(0x60);
			encodeVector(writer, composite.params, encodeValueType);
			encodeVector(writer, composite.results, encodeValueType);
			break;
		case "struct":
			writer.u8(0x5f);
			encodeVector(writer, composite.fields, encodeField);
			break;
		case "array":
			writer.u8(0x5e);
			encodeField(writer, composite.element);
			break;
	}
}

/** A recursion group; one of a single type in its short form, without `rec`. */
export function encodeRecType(writer: Writer, types: RecTypeSyntax): void {
	const [only] = types;
	if (types.length === 1 && only !== undefined) {
		encodeSubType(writer, only);
	} else {
		writer.u8(0x4e);
		encodeVector(writer, types, encodeSubType);
	}
}

function encodeLimits(writer: Writer, { minimum, maximum, shared, index, pageSizeLog2 }: LimitsSyntax): void {
	writer.u8(
		(maximum === undefined ? 0 : HAS_MAXIMUM) |
			(shared ? SHARED : 0) |
			(index === "i64" ? INDEX_64 : 0) |
			(pageSizeLog2 === undefined ? 0 : CUSTOM_PAGE_SIZE),
	);
	writer.u64(minimum);
	if (maximum !== undefined) writer.u64(maximum);
	if (pageSizeLog2 !== undefined) writer.u32(pageSizeLog2);
}

/** An external type as a definition has it: without the kind byte. */
export function encodeExternTypeBody(writer: Writer, type: ExternTypeSyntax): void {
	switch (type.kind) {
		case "func":
			writer.u32(type.type);
			break;
		case "table":
			encodeValueType(writer, type.element);
			encodeLimits(writer, type.limits);
			break;
		case "memory":
			encodeLimits(writer, type.limits);
			break;
		case "global":
			encodeValueType(writer, type.type);
			writer.u8(type.mutable ? 1 : 0);
			break;
		case "tag":
			writer.u8(0).u32(type.type);
			break;
	}
}

export function encodeExternType(writer: Writer, type: ExternTypeSyntax): void {
	writer.u8(EXTERN_KINDS.indexOf(type.kind));
	encodeExternTypeBody(writer, type);
}
