import type { Reader } from "../bytes/mod.ts";
import { MAX_FUNCTION_PARAMS, MAX_FUNCTION_RESULTS, MAX_STRUCT_FIELDS, MAX_TYPES } from "./limits.ts";

/** An abstract heap type by name, or an index into the module's type space. */
export type HeapTypeSyntax = string | number;

export type ValueTypeSyntax =
	| { readonly kind: "number"; readonly name: string }
	| { readonly kind: "ref"; readonly nullable: boolean; readonly heap: HeapTypeSyntax };

export interface FieldSyntax {
	readonly storage: ValueTypeSyntax;
	readonly mutable: boolean;
}

export type CompositeTypeSyntax =
	| {
			readonly kind: "func";
			readonly params: readonly ValueTypeSyntax[];
			readonly results: readonly ValueTypeSyntax[];
	  }
	| { readonly kind: "struct"; readonly fields: readonly FieldSyntax[] }
	| { readonly kind: "array"; readonly element: FieldSyntax };

export interface SubTypeSyntax {
	readonly final: boolean;
	readonly supertypes: readonly number[];
	readonly composite: CompositeTypeSyntax;
}

/** A recursion group; a type outside of a `rec` is a group of one. */
export type RecTypeSyntax = readonly SubTypeSyntax[];

export interface LimitsSyntax {
	readonly minimum: bigint;
	readonly maximum?: bigint;
	readonly shared: boolean;
	readonly index: "i32" | "i64";
	readonly pageSizeLog2?: number;
}

export interface TableTypeSyntax {
	readonly kind: "table";
	readonly element: ValueTypeSyntax;
	readonly limits: LimitsSyntax;
}

export interface MemoryTypeSyntax {
	readonly kind: "memory";
	readonly limits: LimitsSyntax;
}

export interface GlobalTypeSyntax {
	readonly kind: "global";
	readonly type: ValueTypeSyntax;
	readonly mutable: boolean;
}

/** A tag has the type of a function: its parameters are what is thrown. */
export interface TagTypeSyntax {
	readonly kind: "tag";
	readonly type: number;
}

/** An `externtype` with its type indices unresolved. */
export type ExternTypeSyntax =
	| { readonly kind: "func"; readonly type: number }
	| TableTypeSyntax
	| MemoryTypeSyntax
	| GlobalTypeSyntax
	| TagTypeSyntax;

export type ExternKind = ExternTypeSyntax["kind"];

/** Core specification, binary format, External Types: kinds by their byte. */
export const EXTERN_KINDS: readonly ExternKind[] = ["func", "table", "memory", "global", "tag"];

/** WebAssembly 3.0, binary format, Types: the number and vector types. */
export const NUMBERS: ReadonlyMap<number, string> = new Map<number, string>([
	[0x7f, "i32"],
	[0x7e, "i64"],
	[0x7d, "f32"],
	[0x7c, "f64"],
	[0x7b, "v128"],
]);

/** WebAssembly 3.0, binary format, Heap Types; the last two are of the stack switching proposal. */
export const HEAPS: ReadonlyMap<number, string> = new Map<number, string>([
	[0x74, "noexn"],
	[0x73, "nofunc"],
	[0x72, "noextern"],
	[0x71, "none"],
	[0x70, "func"],
	[0x6f, "extern"],
	[0x6e, "any"],
	[0x6d, "eq"],
	[0x6c, "i31"],
	[0x6b, "struct"],
	[0x6a, "array"],
	[0x69, "exn"],
	[0x68, "cont"],
	[0x75, "nocont"],
]);

/** Types that only a field can have. */
export const PACKED: ReadonlyMap<number, string> = new Map<number, string>([
	[0x78, "i8"],
	[0x77, "i16"],
]);

export const hex = (byte: number): string => `0x${byte.toString(16)}`;

export function decodeHeapType(reader: Reader): HeapTypeSyntax {
	const start = reader.offset;
	const abstract = HEAPS.get(reader.peek() ?? -1);
	if (abstract !== undefined) {
		reader.u8();
		return abstract;
	}
	const index = reader.s33("a heap type");
	if (index < 0) throw reader.malformed("invalid heap type", start);
	return index;
}

export function decodeCoreValueType(reader: Reader): ValueTypeSyntax {
	const start = reader.offset;
	const byte = reader.u8("a value type");
	const number = NUMBERS.get(byte);
	if (number !== undefined) return { kind: "number", name: number };
	if (byte === 0x63 || byte === 0x64) return { kind: "ref", nullable: byte === 0x63, heap: decodeHeapType(reader) };
	const heap = HEAPS.get(byte);
	if (heap !== undefined) return { kind: "ref", nullable: true, heap };
	throw reader.malformed(`invalid leading byte (${hex(byte)}) for value type`, start);
}

function decodeField(reader: Reader): FieldSyntax {
	const packed = PACKED.get(reader.peek() ?? -1);
	let storage: ValueTypeSyntax;
	if (packed === undefined) {
		storage = decodeCoreValueType(reader);
	} else {
		reader.u8();
		storage = { kind: "number", name: packed };
	}
	return { storage, mutable: decodeMutability(reader) };
}

