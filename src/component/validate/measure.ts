import { MAX_TYPE_DEPTH, MAX_TYPE_SIZE, MAX_VALUE_SIZE } from "../limits.ts";
import type { ComponentType, DefinedType, ExternType, FunctionType, InstanceType, ValueType } from "../types.ts";
import { invalid, overLimit } from "./invalid.ts";

/** What validation asks of a value type again and again. */
export interface ValueInfo {
	/** Nodes, every use of a shared type counted. */
	readonly size: number;
	readonly depth: number;
	readonly borrows: boolean;
	/** Strings, lists and maps: whatever lifts from and lowers into memory. */
	readonly pointers: boolean;
	/** CanonicalABI.md `elem_size` and `alignment` with 64-bit pointers, the larger of the two. */
	readonly byteSize: number;
	readonly alignment: number;
}

const values = new WeakMap<ValueType, ValueInfo>();

/** Parts of a value type, in order. */
export function childrenOf(type: ValueType): readonly ValueType[] {
	switch (type.kind) {
		case "record":
			return type.fields.map((field) => field.type);
		case "variant":
			return type.cases.flatMap((item) => (item.type === null ? [] : [item.type]));
		case "tuple":
			return type.elements;
		case "list":
		case "option":
			return [type.element];
		case "map":
			return [type.key, type.value];
		case "result":
			return [type.ok, type.err].filter((item) => item !== null);
		case "stream":
		case "future":
			return type.element === null ? [] : [type.element];
		default:
			return [];
	}
}

export function infoOf(type: ValueType): ValueInfo {
	let info = values.get(type);
	if (info === undefined) values.set(type, (info = computeInfo(type)));
	return info;
}

function computeInfo(type: ValueType): ValueInfo {
	let size = 1;
	let depth = 0;
	let borrows = type.kind === "borrow";
	let pointers = type.kind === "string" || type.kind === "map" || (type.kind === "list" && type.length === undefined);
	for (const child of childrenOf(type)) {
		const info = infoOf(child);
		size += info.size;
		depth = Math.max(depth, info.depth);
		borrows ||= info.borrows;
		// The payload of a stream or future does not travel with its handle
		pointers ||= info.pointers && type.kind !== "stream" && type.kind !== "future";
	}
	return { size, depth: depth + 1, borrows, pointers, ...layoutOf(type) };
}

interface Layout {
	readonly byteSize: number;
	readonly alignment: number;
}

const scalar = (bytes: number): Layout => ({ byteSize: bytes, alignment: bytes });

/** Bytes of a pointer and a length. */
const POINTER_PAIR: Layout = { byteSize: 16, alignment: 8 };

function layoutOf(type: ValueType): Layout {
	switch (type.kind) {
		case "bool":
		case "s8":
		case "u8":
			return scalar(1);
		case "s16":
		case "u16":
			return scalar(2);
		case "s64":
		case "u64":
		case "f64":
			return scalar(8);
		case "string":
		case "map":
			return POINTER_PAIR;
		case "list": {
			if (type.length === undefined) return POINTER_PAIR;
			const element = infoOf(type.element);
			return { byteSize: element.byteSize * type.length, alignment: element.alignment };
		}
		case "record":
		case "tuple":
			return sequence(childrenOf(type));
		case "flags":
			return scalar(type.names.length <= 8 ? 1 : type.names.length <= 16 ? 2 : 4);
		case "enum":
			return scalar(discriminantSize(type.names.length));
		case "variant":
			return alternatives(type.cases.length, childrenOf(type));
		case "option":
		case "result":
			return alternatives(2, childrenOf(type));
		default:
			return scalar(4);
	}
}

function alignTo(offset: number, alignment: number): number {
	return Math.ceil(offset / alignment) * alignment;
}

function sequence(types: readonly ValueType[]): Layout {
	let byteSize = 0;
	let alignment = 1;
	for (const info of types.map(infoOf)) {
		byteSize = alignTo(byteSize, info.alignment) + info.byteSize;
		alignment = Math.max(alignment, info.alignment);
	}
	return { byteSize: alignTo(byteSize, alignment), alignment };
}

function discriminantSize(cases: number): number {
	return cases <= 0x100 ? 1 : cases <= 0x1_0000 ? 2 : 4;
}

function alternatives(cases: number, payloads: readonly ValueType[]): Layout {
	const discriminant = discriminantSize(cases);
	let payload = 0;
	let alignment = 1;
	for (const info of payloads.map(infoOf)) {
		payload = Math.max(payload, info.byteSize);
		alignment = Math.max(alignment, info.alignment);
	}
	const whole = Math.max(discriminant, alignment);
	return { byteSize: alignTo(alignTo(discriminant, alignment) + payload, whole), alignment: whole };
}

/** Throws when a value type is too large, too deep, or too many bytes. */
export function checkValueType(type: ValueType, offset: number): void {
	const info = infoOf(type);
	checkExtent(info, offset);
	if (info.byteSize >= MAX_VALUE_SIZE) {
		throw invalid(`the type exceeds maximum byte size of ${MAX_VALUE_SIZE - 1}`, offset);
	}
}

interface Extent {
	readonly size: number;
	readonly depth: number;
}

const extents = new WeakMap<FunctionType | InstanceType | ComponentType, Extent>();

function checkExtent(extent: Extent, offset: number): void {
	if (extent.size > MAX_TYPE_SIZE) throw overLimit(`effective type size exceeds the limit of ${MAX_TYPE_SIZE}`, offset);
	if (extent.depth > MAX_TYPE_DEPTH) throw overLimit(`types nest more than ${MAX_TYPE_DEPTH} deep`, offset);
}

/** Throws when a type with all it mentions is too large or too deep. */
export function checkTypeExtent(type: FunctionType | InstanceType | ComponentType, offset: number): void {
	checkExtent(extentOf(type), offset);
}

function extentOf(type: FunctionType | InstanceType | ComponentType): Extent {
	let extent = extents.get(type);
	if (extent === undefined) extents.set(type, (extent = sum(partsOf(type))));
	return extent;
}

function* partsOf(type: FunctionType | InstanceType | ComponentType): Generator<Extent> {
	if ("params" in type) {
		for (const param of type.params) yield infoOf(param.type);
		if (type.result !== null) yield infoOf(type.result);
		return;
	}
	if ("imports" in type) for (const item of type.imports.values()) yield externExtent(item);
	for (const item of type.exports.values()) yield externExtent(item);
}

function sum(parts: Iterable<Extent>): Extent {
	let size = 1;
	let depth = 0;
	for (const part of parts) {
		size += part.size;
		depth = Math.max(depth, part.depth);
	}
	return { size, depth: depth + 1 };
}

const LEAF: Extent = { size: 1, depth: 1 };

function definedExtent(type: DefinedType): Extent {
	switch (type.kind) {
		case "value":
			return infoOf(type.type);
		case "resource":
			return LEAF;
		case "func":
			return extentOf(type);
		default:
			return extentOf(type.type);
	}
}

function externExtent(type: ExternType): Extent {
	switch (type.kind) {
		case "core module":
			return { size: 1 + type.type.imports.length + type.type.exports.size, depth: 1 };
		case "value":
			return infoOf(type.type);
		case "type":
			return definedExtent(type.type);
		default:
			return extentOf(type.type);
	}
}
