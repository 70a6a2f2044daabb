import { createMemoryImage, type AttachedMemory, type MemoryImage } from "./memory-strategy.ts";
import type { PageMapper } from "./pages.ts";
import type { WasmGlobal, WasmInstance, WasmMemory } from "./v8.ts";

/** The names under which a core module exports the state that a reset puts back. Nothing else of it can change. */
export interface CoreState {
	readonly memories: readonly string[];
	readonly globals: readonly string[];
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
	/** `false` when the state cannot be restored exactly: the instance is to be discarded. */
	restore(): boolean;
}

export function takeCoreImage(instance: WasmInstance, state: CoreState, mapper: PageMapper | undefined): CoreImage {
	const memories = state.memories.map((name) => {
		const { buffer } = instance.exports[name] as WasmMemory;
		return createMemoryImage(new Uint8Array(buffer.slice(0)), mapper);
	});
	const values = state.globals.map((name) => (instance.exports[name] as WasmGlobal).value);
	return {
		memories,
		size: memories.reduce((sum, memory) => sum + memory.length, 0),
		attach(other) {
			const attached = memories.map((image, i) =>
				image.attach(other.exports[state.memories[i] as string] as WasmMemory),
			);
			const globals = state.globals.map((name) => other.exports[name] as WasmGlobal);
			return new Attached(attached, globals, values);
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

	constructor(
		memories: readonly AttachedMemory[],
		globals: readonly WasmGlobal[],
		values: readonly (number | bigint)[],
	) {
		this.#memories = memories;
		this.#globals = globals;
		this.#values = values;
	}

	restore(): boolean {
		for (let i = 0; i < this.#globals.length; i++) {
			(this.#globals[i] as WasmGlobal).value = this.#values[i] as number | bigint;
		}
		for (const memory of this.#memories) if (!memory.restore()) return false;
		return true;
	}
}
