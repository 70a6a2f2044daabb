import {
	flattenType,
	type FlatType,
	type FunctionType,
	MAX_FLAT_ASYNC_PARAMS,
	MAX_FLAT_PARAMS,
	MAX_FLAT_RESULTS,
	type ValueType,
} from "../../component/mod.ts";
import type { Context } from "../context.ts";
import { FlatReader, FlatWriter } from "../flat.ts";
import { hasMany } from "../host-size.ts";
import { layoutOf } from "../layout.ts";
import { liftFlatTuple } from "../lift-flat.ts";
import { loadTuple } from "../load.ts";
import { lowerFlatTuple } from "../lower-flat.ts";
import type { CoreValue } from "../store.ts";
import { storeValue } from "../store-value.ts";

type TupleType = ValueType & { readonly kind: "tuple" };

/** Values that pass together, flat while there are few, otherwise in memory. */
export class FlatValues {
	readonly #tuple: TupleType;
	readonly slots: readonly FlatType[];
	readonly spilled: boolean;

	constructor(types: readonly ValueType[], most: number) {
		this.#tuple = { kind: "tuple", elements: types };
		const flat = types.flatMap((type) => flattenType(type));
		this.spilled = flat.length > most;
		this.slots = this.spilled ? ["i32"] : flat;
	}

	/** CanonicalABI.md `lift_flat_values` */
	lift(cx: Context, flat: readonly CoreValue[]): unknown[] {
		cx.begin(hasMany(this.#tuple));
		cx.refresh();
		const reader = new FlatReader(flat, this.slots);
		if (!this.spilled) return liftFlatTuple(cx, this.#tuple.elements, reader);
		const { size, alignment } = layoutOf(this.#tuple);
		const pointer = reader.i32();
		cx.checkRange(pointer, size, alignment, "pointer out of bounds of memory");
		return loadTuple(cx, this.#tuple, pointer);
	}

	/** CanonicalABI.md `lower_flat_values`. `out` is where they go that are in memory; otherwise the guest allocates. */
	lower(cx: Context, values: readonly unknown[], out: CoreValue | undefined): readonly CoreValue[] {
		cx.refresh();
		cx.instance.mayLeave = false;
		const flat = this.#lower(cx, values, out);
		cx.instance.mayLeave = true;
		return flat;
	}

	#lower(cx: Context, values: readonly unknown[], out: CoreValue | undefined): readonly CoreValue[] {
		if (!this.spilled) {
			const writer = new FlatWriter(this.slots);
			lowerFlatTuple(cx, this.#tuple.elements, values, writer);
			return writer.values;
		}
		const { size, alignment } = layoutOf(this.#tuple);
		let pointer: number;
		if (out === undefined) pointer = cx.realloc(0, 0, alignment, size);
		else {
			pointer = (out as number) >>> 0;
			cx.checkRange(pointer, size, alignment, "pointer out of bounds of memory");
		}
		storeValue(cx, this.#tuple, values, pointer);
		return out === undefined ? [pointer] : [];
	}
}

const resultsOf = (type: FunctionType): readonly ValueType[] => (type.result === null ? [] : [type.result]);
const paramsOf = (type: FunctionType): readonly ValueType[] => type.params.map((param) => param.type);

export function liftedParams(type: FunctionType): FlatValues {
	return new FlatValues(paramsOf(type), MAX_FLAT_PARAMS);
}

/** What a lifted function gives back: `task.return` takes as many as a function has parameters. */
export function liftedResults(type: FunctionType, async: boolean): FlatValues {
	return new FlatValues(resultsOf(type), async ? MAX_FLAT_PARAMS : MAX_FLAT_RESULTS);
}

export function loweredParams(type: FunctionType, async: boolean): FlatValues {
	return new FlatValues(paramsOf(type), async ? MAX_FLAT_ASYNC_PARAMS : MAX_FLAT_PARAMS);
}

/** The result of an async lower is always in memory. */
export function loweredResults(type: FunctionType, async: boolean): FlatValues {
	return new FlatValues(resultsOf(type), async ? 0 : MAX_FLAT_RESULTS);
}
