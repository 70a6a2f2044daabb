import type { Writer } from "../../bytes/mod.ts";

/**
 * The bytes of the memory through which guests are stopped. It is shared with the thread that watches over them.
 * A guest that finds the flag raised lowers it and leaves word, in one store, before it traps: so no other guest can be hit, whatever
 * runs before the host hears of the trap.
 */
export const FLAG_CELL = 0;
export const HIT_CELL = 1;
/** Eight bytes: what is left of the slice of fuel, signed. Guests take away from it; who finds it negative asks the engine. */
export const FUEL_CELL = 16;
/**
 * Where a page begins that nobody writes to: a guest that reads from it while it is protected traps, which nothing in it can catch. Behind
 * the first page of the flag's memory, which is all that guests are told there is: V8 cannot know the address for a good one.
 */
export const SAFEPOINT = 65_536;

/** How the checks of metering `trap` find out that they are to trap: by the flag's byte, or by reading from the page at `SAFEPOINT`. */
export type CheckKind = "flag" | "page";

/** The word of 32 bits that does that: 0 in the flag's byte, 1 in the other. */
const LOWERED = 1 << (8 * HIT_CELL);

/**
 * What a guest does that is to end: `(i32.store $flag (i32.const 0) (i32.const 0x100)) unreachable`.
 * @param memory the index of the memory with the flag
 */
export function encodeStop(out: Writer, memory: number): void {
	out.u8(0x41).s32(0).u8(0x41).s32(LOWERED);
	// Bit 6 of the alignment: a memory index follows
	out.u8(0x36).u8(0x42).u32(memory).u32(0);
	out.u8(0x00);
}

/**
 * A check of kind `page`: `(drop (i32.load8_u $flag (i32.const 65536)))`.
 * @param memory the index of the memory with the flag
 */
export function encodeTouch(out: Writer, memory: number): void {
	out.u8(0x41).s32(SAFEPOINT);
	out.u8(0x2d).u8(0x40).u32(memory).u32(0);
	out.u8(0x1a);
}
