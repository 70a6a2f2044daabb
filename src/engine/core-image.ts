import { createMemoryImage, type AttachedMemory, type MemoryImage } from "./memory-strategy.ts";
import type { PageMapper } from "./pages.ts";
import { type TableImage, takeTableImage } from "./table-image.ts";
import type { WasmGlobal, WasmInstance, WasmMemory, WasmTable } from "./v8.ts";

/** The names under which a core module exports the state that a reset puts back. Nothing else of it can change. */
export interface CoreState {
	readonly memories: readonly string[];
	readonly globals: readonly string[];
	readonly tables: readonly string[];
}

/** What a core instance holds now: what `CoreState` names, in the same order. */
export interface CoreSnapshot {
	/** Views, not copies: valid until the memory grows. */
	readonly memories: readonly Uint8Array[];
	readonly globals: readonly (number | bigint)[];
}

export function readCoreState(instance: WasmInstance, state: CoreState): CoreSnapshot {
	return {
		memories: state.memories.map((name) => new Uint8Array((instance.exports[name] as WasmMemory).buffer)),
		globals: state.globals.map((name) => (instance.exports[name] as WasmGlobal).value),
	};
}

/** The mutable state of one core instance at the moment it was taken. */
export interface CoreImage extends Disposable {
	readonly memories: readonly MemoryImage[];
	/** Bytes of its memories. */
	readonly size: number;
	attach(instance: WasmInstance): AttachedCore;
}

/** One core instance that can be put back into the state of its image. */
export interface AttachedCore {
	/** The bytes that were put back; `undefined` when the state cannot be restored exactly: the instance is to be discarded. */
	restore(): number | undefined;
}

/**
 * @param copyLimit memories of up to so many bytes are copied whether there is a mapper or not; where it is left out, what is quicker
 * @returns why there can be no image, as text
 */
export function takeCoreImage(
	instance: WasmInstance,
	state: CoreState,
	mapper: PageMapper | undefined,
	copyLimit?: number,
): CoreImage | string {
	const { memories: bytes, globals: values } = readCoreState(instance, state);
	// The guest can see the bits of a NaN, and a JavaScript number need not keep them.
	if (values.some((value) => Number.isNaN(value))) return "a global holds a NaN";
	const tables: TableImage[] = [];
	for (const name of state.tables) {
		const image = takeTableImage(instance.exports[name] as WasmTable);
		if (typeof image === "string") return image;
		tables.push(image);
	}
	const memories = bytes.map((view) => createMemoryImage(view.slice(), mapper, copyLimit));
	return {
		memories,
		size: memories.reduce((sum, memory) => sum + memory.length, 0),
		attach(other) {
			const attached = memories.map((image, i) =>
				image.attach(other.exports[state.memories[i] as string] as WasmMemory),
			);
			const globals = state.globals.map((name) => other.exports[name] as WasmGlobal);
			const found = state.tables.map((name) => other.exports[name] as WasmTable);
			return new Attached(attached, globals, values, () =>
				tables.every((table, i) => table.restore(found[i] as WasmTable)),
			);
		},
		[Symbol.dispose]() {
			for (const memory of memories) memory[Symbol.dispose]();
		},
	};
}

class Attached implements AttachedCore {
	readonly #memories: readonly AttachedMemory[];
	readonly #globals: readonly WasmGlobal[];
	readonly #values: readonly (number | bigint)[];
	readonly #restoreTables: () => boolean;

	constructor(
		memories: readonly AttachedMemory[],
		globals: readonly WasmGlobal[],
		values: readonly (number | bigint)[],
		restoreTables: () => boolean,
	) {
		this.#memories = memories;
		this.#globals = globals;
		this.#values = values;
		this.#restoreTables = restoreTables;
	}

	restore(): number | undefined {
		for (let i = 0; i < this.#globals.length; i++) {
			(this.#globals[i] as WasmGlobal).value = this.#values[i] as number | bigint;
		}
		if (!this.#restoreTables()) return undefined;
		let bytes = 0;
		for (const memory of this.#memories) {
			const restored = memory.restore();
			if (restored === undefined) return undefined;
			bytes += restored;
		}
		return bytes;
	}
}
