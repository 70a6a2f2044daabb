import type { CoreFunctionType } from "../wasm/mod.ts";
import type { FunctionType, ValueType } from "./types.ts";

/** CanonicalABI.md, Flattening. */
export const MAX_FLAT_PARAMS = 16;
export const MAX_FLAT_RESULTS = 1;
export const MAX_FLAT_ASYNC_PARAMS = 4;

export type FlatType = "i32" | "i64" | "f32" | "f64";

/** What more than this many flat values is cut to: no signature needs to count further. */
const CUT = 1024;

const cache = new WeakMap<ValueType, readonly FlatType[]>();

/** The core types that a value of `type` flattens to. */
export function flattenType(type: ValueType): readonly FlatType[] {
	let flat = cache.get(type);
	if (flat === undefined) cache.set(type, (flat = compute(type)));
	return flat;
}

function compute(type: ValueType): readonly FlatType[] {
	switch (type.kind) {
		case "s64":
		case "u64":
			return ["i64"];
		case "f32":
			return ["f32"];
		case "f64":
			return ["f64"];
		case "string":
		case "map":
			return ["i32", "i32"];
		case "list": {
			if (type.length === undefined) return ["i32", "i32"];
			const element = flattenType(type.element);
			const flat: FlatType[] = [];
			for (let i = 0; i < type.length && flat.length < CUT; i++) flat.push(...element);
			return flat;
		}
		case "record":
			return concat(type.fields.map((f) => f.type));
		case "tuple":
			return concat(type.elements);
		case "variant":
			return flattenVariant(type.cases.map((c) => c.type));
		case "option":
			return flattenVariant([null, type.element]);
		case "result":
			return flattenVariant([type.ok, type.err]);
		default:
			// bool, narrow integers, char, flags, enum, and all handles
			return ["i32"];
	}
}

function concat(types: readonly ValueType[]): readonly FlatType[] {
	const flat: FlatType[] = [];
	for (const type of types) {
		if (flat.length >= CUT) break;
		flat.push(...flattenType(type));
	}
	return flat;
}

/** CanonicalABI.md `flatten_variant` for the payloads of the cases. */
function flattenVariant(payloads: readonly (ValueType | null)[]): readonly FlatType[] {
	const flat: FlatType[] = [];
	for (const payload of payloads) {
		if (payload === null) continue;
		for (const [i, type] of flattenType(payload).entries()) {
			const present = flat[i];
			flat[i] = present === undefined ? type : joinFlatTypes(present, type);
		}
	}
	return ["i32", ...flat];
}

function joinFlatTypes(a: FlatType, b: FlatType): FlatType {
	if (a === b) return a;
	if ((a === "i32" && b === "f32") || (a === "f32" && b === "i32")) return "i32";
	return "i64";
}

/**
 * CanonicalABI.md `flatten_functype`, synchronous ABI. More flat parameters than allowed are passed in memory, as one pointer;
 * more results come back through a pointer: returned by a lifted function, an extra parameter of a lowered one.
 */
export function flattenFunctionType(type: FunctionType, context: "lift" | "lower"): CoreFunctionType {
	let params: FlatType[] = type.params.flatMap((p) => flattenType(p.type));
	if (params.length > MAX_FLAT_PARAMS) params = ["i32"];
	let results: readonly FlatType[] = type.result === null ? [] : flattenType(type.result);
	if (results.length > MAX_FLAT_RESULTS) {
		if (context === "lift") {
			results = ["i32"];
		} else {
			params = [...params, "i32"];
			results = [];
		}
	}
	return { params, results };
}

/** CanonicalABI.md `flatten_functype`, async and lowered: the state is returned, the result goes to memory. */
export function flattenAsyncLower(type: FunctionType): CoreFunctionType {
	let flat: readonly FlatType[] = type.params.flatMap((param) => flattenType(param.type));
	if (flat.length > MAX_FLAT_ASYNC_PARAMS) flat = ["i32"];
	return { params: type.result === null ? flat : [...flat, "i32"], results: ["i32"] };
}

/** CanonicalABI.md `canon_task_return`: the result is passed as a parameter is. */
export function flattenTaskReturn(result: ValueType | null): CoreFunctionType {
	const flat = result === null ? [] : flattenType(result);
	return { params: flat.length > MAX_FLAT_PARAMS ? ["i32"] : flat, results: [] };
}
