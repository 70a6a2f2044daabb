import { flattenType, type ValueType } from "../component/mod.ts";
import { lowerEnd } from "./async/end-values.ts";
import { caseIndex, casePayload, type VariantType } from "./cases.ts";
import type { Context } from "./context.ts";
import type { FlatWriter } from "./flat.ts";
import { layoutOf } from "./layout.ts";
import { unsupported } from "./load.ts";
import { partOf } from "./parts.ts";
import { lowerBorrow, lowerOwn } from "./resources.ts";
import { fromChar, fromFlags, storeList, storeMap } from "./store-value.ts";
import { type Range, storeString } from "./string-store.ts";

/** CanonicalABI.md `lower_flat`, for a value that has been checked. */
export function lowerFlat(cx: Context, type: ValueType, value: any, flat: FlatWriter): void {
	switch (type.kind) {
		case "bool":
			return flat.i32(value ? 1 : 0);
		case "u8":
		case "s8":
		case "u16":
		case "s16":
		case "u32":
		case "s32":
			return flat.i32(value);
		case "u64":
		case "s64":
			return flat.i64(value);
		case "f32":
			return flat.f32(value);
		case "f64":
			return flat.f64(value);
		case "char":
			return flat.i32(fromChar(value));
		case "string":
			return lowerRange(storeString(cx, value), flat);
		case "list":
			if (type.length === undefined) return lowerRange(storeList(cx, type.element, value), flat);
			for (let i = 0; i < type.length; i++) lowerFlat(cx, type.element, value[i], flat);
			return;
		case "map":
			return lowerRange(storeMap(cx, type, value), flat);
		case "record":
			for (const field of type.fields) lowerFlat(cx, field.type, partOf(value, field.key), flat);
			return;
		case "tuple":
			return lowerFlatTuple(cx, type.elements, value, flat);
		case "flags":
			return flat.i32(fromFlags(type.keys, value));
		case "variant":
		case "enum":
		case "option":
		case "result":
			return lowerFlatVariant(cx, type, value, flat);
		case "own":
			return flat.i32(lowerOwn(cx, value, type.resource));
		case "borrow":
			return flat.i32(lowerBorrow(cx, value, type.resource));
		case "stream":
		case "future":
			return flat.i32(lowerEnd(cx, value, type));
		case "error-context":
			throw unsupported(type.kind);
	}
}

export function lowerFlatTuple(
	cx: Context,
	types: readonly ValueType[],
	values: readonly unknown[],
	flat: FlatWriter,
): void {
	for (let i = 0; i < types.length; i++) lowerFlat(cx, types[i]!, values[i], flat);
}

function lowerRange(range: Range, flat: FlatWriter): void {
	flat.i32(range.pointer);
	flat.i32(range.length);
}

function lowerFlatVariant(cx: Context, type: VariantType, value: unknown, flat: FlatWriter): void {
	const end = flat.values.length + flattenType(type).length;
	const layout = layoutOf(type);
	const index = caseIndex(type, layout, value);
	flat.i32(index);
	const payload = layout.payloads[index] ?? null;
	if (payload !== null) lowerFlat(cx, payload, casePayload(type, value), flat);
	flat.pad(end);
}
