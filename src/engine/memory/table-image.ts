import type { WasmTable } from "../v8/v8.ts";

/** What a table held at the moment the image was taken. */
export interface TableImage {
	/** Puts it back; `false` when the table has grown, which no one can undo. */
	restore(): boolean;
}

export function takeTableImage(table: WasmTable): TableImage {
	const { length } = table;
	const values = [...elementsOf(table)];
	const index = indexOf(table);
	return {
		restore() {
			if (table.length !== length) return false;
			for (let i = 0; i < values.length; i++) {
				if (table.get(index(i)) !== values[i]) table.set(index(i), values[i]);
			}
			return true;
		},
	};
}

/** Whether an element is an object: it may be a structure of the guest's, with a state of its own. */
export function holdsObject(table: WasmTable): boolean {
	for (const value of elementsOf(table)) if (typeof value === "object" && value !== null) return true;
	return false;
}

function* elementsOf(table: WasmTable): Generator {
	const index = indexOf(table);
	for (let i = 0; i < table.length; i++) yield table.get(index(i));
}

/** Indices are of the type that the table's length has. */
function indexOf({ length }: WasmTable): (i: number) => number | bigint {
	return typeof length === "bigint" ? BigInt : (i) => i;
}
