import type { Writer } from "../../bytes/mod.ts";
import { webAssembly, type WasmMemory } from "../v8/v8.ts";

/**
 * Where tasks leave what they return, so that none of the host's functions has to be called for it: a task that may return through one
 * built-in says which by its number, and the built-in's trampoline, finding its own there, stores the value and `TAKEN`.
 * Nothing of a guest can write to it.
 */
const STATE_OFFSET = 0;
const VALUE_OFFSET = 8;
const NOBODY = 0;
const TAKEN = -1;

/** The thread's memory for that: at any time at most one of its guests is there to write. */
export class Returns {
	readonly memory: WasmMemory;
	readonly words: Int32Array;
	readonly floats: Float64Array;
	readonly wides: BigInt64Array;
	/** Where the number is, in words of 32 bits; then the value in those, and in words of 64 bits. */
	readonly state: number = STATE_OFFSET / 4;
	readonly word: number = VALUE_OFFSET / 4;
	readonly wide: number = VALUE_OFFSET / 8;
	/** In place of a number: no built-in may return; one has. */
	readonly nobody: number = NOBODY;
	readonly taken: number = TAKEN;
	#last = NOBODY;

	constructor() {
		const { Memory } = webAssembly();
		this.memory = new Memory({ initial: 1, maximum: 1 });
		const { buffer } = this.memory;
		this.words = new Int32Array(buffer);
		this.floats = new Float64Array(buffer);
		this.wides = new BigInt64Array(buffer);
	}

	/** A number for a built-in, which no other has. */
	next(): number {
		return (this.#last = (this.#last % 0x3fff_ffff) + 1);
	}
}

let returns: Returns | undefined;

export function threadReturns(): Returns {
	return (returns ??= new Returns());
}

const STORES: Readonly<Record<string, readonly number[]>> = {
	i32: [0x36, 2],
	i64: [0x37, 3],
	// As JavaScript has it
	f32: [0xbb, 0x39, 3],
	f64: [0x39, 3],
};

/**
 * The beginning of a trampoline that has no result and at most one parameter:
 *
 *   (if (i32.eq (i32.load $state) (global.get $number))
 *     (then (store $value (local.get 0)) (i32.store $state (i32.const TAKEN)) (return)))
 */
export function writeReturn(to: Writer, number: number, param: string | undefined): void {
	to.u8(0x41).s32(0).u8(0x28).u32(2).u32(STATE_OFFSET);
	to.u8(0x23).u32(number).u8(0x46).u8(0x04).u8(0x40);
	const store = param === undefined ? undefined : STORES[param];
	if (store !== undefined) to.u8(0x41).s32(0).u8(0x20).u32(0).raw(Uint8Array.from(store)).u32(VALUE_OFFSET);
	to.u8(0x41).s32(0).u8(0x41).s32(TAKEN).u8(0x36).u32(2).u32(STATE_OFFSET);
	to.u8(0x0f).u8(0x0b);
}
