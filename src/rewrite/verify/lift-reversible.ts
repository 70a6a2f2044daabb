import { Cursor } from "./cursor.ts";
import { readType } from "./items.ts";
import type { LiftOutline } from "./lift-outline.ts";

const V128 = 0x7b;

/** References to functions and to what is the host's, as `readType` has them: nullable and not. */
const STATELESS: ReadonlySet<string> = new Set([
	"112",
	"111",
	"115",
	"114",
	"100 -16",
	"100 -17",
	"100 -13",
	"100 -14",
]);

/**
 * Whether nothing that the guest keeps can change but numbers, the bytes of its memories, and the elements of these tables. What a
 * reference leads to (WasmGC) may have been there from the start, or hide as an `externref`.
 */
export function isReversible(from: LiftOutline, changedTables: ReadonlySet<number>): boolean {
	const { constantBytes, globals, importedMemories, importedTables, memories, tables } = from;
	return (
		constantBytes === undefined &&
		memories.every((_, i) => i < importedMemories || !from.isShared(i)) &&
		globals.every(({ code, mutable, type }) => (mutable ? code > V128 : code >= V128 || isStateless(type))) &&
		tables.every(({ element }, i) => (i < importedTables && !changedTables.has(i)) || isStateless(element))
	);
}

function isStateless({ bytes, at, end }: Cursor): boolean {
	return STATELESS.has(readType(new Cursor(bytes, at, end)));
}
