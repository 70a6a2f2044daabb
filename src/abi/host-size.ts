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

/** Strings and lists of numbers that one call may have outside of lists without their being counted: each is no larger than the memory. */
const FEW = 4;

const counts = new WeakMap<ValueType, number>();

/** Whether a value has so many strings and lists of numbers that they are counted even outside of lists: all may be one piece of memory. */
export function hasMany(type: ValueType): boolean {
	return countOf(type) > FEW;
}

function countOf(type: ValueType): number {
	let count = counts.get(type);
	if (count === undefined) counts.set(type, (count = Math.min(countAll(type), MOST)));
	return count;
}

function countAll(type: ValueType): number {
	const sum = (types: readonly (ValueType | null)[]): number =>
		types.reduce((all, inner) => all + (inner === null ? 0 : countOf(inner)), 0);
	switch (type.kind) {
		case "string":
			return 1;
		case "list":
			if (type.length !== undefined) return type.length * countOf(type.element);
			return isNumeric(type.element) ? 1 : 0;
		case "record":
			return sum(type.fields.map((field) => field.type));
		case "tuple":
			return sum(type.elements);
		case "variant":
			return sum(type.cases.map((one) => one.type));
		case "option":
			return countOf(type.element);
		case "result":
			return sum([type.ok, type.err]);
		default:
			return 0;
	}
}
