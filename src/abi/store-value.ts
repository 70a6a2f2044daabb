import type { ValueType } from "../component/mod.ts";
import { lowerEnd } from "./async/end-values.ts";
import { caseIndex, casePayload, type VariantType } from "./cases.ts";
import type { Context } from "./context.ts";
import { layoutOf } from "./layout.ts";
import { unsupported } from "./load.ts";
import { isNumeric, storeNumbers } from "./numeric-list.ts";
import { partOf } from "./parts.ts";
import { lowerBorrow, lowerOwn } from "./resources.ts";
import type { CarriedString } from "./string-load.ts";
import { type Range, storeString } from "./string-store.ts";
import { trap } from "./traps.ts";

/** CanonicalABI.md `store`. The value has been checked; `pointer` is aligned, and the type's size at it is in range. */
export function storeValue(cx: Context, type: ValueType, value: any, pointer: number): void {
	switch (type.kind) {
		case "bool":
			return cx.view.setUint8(pointer, value ? 1 : 0);
		case "u8":
		case "s8":
			return cx.view.setUint8(pointer, value);
		case "u16":
		case "s16":
			return cx.view.setUint16(pointer, value, true);
		case "u32":
		case "s32":
			return cx.view.setUint32(pointer, value, true);
		case "u64":
		case "s64":
			return cx.view.setBigUint64(pointer, value, true);
		case "f32":
			return cx.view.setFloat32(pointer, value, true);
		case "f64":
			return cx.view.setFloat64(pointer, value, true);
		case "char":
			return cx.view.setUint32(pointer, fromChar(value), true);
		case "string":
			return storeRange(cx, storeString(cx, value as string | CarriedString), pointer);
		case "list":
			if (type.length !== undefined) return storeElements(cx, type.element, value, pointer, type.length);
			return storeRange(cx, storeList(cx, type.element, value), pointer);
		case "map":
			return storeRange(cx, storeMap(cx, type, value), pointer);
		case "record": {
			const { offsets } = layoutOf(type);
			for (let i = 0; i < type.fields.length; i++) {
				const field = type.fields[i]!;
				storeValue(cx, field.type, partOf(value, field.key), pointer + offsets[i]!);
			}
			return;
		}
		case "tuple": {
			const { offsets } = layoutOf(type);
			for (let i = 0; i < offsets.length; i++) storeValue(cx, type.elements[i]!, value[i], pointer + offsets[i]!);
			return;
		}
		case "flags":
			return storeUnsigned(cx, fromFlags(type.keys, value), pointer, layoutOf(type).size);
		case "variant":
		case "enum":
		case "option":
		case "result":
			return storeVariant(cx, type, value, pointer);
		case "own":
			return cx.view.setUint32(pointer, lowerOwn(cx, value, type.resource), true);
		case "borrow":
			return cx.view.setUint32(pointer, lowerBorrow(cx, value, type.resource), true);
		case "stream":
		case "future":
			return cx.view.setUint32(pointer, lowerEnd(cx, value, type), true);
		case "error-context":
			throw unsupported(type.kind);
	}
}

function storeUnsigned(cx: Context, value: number, pointer: number, size: number): void {
	if (size === 1) cx.view.setUint8(pointer, value);
	else if (size === 2) cx.view.setUint16(pointer, value, true);
	else cx.view.setUint32(pointer, value, true);
}

function storeRange(cx: Context, range: Range, pointer: number): void {
	cx.view.setUint32(pointer, range.pointer, true);
	cx.view.setUint32(pointer + 4, range.length, true);
}

function storeVariant(cx: Context, type: VariantType, value: unknown, pointer: number): void {
	const layout = layoutOf(type);
	const index = caseIndex(type, layout, value);
	storeUnsigned(cx, index, pointer, layout.discriminant);
	const payload = layout.payloads[index] ?? null;
	if (payload !== null) storeValue(cx, payload, casePayload(type, value), pointer + layout.payloadOffset);
}

/** CanonicalABI.md `store_list_into_range`: realloc is called even for an empty list. */
export function storeList(cx: Context, element: ValueType, list: ArrayLike<unknown>): Range {
	const { size, alignment } = layoutOf(element);
	const { length } = list;
	const pointer = cx.realloc(0, 0, alignment, length * size);
	storeElements(cx, element, list, pointer, length);
	return { pointer, length };
}

export function storeElements(
	cx: Context,
	element: ValueType,
	list: ArrayLike<unknown>,
	pointer: number,
	length: number,
): void {
	if (list.length !== length) trap("a host value changed while it was lowered");
	if (element.kind === "u8") return cx.bytes.set(list as ArrayLike<number>, pointer);
	if (isNumeric(element)) return storeNumbers(element.kind, cx.bytes.buffer, pointer, list);
	const { size } = layoutOf(element);
	for (let i = 0; i < length; i++) storeValue(cx, element, list[i], pointer + i * size);
}

export function storeMap(
	cx: Context,
	type: ValueType & { kind: "map" },
	map: ReadonlyMap<unknown, unknown> | readonly (readonly [unknown, unknown])[],
): Range {
	return storeList(cx, layoutOf(type).entry!, map instanceof Map ? [...map] : (map as readonly unknown[]));
}

export function fromChar(char: string): number {
	return char.codePointAt(0)!;
}

export function fromFlags(keys: readonly string[], flags: Readonly<Record<string, unknown>>): number {
	let bits = 0;
	for (let i = 0; i < keys.length; i++) if (partOf(flags, keys[i]!) === true) bits |= 1 << i;
	return bits >>> 0;
}
