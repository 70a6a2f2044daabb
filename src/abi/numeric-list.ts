import type { ValueType } from "../component/mod.ts";

export type NumericKind = "u8" | "s8" | "u16" | "s16" | "u32" | "s32" | "u64" | "s64" | "f32" | "f64";
export type NumericArray =
	| Uint8Array
	| Int8Array
	| Uint16Array
	| Int16Array
	| Uint32Array
	| Int32Array
	| BigUint64Array
	| BigInt64Array
	| Float32Array
	| Float64Array;

interface NumericConstructor {
	readonly name: string;
	new (length: number): NumericArray;
	new (buffer: ArrayBufferLike, byteOffset: number, length: number): NumericArray;
}

/** The typed array of each numeric type: lists of these are copied whole. */
const ARRAYS: Readonly<Record<NumericKind, NumericConstructor>> = {
	u8: Uint8Array,
	s8: Int8Array,
	u16: Uint16Array,
	s16: Int16Array,
	u32: Uint32Array,
	s32: Int32Array,
	u64: BigUint64Array,
	s64: BigInt64Array,
	f32: Float32Array,
	f64: Float64Array,
};

export const ARRAY_NAMES: readonly string[] = Object.values(ARRAYS).map((array) => array.name);

/** The name of the typed array that holds numbers of `kind`. */
export function arrayName(kind: NumericKind): string {
	return ARRAYS[kind].name;
}

export function isNumeric(type: ValueType): type is { readonly kind: NumericKind } {
	return (ARRAYS as Partial<Record<string, unknown>>)[type.kind] !== undefined;
}

/** True when `value` is the typed array that a list of `kind` is lifted to. */
export function isNumericArray(kind: NumericKind, value: unknown): value is NumericArray {
	return value instanceof ARRAYS[kind];
}

/** A copy of `length` numbers at `pointer`, which is aligned and in range. */
export function loadNumbers(kind: NumericKind, buffer: ArrayBufferLike, pointer: number, length: number): NumericArray {
	const numbers = new ARRAYS[kind](buffer, pointer, length).slice();
	// NaN is canonical on this side: payload bits of one guest do not reach another.
	if (numbers instanceof Float32Array || numbers instanceof Float64Array) {
		for (let i = 0; i < length; i++) if (Number.isNaN(numbers[i])) numbers[i] = NaN;
	}
	return numbers;
}

/** The same numbers where they are, for who copies them at once; `null` where some of them would have to change on the way. */
export function viewNumbers(
	kind: NumericKind,
	buffer: ArrayBufferLike,
	pointer: number,
	length: number,
): NumericArray | null {
	return kind === "f32" || kind === "f64" ? null : new ARRAYS[kind](buffer, pointer, length);
}

/** Numbers one by one, as a typed array of `kind`. */
export function toNumbers(kind: NumericKind, values: readonly unknown[]): NumericArray {
	const numbers = new ARRAYS[kind](values.length);
	copyNumbers(numbers, values);
	return numbers;
}

/** Writes all of `values`, which has been checked, at `pointer`, which is aligned and in range. */
export function storeNumbers(
	kind: NumericKind,
	buffer: ArrayBufferLike,
	pointer: number,
	values: ArrayLike<unknown>,
): void {
	copyNumbers(new ARRAYS[kind](buffer, pointer, values.length), values);
}

function copyNumbers(target: NumericArray, values: ArrayLike<unknown>): void {
	// `set` with an array of the same kind is a plain copy of memory
	if (target instanceof BigUint64Array || target instanceof BigInt64Array) target.set(values as ArrayLike<bigint>);
	else target.set(values as ArrayLike<number>);
}
