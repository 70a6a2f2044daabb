/** Where the parts of a value lie, for code that lifts and code that lowers: in memory, or in flat core values. */
import { flattenType, type FlatType, type ValueType } from "../../component/mod.ts";
import { layoutOf } from "../layout.ts";
import type { Emitter } from "./emitter.ts";

/** The kinds that are one core value or one aligned piece of memory. `word` is an unsigned 32-bit integer. */
export type Scalar = "u8" | "s8" | "u16" | "s16" | "u32" | "s32" | "u64" | "s64" | "f32" | "f64";

/** Types with parts that lie one after the other. */
export type Sequence = Extract<ValueType, { kind: "record" | "tuple" | "list" }>;

interface Place<Self> {
	/** Of part `index` of a record, tuple or list of fixed length. */
	part(type: Sequence, index: number): Self;
	/** Of what the cases of a variant carry. */
	payload(type: ValueType): Self;
}

export interface Source extends Place<Source> {
	/** An expression without effects. */
	read(kind: Scalar): string;
	/** The second of two words, where `read("u32")` is the first. */
	second(): string;
}

export interface Target extends Place<Target> {
	/** `value` is an expression of the kind's JavaScript type. */
	write(kind: Scalar, value: string): void;
	writeSecond(value: string): void;
}

function partTypes(type: Sequence): readonly ValueType[] {
	if (type.kind === "record") return type.fields.map((field) => field.type);
	return type.kind === "tuple" ? type.elements : Array.from({ length: type.length ?? 0 }, () => type.element);
}

const READ: Readonly<Record<Scalar, (address: string) => string>> = {
	u8: (a) => `bytes[${a}]`,
	s8: (a) => `view.getInt8(${a})`,
	u16: (a) => `view.getUint16(${a}, true)`,
	s16: (a) => `view.getInt16(${a}, true)`,
	u32: (a) => `view.getUint32(${a}, true)`,
	s32: (a) => `view.getInt32(${a}, true)`,
	u64: (a) => `view.getBigUint64(${a}, true)`,
	s64: (a) => `view.getBigInt64(${a}, true)`,
	f32: (a) => `view.getFloat32(${a}, true)`,
	f64: (a) => `view.getFloat64(${a}, true)`,
};

const WRITE: Readonly<Record<Scalar, (address: string, value: string) => string>> = {
	u8: (a, v) => `bytes[${a}] = ${v};`,
	s8: (a, v) => `bytes[${a}] = ${v};`,
	u16: (a, v) => `view.setUint16(${a}, ${v}, true);`,
	s16: (a, v) => `view.setUint16(${a}, ${v}, true);`,
	u32: (a, v) => `view.setUint32(${a}, ${v}, true);`,
	s32: (a, v) => `view.setUint32(${a}, ${v}, true);`,
	u64: (a, v) => `view.setBigUint64(${a}, ${v}, true);`,
	s64: (a, v) => `view.setBigUint64(${a}, ${v}, true);`,
	f32: (a, v) => `view.setFloat32(${a}, ${v}, true);`,
	f64: (a, v) => `view.setFloat64(${a}, ${v}, true);`,
};

/** In memory, at a pointer that was checked; the code has `view` and `bytes` of the memory as it is. */
export class MemoryPlace implements Source, Target {
	readonly #out: Emitter;
	readonly #base: string;
	readonly #offset: number;

	constructor(out: Emitter, base: string, offset = 0) {
		this.#out = out;
		this.#base = base;
		this.#offset = offset;
	}

	read(kind: Scalar): string {
		return READ[kind](this.address(0));
	}

	second(): string {
		return READ.u32(this.address(4));
	}

	write(kind: Scalar, value: string): void {
		this.#out.line(WRITE[kind](this.address(0), value));
	}

	writeSecond(value: string): void {
		this.#out.line(WRITE.u32(this.address(4), value));
	}

