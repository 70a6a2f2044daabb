import type { ValueType } from "../component/mod.ts";
import { isNumeric } from "./numeric-list.ts";

/** Of an array of JavaScript, while it grows. */
const SLOT = 16;
const OBJECT = 32;
const FIELD = 8;
/** A typed array, its buffer, and what V8 keeps of that outside its heap. */
const TYPED_ARRAY = 200;

/** However deep a type is. */
const MOST = 2 ** 40;

const cache = new WeakMap<ValueType, number>();

/** Bytes that one element of a list takes in the host, without its own lists' elements and strings' characters: an estimate. */
export function hostSizeOf(type: ValueType): number {
	return SLOT + contentOf(type);
}

/** A type may be in another many times: each is looked at once. */
function contentOf(type: ValueType): number {
	let size = cache.get(type);
	if (size === undefined) cache.set(type, (size = Math.min(measure(type), MOST)));
	return size;
}

function measure(type: ValueType): number {
	switch (type.kind) {
		case "u64":
		case "s64":
		case "f32":
		case "f64":
			return 24;
		case "string":
			return OBJECT;
		case "list":
			return isNumeric(type.element) ? TYPED_ARRAY : 2 * OBJECT;
		case "map":
			return 4 * OBJECT;
		case "record":
			return type.fields.reduce((sum, field) => sum + FIELD + contentOf(field.type), OBJECT);
		case "tuple":
			return type.elements.reduce((sum, element) => sum + SLOT + contentOf(element), 2 * OBJECT);
		case "flags":
			return OBJECT + type.keys.length * FIELD;
		case "variant":
			return 2 * OBJECT + most(type.cases.map((one) => one.type));
		case "option":
			return 2 * OBJECT + most([type.element]);
		case "result":
			return 2 * OBJECT + most([type.ok, type.err]);
		case "own":
		case "borrow":
		case "stream":
		case "future":
			return 4 * OBJECT;
		default:
			return 0;
	}
}

const most = (types: readonly (ValueType | null)[]): number =>
	types.reduce((sum, type) => Math.max(sum, type === null ? 0 : contentOf(type)), 0);
