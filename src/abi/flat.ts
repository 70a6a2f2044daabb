import type { FlatType } from "../component/mod.ts";
import type { CoreValue } from "./store.ts";

// The bits of floats: CanonicalABI.md `encode_float_as_i32` and its like.
const floats = new Float64Array(1);
const singles = new Float32Array(floats.buffer);
const words = new Uint32Array(floats.buffer);
const longs = new BigUint64Array(floats.buffer);

export function f32Bits(value: number): number {
	singles[0] = value;
	return words[0]!;
}

export function f32FromBits(bits: number): number {
	words[0] = bits;
	return singles[0]!;
}

export function f64Bits(value: number): bigint {
	floats[0] = value;
	return longs[0]!;
}

export function f64FromBits(bits: bigint): number {
	longs[0] = bits;
	return floats[0]!;
}

/**
 * The flat values of a call, read in order. `slots` are their core types: in the payload of a variant a slot can be wider
 * than the value it holds. Joins only ever widen, so that one step from the slot's type to the value's is the
 * same as the specification's step at each level of nesting.
 */
export class FlatReader {
	readonly #values: readonly CoreValue[];
	readonly #slots: readonly FlatType[];
	position = 0;

	constructor(values: readonly CoreValue[], slots: readonly FlatType[]) {
		this.#values = values;
		this.#slots = slots;
	}

	/** The next value as an i32, unsigned. */
	i32(): number {
		const value = this.#values[this.position++];
		return typeof value === "bigint" ? Number(BigInt.asUintN(32, value)) : value! >>> 0;
	}

	/** As an i64; its sign is the caller's matter. */
	i64(): bigint {
		return this.#values[this.position++] as bigint;
	}

	f32(): number {
		if (this.#slots[this.position] === "f32") return this.#values[this.position++] as number;
		return f32FromBits(this.i32());
	}

	f64(): number {
		if (this.#slots[this.position] === "f64") return this.#values[this.position++] as number;
		return f64FromBits(this.i64());
	}
}

/** Flat values as they are made, widened to their slots. */
export class FlatWriter {
	readonly values: CoreValue[] = [];
	readonly #slots: readonly FlatType[];

	constructor(slots: readonly FlatType[]) {
		this.#slots = slots;
	}

	/** An i32 of either sign. */
	i32(value: number): void {
		this.values.push(this.#slots[this.values.length] === "i64" ? BigInt(value >>> 0) : value);
	}

	i64(value: bigint): void {
		this.values.push(value);
	}

	f32(value: number): void {
		if (this.#slots[this.values.length] === "f32") this.values.push(value);
		else this.i32(f32Bits(value));
	}

	f64(value: number): void {
		this.values.push(this.#slots[this.values.length] === "f64" ? value : f64Bits(value));
	}

	/** Zeros up to slot `end`: what the case of a variant does not use. */
	pad(end: number): void {
		while (this.values.length < end) this.values.push(this.#slots[this.values.length] === "i64" ? 0n : 0);
	}
}
