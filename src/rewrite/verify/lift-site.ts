import type { Cursor } from "./cursor.ts";
import type { LiftOutline } from "./lift-outline.ts";
import type { Surroundings } from "./lift-pieces.ts";

/** What is known of a module when its code is compared. */
export interface CodeContext extends Surroundings {
	/** Of the original. */
	readonly from: LiftOutline;
	/** Of the lifted module. */
	readonly to: LiftOutline;
	/** The global in which code counts what it may make yet. */
	readonly heapGlobal: () => number;
}

/** Compares what stands in an instruction's place, which reached from `start` to `end`; `undefined` where the instruction itself has to. */
export type Site = ((to: Cursor, start: number, end: number) => void) | undefined;
