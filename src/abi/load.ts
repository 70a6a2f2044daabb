import type { ValueType } from "../component/mod.ts";
import { liftEnd } from "./async/end-values.ts";
import { payloadType, toCase, type VariantType } from "./cases.ts";
import { type Context, MAX_BYTE_LENGTH } from "./context.ts";
import { hostSizeOf } from "./host-size.ts";
import { layoutOf } from "./layout.ts";
import { isNumeric, loadNumbers, viewNumbers } from "./numeric-list.ts";
import { liftBorrow, liftOwn } from "./resources.ts";
import { loadString, UTF16_TAG } from "./string-load.ts";
import { trap } from "./traps.ts";

/** CanonicalABI.md `load`. `pointer` is aligned, and the type's size at it is in range. */
export function load(cx: Context, type: ValueType, pointer: number): unknown {
	const { view } = cx;
	switch (type.kind) {
		case "bool":
			return view.getUint8(pointer) !== 0;
		case "u8":
			return view.getUint8(pointer);
		case "s8":
			return view.getInt8(pointer);
		case "u16":
			return view.getUint16(pointer, true);
		case "s16":
			return view.getInt16(pointer, true);
		case "u32":
			return view.getUint32(pointer, true);
		case "s32":
			return view.getInt32(pointer, true);
		case "u64":
			return view.getBigUint64(pointer, true);
		case "s64":
			return view.getBigInt64(pointer, true);
		case "f32":
			return canonicalNan(view.getFloat32(pointer, true));
		case "f64":
			return canonicalNan(view.getFloat64(pointer, true));
		case "char":
			return toChar(view.getUint32(pointer, true));
		case "string":
			return loadOneString(cx, view.getUint32(pointer, true), view.getUint32(pointer + 4, true));
		case "list":
			if (type.length !== undefined) return loadElements(cx, type.element, pointer, type.length);
			return loadList(cx, type.element, view.getUint32(pointer, true), view.getUint32(pointer + 4, true));
		case "map":
			return loadMap(cx, type, view.getUint32(pointer, true), view.getUint32(pointer + 4, true));
		case "record": {
			const { offsets } = layoutOf(type);
			const record: Record<string, unknown> = {};
			for (let i = 0; i < type.fields.length; i++) {
				const field = type.fields[i]!;
				record[field.key] = load(cx, field.type, pointer + offsets[i]!);
			}
			return record;
		}
		case "tuple":
			return loadTuple(cx, type, pointer);
		case "flags":
			return toFlags(type.keys, loadUnsigned(cx, pointer, layoutOf(type).size));
		case "variant":
		case "enum":
		case "option":
		case "result":
			return loadVariant(cx, type, pointer);
		case "own":
			return liftOwn(cx, view.getUint32(pointer, true), type.resource);
		case "borrow":
			return liftBorrow(cx, view.getUint32(pointer, true), type.resource);
		case "stream":
		case "future":
			return liftEnd(cx, view.getUint32(pointer, true), type);
		case "error-context":
			throw unsupported(type.kind);
	}
}

/** Such types are refused when a function is made; this keeps the switches whole. */
export function unsupported(kind: string): Error {
	return new Error(`values of type ${kind} are not supported yet`);
}

function loadUnsigned(cx: Context, pointer: number, size: number): number {
	if (size === 1) return cx.view.getUint8(pointer);
	return size === 2 ? cx.view.getUint16(pointer, true) : cx.view.getUint32(pointer, true);
}

export function loadTuple(cx: Context, type: ValueType & { kind: "tuple" }, pointer: number): unknown[] {
	const { offsets } = layoutOf(type);
	const tuple: unknown[] = [];
	for (let i = 0; i < type.elements.length; i++) tuple.push(load(cx, type.elements[i]!, pointer + offsets[i]!));
	return tuple;
}

function loadVariant(cx: Context, type: VariantType, pointer: number): unknown {
	const layout = layoutOf(type);
	const index = loadUnsigned(cx, pointer, layout.discriminant);
	const payload = payloadType(layout, index);
	const val = payload === null ? undefined : load(cx, payload, pointer + layout.payloadOffset);
	return toCase(type, index, payload, val);
}

/** With what it makes counted where that has to be. */
export function loadOneString(cx: Context, pointer: number, length: number): unknown {
	cx.spendWithin(length & ~UTF16_TAG);
	return loadString(cx, pointer, length);
}

/** CanonicalABI.md `load_list_from_range`. `pointer` and `length` are unsigned and not yet checked. */
export function loadList(cx: Context, element: ValueType, pointer: number, length: number): unknown {
	const { size, alignment } = layoutOf(element);
	checkListRange(cx, pointer, length, size, alignment);
	if (isNumeric(element)) cx.spendWithin(length * size);
	return loadElements(cx, element, pointer, length);
}

/** Traps unless the list is aligned, in range, and not too long. */
export function checkListRange(cx: Context, pointer: number, length: number, size: number, alignment: number): void {
	const bytes = length * size;
	if (bytes > MAX_BYTE_LENGTH) trap(`list of ${bytes} bytes is longer than 2^28 - 1: list content out-of-bounds`);
	cx.checkRange(pointer, bytes, alignment, "list pointer/length out of bounds of memory: list content out-of-bounds");
}

export function loadElements(cx: Context, element: ValueType, pointer: number, length: number): unknown {
	if (isNumeric(element)) {
		const there = cx.passes ? viewNumbers(element.kind, cx.bytes.buffer, pointer, length) : null;
		return there ?? loadNumbers(element.kind, cx.bytes.buffer, pointer, length);
	}
	const { size } = layoutOf(element);
	cx.enterList(length * hostSizeOf(element));
	const list: unknown[] = [];
	for (let i = 0; i < length; i++) list.push(load(cx, element, pointer + i * size));
	cx.leaveList();
	return list;
}

/** A map is a list of pairs; a later pair replaces an earlier one of the same key only where JavaScript's `Map` is made of it. */
export function loadMap(cx: Context, type: ValueType & { kind: "map" }, pointer: number, length: number): unknown {
	const pairs = loadList(cx, layoutOf(type).entry!, pointer, length) as [unknown, unknown][];
	return cx.carried ? pairs : new Map(pairs);
}

export function canonicalNan(value: number): number {
	return Number.isNaN(value) ? NaN : value;
}

/** `value` is unsigned. */
export function toChar(value: number): string {
	if (value >= 0x11_0000 || (value >= 0xd800 && value <= 0xdfff)) trap("invalid `char` bit pattern");
	return String.fromCodePoint(value);
}

export function toFlags(keys: readonly string[], bits: number): Record<string, boolean> {
	const flags: Record<string, boolean> = {};
	for (let i = 0; i < keys.length; i++) flags[keys[i]!] = ((bits >>> i) & 1) === 1;
	return flags;
}
