import type { Reader, Writer } from "../bytes/mod.ts";
import { encodeHeapType, encodeValueType, encodeVector } from "./encode-types.ts";
import { MAX_BR_TABLE, MAX_FUNCTION_SIZE } from "./limits.ts";
import type { Atom } from "./opcode-row.ts";
import {
	decodeCoreValueType,
	decodeHeapType,
	decodeVector,
	HEAPS,
	type HeapTypeSyntax,
	hex,
	NUMBERS,
	type ValueTypeSyntax,
} from "./syntax.ts";

/** Nothing in and nothing out, one result, or the index of a function type. */
export type BlockType = null | ValueTypeSyntax | number;

export interface MemArg {
	/** log2 of the alignment. */
	readonly align: number;
	readonly memory: number;
	readonly offset: bigint;
}

/** Core specification, Control Instructions: clauses of `try_table` by their byte. The first two name a tag. */
const CATCH_KINDS = ["catch", "catch_ref", "catch_all", "catch_all_ref"] as const;

export interface CatchClause {
	readonly kind: (typeof CATCH_KINDS)[number];
	readonly tag: number | null;
	readonly label: number;
}

export type ImmediateValue =
	| number
	| bigint
	| Uint8Array
	| HeapTypeSyntax
	| BlockType
	| MemArg
	| readonly number[]
	| readonly ValueTypeSyntax[]
	| readonly CatchClause[];

interface Codec<T> {
	readonly decode: (reader: Reader) => T;
	readonly encode: (writer: Writer, value: T) => void;
}

const u32: Codec<number> = {
	decode: (reader) => reader.u32("an index"),
	encode: (writer, value) => void writer.u32(value),
};

function byte(what: string, most: number): Codec<number> {
	return {
		decode: (reader) => {
			const start = reader.offset;
			const value = reader.u8(what);
			if (value > most) throw reader.malformed(`malformed ${what}: ${hex(value)}`, start);
			return value;
		},
		encode: (writer, value) => void writer.u8(value),
	};
}

/** Bits of a constant: numbers would not keep the payload of a NaN. */
function bits(size: number): Codec<Uint8Array> {
	return {
		decode: (reader) => reader.take(size, "a constant"),
		encode: (writer, value) => void writer.raw(value),
	};
}

const block: Codec<BlockType> = {
	decode: (reader) => {
		const first = reader.peek() ?? -1;
		if (first === 0x40) {
			reader.u8();
			return null;
		}
		if (first === 0x63 || first === 0x64 || NUMBERS.has(first) || HEAPS.has(first)) return decodeCoreValueType(reader);
		const start = reader.offset;
		const index = reader.s33("a block type");
		if (index < 0) throw reader.malformed("malformed block type", start);
		return index;
	},
	encode: (writer, value) => {
		if (value === null) writer.u8(0x40);
		else if (typeof value === "number") writer.s33(value);
		else encodeValueType(writer, value);
	},
};

/** The bit of a memory argument's flags that says that a memory index follows; below it lies the alignment. */
const HAS_MEMORY = 0x40;

const memarg: Codec<MemArg> = {
	decode: (reader) => {
		const start = reader.offset;
		const flags = reader.u32("the flags of a memory access");
		if (flags >= HAS_MEMORY * 2) throw reader.malformed("malformed memop flags", start);
		const memory = flags >= HAS_MEMORY ? reader.u32("a memory index") : 0;
		return { align: flags & (HAS_MEMORY - 1), memory, offset: reader.u64("the offset of a memory access") };
	},
	encode: (writer, { align, memory, offset }) => {
		if (memory === 0) writer.u32(align);
		else writer.u32(align | HAS_MEMORY).u32(memory);
		writer.u64(offset);
	},
};

const clause: Codec<CatchClause> = {
	decode: (reader) => {
		const start = reader.offset;
		const code = reader.u8("a catch clause");
		const kind = CATCH_KINDS[code];
		if (kind === undefined) throw reader.malformed(`malformed catch clause: ${hex(code)}`, start);
		const tag = code < 2 ? reader.u32("a tag index") : null;
		return { kind, tag, label: reader.u32("a label") };
	},
	encode: (writer, { kind, tag, label }) => {
		writer.u8(CATCH_KINDS.indexOf(kind));
		if (tag !== null) writer.u32(tag);
		writer.u32(label);
	},
};

/** How each kind of immediate is decoded and encoded. */
const CODECS: Readonly<
	Record<Atom, { decode: (reader: Reader) => ImmediateValue; encode: (writer: Writer, value: never) => void }>
> = {
	func: u32,
	type: u32,
	table: u32,
	memory: u32,
	global: u32,
	tag: u32,
	data: u32,
	elem: u32,
	local: u32,
	label: u32,
	field: u32,
	length: u32,
	block,
	heap: { decode: decodeHeapType, encode: encodeHeapType } satisfies Codec<HeapTypeSyntax>,
	types: {
		decode: (reader) => decodeVector(reader, "types of a select", MAX_FUNCTION_SIZE, decodeCoreValueType),
		encode: (writer, types) => encodeVector(writer, types, encodeValueType),
	} satisfies Codec<readonly ValueTypeSyntax[]>,
	memarg,
	labels: {
		decode: (reader) => [...decodeVector(reader, "labels", MAX_BR_TABLE, u32.decode), u32.decode(reader)],
		encode: (writer, labels) => {
			writer.u32(labels.length - 1);
			for (const label of labels) writer.u32(label);
		},
	} satisfies Codec<readonly number[]>,
	catches: {
		decode: (reader) => decodeVector(reader, "catch clauses", MAX_FUNCTION_SIZE, clause.decode),
		encode: (writer, clauses) => encodeVector(writer, clauses, clause.encode),
	} satisfies Codec<readonly CatchClause[]>,
	// Bit 0: the first type is nullable; bit 1: the second one is
	cast: byte("cast flags", 3),
	s32: {
		decode: (reader) => reader.s32("a constant"),
		encode: (writer, value) => void writer.s32(value),
	} satisfies Codec<number>,
	s64: {
		decode: (reader) => reader.s64("a constant"),
		encode: (writer, value) => void writer.s64(value),
	} satisfies Codec<bigint>,
	f32: bits(4),
	f64: bits(8),
	v128: bits(16),
	lane: byte("lane index", 255),
	lanes: bits(16),
	zero: byte("reserved byte", 0),
};

/** Reads one immediate. Labels of `br_table` come with the default one last; constants other than `s32` and `s64` as their bits. */
export function decodeImmediate(reader: Reader, atom: Atom): ImmediateValue {
	return CODECS[atom].decode(reader);
}

/** Writes one immediate; `value` has the type that decoding it gives. */
export function encodeImmediate(writer: Writer, atom: Atom, value: ImmediateValue): void {
	CODECS[atom].encode(writer, value as never);
}
