import { Writer } from "../../bytes/mod.ts";

/**
 * The bytes of the memory through which guests are stopped. It is shared with the thread that watches over them.
 * A guest that finds the flag raised lowers it and leaves word, in one store, before it traps: so no other guest can be hit, whatever
 * runs before the host hears of the trap.
 */
export const FLAG_CELL = 0;
export const HIT_CELL = 1;
/** Eight bytes: what is left of the slice of fuel, signed. Guests take away from it; who finds it negative asks the engine. */
export const FUEL_CELL = 16;

/** The word of 32 bits that does that: 0 in the flag's byte, 1 in the other. */
const LOWERED = 1 << (8 * HIT_CELL);

export interface Check {
	readonly bytes: Uint8Array;
	/** Where in it the `if` is, which is hardly ever taken. */
	readonly branch: number;
}

/**
 *   (if (i32.load8_u $flag (i32.const 0))
 *     (then (i32.store $flag (i32.const 0) (i32.const 0x100)) unreachable))
 *
 * A plain load: V8 eliminates no loads from memories, and an atomic one costs several times as much.
 * @param memory the index of the memory with the flag
 */
export function encodeCheck(memory: number): Check {
	const out = new Writer(32);
	out.u8(0x41).s32(FLAG_CELL);
	// Bit 6 of the alignment: a memory index follows
	out.u8(0x2d).u8(0x40).u32(memory).u32(0);
	const branch = out.length;
	out.u8(0x04).u8(0x40);
	out.u8(0x41).s32(0).u8(0x41).s32(LOWERED);
	out.u8(0x36).u8(0x42).u32(memory).u32(0);
	out.u8(0x00).u8(0x0b);
	return { bytes: out.finish(), branch };
}