	part(type: Sequence, index: number): MemoryPlace {
		const offset = type.kind === "list" ? layoutOf(type.element).size * index : layoutOf(type).offsets[index]!;
		return new MemoryPlace(this.#out, this.#base, this.#offset + offset);
	}

	payload(type: ValueType): MemoryPlace {
		return new MemoryPlace(this.#out, this.#base, this.#offset + layoutOf(type).payloadOffset);
	}

	address(more: number): string {
		const offset = this.#offset + more;
		return offset === 0 ? this.#base : `${this.#base} + ${offset}`;
	}
}

/** In flat values, which are variables `prefix0` to `prefixN`; `slots` are their core types, which can be wider than what they hold. */
export class FlatPlace implements Source, Target {
	readonly #out: Emitter;
	readonly #prefix: string;
	readonly #slots: readonly FlatType[];
	readonly #position: number;

	constructor(out: Emitter, prefix: string, slots: readonly FlatType[], position = 0) {
		this.#out = out;
		this.#prefix = prefix;
		this.#slots = slots;
		this.#position = position;
	}

	read(kind: Scalar): string {
		const word = this.#word(this.#position);
		const slot = this.#slots[this.#position];
		switch (kind) {
			case "u8":
				return `(${word} & 255)`;
			case "s8":
				return `(${word} << 24 >> 24)`;
			case "u16":
				return `(${word} & 65535)`;
			case "s16":
				return `(${word} << 16 >> 16)`;
			case "u32":
				return word;
			case "s32":
				return `(${word} | 0)`;
			case "u64":
				return `BigInt.asUintN(64, ${this.#name(this.#position)})`;
			case "s64":
				return `BigInt.asIntN(64, ${this.#name(this.#position)})`;
			case "f32":
				return slot === "f32" ? this.#name(this.#position) : `f32FromBits(${word})`;
			case "f64":
				return slot === "f64" ? this.#name(this.#position) : `f64FromBits(${this.#name(this.#position)})`;
		}
	}

	second(): string {
		return this.#word(this.#position + 1);
	}

	write(kind: Scalar, value: string): void {
		const slot = this.#slots[this.#position];
		if (kind === "u64" || kind === "s64" || kind === slot) this.#assign(this.#position, value);
		else if (kind === "f64") this.#assign(this.#position, `f64Bits(${value})`);
		else this.#writeWord(this.#position, kind === "f32" ? `f32Bits(${value})` : value);
	}

	writeSecond(value: string): void {
		this.#writeWord(this.#position + 1, value);
	}

	part(type: Sequence, index: number): FlatPlace {
		const before = partTypes(type).slice(0, index);
		return this.#at(before.reduce((sum, part) => sum + flattenType(part).length, this.#position));
	}

	payload(_type: ValueType): FlatPlace {
		return this.#at(this.#position + 1);
	}

	#at(position: number): FlatPlace {
		return new FlatPlace(this.#out, this.#prefix, this.#slots, position);
	}

	#name(position: number): string {
		return `${this.#prefix}${position}`;
	}

	/** As an i32, unsigned. */
	#word(position: number): string {
		const name = this.#name(position);
		return this.#slots[position] === "i64" ? `Number(BigInt.asUintN(32, ${name}))` : `(${name} >>> 0)`;
	}

	#writeWord(position: number, value: string): void {
		this.#assign(position, this.#slots[position] === "i64" ? `BigInt((${value}) >>> 0)` : value);
	}

	#assign(position: number, value: string): void {
		this.#out.line(`${this.#name(position)} = ${value};`);
	}
}

/** Variables of these slots, all zero: what the case of a variant does not use stays so. */
export function declareFlat(out: Emitter, prefix: string, slots: readonly FlatType[]): readonly string[] {
	const names = slots.map((_, i) => `${prefix}${i}`);
	if (names.length > 0) {
		out.line(`let ${names.map((name, i) => `${name} = ${slots[i] === "i64" ? "0n" : "0"}`).join(", ")};`);
	}
	return names;
}
