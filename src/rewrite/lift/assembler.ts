import { Writer } from "../../bytes/mod.ts";
import { encodeHeapType, encodeOperator, type HeapTypeSyntax, OP, type OpName, operatorOf } from "../../wasm/mod.ts";

/** The type of an address of a memory or of an index of a table. */
export type Address = "i32" | "i64";

/** Writes instructions, one after the other. */
export class Assembler {
	readonly out: Writer;

	constructor(out: Writer = new Writer(64)) {
		this.out = out;
	}

	/** An instruction whose immediates are indices, labels or locals. */
	op(name: OpName, ...indices: readonly number[]): this {
		encodeOperator(this.out, OP[name]);
		for (const index of indices) this.out.u32(index);
		return this;
	}

	const(type: Address, value: number): this {
		if (type === "i32") this.op("i32.const").out.s32(value);
		else this.op("i64.const").out.s64(BigInt(value));
		return this;
	}

	/** An access at an offset of 0, or where `offset` says. */
	access(op: number, memory: number, align: number, offset = 0n): this {
		encodeOperator(this.out, op);
		// Bit 6 of the alignment: a memory index follows
		if (memory === 0) this.out.u32(align);
		else this.out.u32(align | 0x40).u32(memory);
		this.out.u64(offset);
		return this;
	}

	/** The heap type of a `ref.null`. */
	heap(type: HeapTypeSyntax): this {
		encodeHeapType(this.out, type);
		return this;
	}

	/** `if`, `block` or `loop` without parameters and results. */
	begin(name: "if" | "loop"): this {
		this.op(name).out.u8(0x40);
		return this;
	}

	end(): this {
		return this.op("end");
	}

	/** The local as an `i64`, whatever it is. */
	wide(local: number, type: Address): this {
		this.op("local.get", local);
		return type === "i32" ? this.op("i64.extend_i32_u") : this;
	}

	/** The local as another type of address. */
	narrowed(local: number, from: Address, to: Address): this {
		if (to === "i64") return this.wide(local, from);
		this.op("local.get", local);
		return from === "i64" ? this.op("i32.wrap_i64") : this;
	}
}

/** The instruction of this name for a type of address: `add` is `i32.add` or `i64.add`. */
export function of(type: Address, name: "add" | "sub" | "gt_u" | "eq"): OpName {
	return `${type}.${name}`;
}

/** Bytes that an atomic operation accesses. */
export function accessSize(op: number): number {
	const name = operatorOf(op)?.name ?? "";
	const explicit = /(?:load|store|rmw|wait)(8|16|32|64)/.exec(name)?.[1];
	return Number(explicit ?? (name.startsWith("i64") ? 64 : 32)) / 8;
}