function decodeMutability(reader: Reader): boolean {
	const start = reader.offset;
	const byte = reader.u8("a mutability");
	if (byte > 1) throw reader.malformed("malformed mutability", start);
	return byte === 1;
}

/** A count and as many items, each of at least one byte. */
export function decodeVector<T>(reader: Reader, what: string, limit: number, item: (reader: Reader) => T): T[] {
	const items: T[] = [];
	for (let n = reader.count(what, limit); n > 0; n--) items.push(item(reader));
	return items;
}

function decodeComposite(reader: Reader): CompositeTypeSyntax {
	const start = reader.offset;
	const byte = reader.u8("a type");
	switch (byte) {
		case 0x60: {
			const params = decodeVector(reader, "parameters", MAX_FUNCTION_PARAMS, decodeCoreValueType);
			const results = decodeVector(reader, "results", MAX_FUNCTION_RESULTS, decodeCoreValueType);
			return { kind: "func", params, results };
		}
		case 0x5f:
			return { kind: "struct", fields: decodeVector(reader, "fields", MAX_STRUCT_FIELDS, decodeField) };
		case 0x5e:
			return { kind: "array", element: decodeField(reader) };
		default:
			throw reader.malformed(`invalid leading byte (${hex(byte)}) for type`, start);
	}
}

function decodeSubType(reader: Reader): SubTypeSyntax {
	const byte = reader.peek();
	if (byte !== 0x50 && byte !== 0x4f) return { final: true, supertypes: [], composite: decodeComposite(reader) };
	reader.u8();
	const supertypes = decodeVector(reader, "supertypes", 1, (r) => r.u32("a supertype"));
	return { final: byte === 0x4f, supertypes, composite: decodeComposite(reader) };
}

/** Core specification, binary format, Recursive Types. */
export function decodeRecType(reader: Reader): RecTypeSyntax {
	if (reader.peek() !== 0x4e) return [decodeSubType(reader)];
	reader.u8();
	return decodeVector(reader, "types in a group", MAX_TYPES, decodeSubType);
}

/** What each bit of the flags of limits means. */
export const HAS_MAXIMUM = 0x01;
export const SHARED = 0x02;
export const INDEX_64 = 0x04;
export const CUSTOM_PAGE_SIZE = 0x08;

function decodeLimits(reader: Reader, allowed: number): LimitsSyntax {
	const start = reader.offset;
	const flags = reader.u8("limits");
	if ((flags & ~allowed) !== 0) throw reader.malformed("malformed limits flags", start);
	const wide = (flags & INDEX_64) !== 0;
	const bound = (): bigint => (wide ? reader.u64("a limit") : BigInt(reader.u32("a limit")));
	const minimum = bound();
	const maximum = (flags & HAS_MAXIMUM) === 0 ? undefined : bound();
	const at = reader.offset;
	const pageSizeLog2 = (flags & CUSTOM_PAGE_SIZE) === 0 ? undefined : reader.u32("a page size");
	if (pageSizeLog2 !== undefined && pageSizeLog2 > 63) throw reader.malformed("invalid custom page size", at);
	return {
		minimum,
		...(maximum === undefined ? {} : { maximum }),
		shared: (flags & SHARED) !== 0,
		index: wide ? "i64" : "i32",
		...(pageSizeLog2 === undefined ? {} : { pageSizeLog2 }),
	};
}

export function decodeTableType(reader: Reader): TableTypeSyntax {
	const start = reader.offset;
	const element = decodeCoreValueType(reader);
	if (element.kind !== "ref") throw reader.malformed("malformed reference type", start);
	return { kind: "table", element, limits: decodeLimits(reader, HAS_MAXIMUM | SHARED | INDEX_64) };
}

export function decodeMemoryType(reader: Reader): MemoryTypeSyntax {
	return {
		kind: "memory",
		limits: decodeLimits(reader, HAS_MAXIMUM | SHARED | INDEX_64 | CUSTOM_PAGE_SIZE),
	};
}

export function decodeGlobalType(reader: Reader): GlobalTypeSyntax {
	return { kind: "global", type: decodeCoreValueType(reader), mutable: decodeMutability(reader) };
}

export function decodeTagType(reader: Reader): TagTypeSyntax {
	const start = reader.offset;
	if (reader.u8("a tag attribute") !== 0) throw reader.malformed("malformed tag attribute", start);
	return { kind: "tag", type: reader.u32("a type index") };
}

/** Core specification, binary format, External Types: a kind byte. */
export function decodeExternKind(reader: Reader): ExternKind {
	const start = reader.offset;
	const byte = reader.u8("an external kind");
	const kind = EXTERN_KINDS[byte];
	if (kind === undefined) throw reader.malformed(`invalid leading byte (${hex(byte)}) for external kind`, start);
	return kind;
}

/** Core specification, binary format, External Types: a kind byte and the type. */
export function decodeExternType(reader: Reader): ExternTypeSyntax {
	const kind = decodeExternKind(reader);
	switch (kind) {
		case "func":
			return { kind, type: reader.u32("a type index") };
		case "table":
			return decodeTableType(reader);
		case "memory":
			return decodeMemoryType(reader);
		case "global":
			return decodeGlobalType(reader);
		case "tag":
			return decodeTagType(reader);
	}
}
