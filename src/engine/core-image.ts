import { createMemoryImage, type AttachedMemory, type MemoryImage } from "./memory-strategy.ts";
import type { CoreMemories } from "./owned.ts";
import type { PageMapper } from "./pages.ts";
import type { SlotMemory } from "./slot-memory.ts";
import { takeTableImage } from "./table-image.ts";
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

export function readCoreState(instance: WasmInstance, state: CoreState, memories: CoreMemories): CoreSnapshot {
	return {
		memories: memoriesOf(instance, state, memories).map(({ bytes }) => bytes),
		globals: state.globals.map((name) => (instance.exports[name] as WasmGlobal).value),
	};
}

function memoriesOf(instance: WasmInstance, state: CoreState, memories: CoreMemories): SlotMemory[] {
	return state.memories.map((name) => memories.of(instance.exports[name] as WasmMemory));
}

/** The mutable state of one core instance at the moment it was taken. */
export interface CoreImage extends Disposable {
	readonly memories: readonly MemoryImage[];
	/** Bytes of its memories. */
	readonly size: number;
	/** Binds an instance whose tables are as the image has them; its memories and globals may hold anything. */
	attach(instance: WasmInstance, memories: CoreMemories): AttachedCore;
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
	memories: CoreMemories,
	mapper: PageMapper | undefined,
	copyLimit?: number,
): CoreImage | string {
	const { memories: bytes, globals: values } = readCoreState(instance, state, memories);
	// The guest can see the bits of a NaN, and a JavaScript number need not keep them.
	if (values.some((value) => Number.isNaN(value))) return "a global holds a NaN";
	for (const name of state.tables) {
		const table = takeTableImage(instance.exports[name] as WasmTable);
		if (typeof table === "string") return table;
	}
	const images = bytes.map((view) => createMemoryImage(view.slice(), mapper, copyLimit));
	return {
		memories: images,
		size: images.reduce((sum, memory) => sum + memory.length, 0),
		attach(other, otherMemories) {
			const found = memoriesOf(other, state, otherMemories);
			const attached = images.map((image, i) => image.attach(found[i] as SlotMemory));
			const globals = state.globals.map((name) => other.exports[name] as WasmGlobal);
			// The functions in them are this instance's own.
			const tables = state.tables.map((name) => takeTableImage(other.exports[name] as WasmTable));
			return new Attached(attached, globals, values, () =>
				tables.every((table) => typeof table === "object" && table.restore()),
			);
		},
		[Symbol.dispose]() {
			for (const memory of images) memory[Symbol.dispose]();
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
