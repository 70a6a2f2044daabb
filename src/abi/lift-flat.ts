import { flattenType, type ValueType } from "../component/mod.ts";
import { liftEnd } from "./async/end-values.ts";
import { payloadType, toCase, type VariantType } from "./cases.ts";
import type { Context } from "./context.ts";
import type { FlatReader } from "./flat.ts";
import { layoutOf } from "./layout.ts";
import { canonicalNan, loadList, loadMap, loadOneString, toChar, toFlags, unsupported } from "./load.ts";
import { isNumeric, toNumbers } from "./numeric-list.ts";
import { liftBorrow, liftOwn } from "./resources.ts";

/** CanonicalABI.md `lift_flat`. */
export function liftFlat(cx: Context, type: ValueType, flat: FlatReader): unknown {
	switch (type.kind) {
		case "bool":
			return flat.i32() !== 0;
		case "u8":
			return flat.i32() & 0xff;
		case "s8":
			return (flat.i32() << 24) >> 24;
		case "u16":
			return flat.i32() & 0xffff;
		case "s16":
			return (flat.i32() << 16) >> 16;
		case "u32":
			return flat.i32();
		case "s32":
			return flat.i32() | 0;
		case "u64":
			return BigInt.asUintN(64, flat.i64());
		case "s64":
			return BigInt.asIntN(64, flat.i64());
		case "f32":
			return canonicalNan(flat.f32());
		case "f64":
			return canonicalNan(flat.f64());
		case "char":
			return toChar(flat.i32());
		case "string":
			return loadOneString(cx, flat.i32(), flat.i32());
		case "list":
			if (type.length === undefined) return loadList(cx, type.element, flat.i32(), flat.i32());
			return liftFixedList(cx, type.element, type.length, flat);
		case "map":
			return loadMap(cx, type, flat.i32(), flat.i32());
		case "record": {
			const record: Record<string, unknown> = {};
			for (const field of type.fields) record[field.key] = liftFlat(cx, field.type, flat);
			return record;
		}
		case "tuple":
			return liftFlatTuple(cx, type.elements, flat);
		case "flags":
			return toFlags(type.keys, flat.i32());
		case "variant":
		case "enum":
		case "option":
		case "result":
			return liftFlatVariant(cx, type, flat);
		case "own":
			return liftOwn(cx, flat.i32(), type.resource);
		case "borrow":
			return liftBorrow(cx, flat.i32(), type.resource);
		case "stream":
		case "future":
			return liftEnd(cx, flat.i32(), type);
		case "error-context":
			throw unsupported(type.kind);
	}
}

export function liftFlatTuple(cx: Context, types: readonly ValueType[], flat: FlatReader): unknown[] {
	const values: unknown[] = [];
	for (const type of types) values.push(liftFlat(cx, type, flat));
	return values;
}

function liftFixedList(cx: Context, element: ValueType, length: number, flat: FlatReader): unknown {
	const values: unknown[] = [];
	for (let i = 0; i < length; i++) values.push(liftFlat(cx, element, flat));
	return isNumeric(element) ? toNumbers(element.kind, values) : values;
}

function liftFlatVariant(cx: Context, type: VariantType, flat: FlatReader): unknown {
	const end = flat.position + flattenType(type).length;
	const index = flat.i32();
	const payload = payloadType(layoutOf(type), index);
	const val = payload === null ? undefined : liftFlat(cx, payload, flat);
	flat.position = end;
	return toCase(type, index, payload, val);
}
