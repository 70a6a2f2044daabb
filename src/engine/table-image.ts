import type { WasmTable } from "./v8.ts";

/** What a table held at the moment the image was taken. */
export interface TableImage {
	/** Puts it back; `false` when the table has grown, which no one can undo. */
	restore(): boolean;
}

/** @returns why there can be no image, as text */
export function takeTableImage(table: WasmTable): TableImage | string {
	const { length } = table;
	const index = (i: number): number | bigint => (typeof length === "bigint" ? BigInt(i) : i);
	const values = Array.from({ length: Number(length) }, (_, i) => table.get(index(i)));
	// It may be a structure of the guest's, with a state of its own.
	if (values.some((value) => typeof value === "object" && value !== null)) return "a table holds an object";
	return {
		restore() {
			if (table.length !== length) return false;
			for (const [i, value] of values.entries()) {
				const at = index(i);
				if (table.get(at) !== value) table.set(at, value);
			}
			return true;
		},
	};
}
