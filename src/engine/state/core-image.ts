import { createGlobalSetter } from "../memory/global-setter.ts";
import { createMemoryImage, type AttachedMemory, type MemoryImage } from "../memory/strategy.ts";
import type { CoreMemories } from "./owned.ts";
import { changedPages, NO_DELTA, type PageDelta } from "../memory/page-delta.ts";
import type { PageMapper } from "../memory/pages.ts";
import type { SlotMemory } from "../memory/slot-memory.ts";
import { holdsObject, takeTableImage } from "../memory/table-image.ts";
import type { WasmGlobal, WasmInstance, WasmMemory, WasmTable } from "../v8/v8.ts";

/** The names under which a core module exports the state that a reset puts back. Nothing else of it can change. */
export interface CoreState {
	readonly memories: readonly string[];
	readonly globals: readonly string[];
	readonly tables: readonly string[];
	/** A global that is not 0 once code has changed one of the tables; without it they are looked at with each reset. */
	readonly tablesChanged?: string;
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

/** A state of a core instance: what it holds beside an image of another instance of the same code. */
export interface CoreDelta {
	/** By memory: where it differs from the image's. */
	readonly memories: readonly PageDelta[];
	/** All of them: they are few. */
	readonly globals: readonly (number | bigint)[];
}

/** Pages in which two states differ; it is not counted beyond the limit. */
export function countChanges(a: CoreDelta, b: CoreDelta, limit: number): number {
	let count = 0;
	for (let i = 0; i < a.memories.length && count < limit; i++)
		count += changedPages(a.memories[i] as PageDelta, b.memories[i] as PageDelta, limit - count).length;
	return count;
}

/** The mutable state of one core instance at the moment it was taken. */
export interface CoreImage extends Disposable {
	readonly memories: readonly MemoryImage[];
	/** Bytes of its memories. */
	readonly size: number;
	/** Its own state: no difference. */
	readonly own: CoreDelta;
	/** What another instance of the same code, whose tables are as the image has them, holds now; or why that cannot be told, as text. */
	compare(instance: WasmInstance, memories: CoreMemories): CoreDelta | string;
	/** Binds an instance whose tables are as the image has them; its memories and globals may hold anything. */
	attach(instance: WasmInstance, memories: CoreMemories): AttachedCore;
}

/** One core instance that can be put back into the state of its image. */
export interface AttachedCore {
	/**
	 * Puts the instance into a state, or into that of the image. The bytes that were written; `undefined` when that cannot be done exactly:
	 * the instance is to be discarded.
	 */
	restore(state?: CoreDelta): number | undefined;
	/** The same for an instance that is in the state `from`: nothing has run in it since. */
	change(from: CoreDelta, to: CoreDelta): number;
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
	if (hasNaN(values)) return HOLDS_NAN;
	for (const name of state.tables) {
		if (holdsObject(instance.exports[name] as WasmTable)) return "a table holds an object";
	}
	const images = bytes.map((view) => createMemoryImage(view.slice(), mapper, { copyLimit }));
	const own: CoreDelta = { memories: images.map(() => NO_DELTA), globals: values };
	return {
		memories: images,
		size: images.reduce((sum, memory) => sum + memory.length, 0),
		own,
		compare(other, otherMemories) {
			const found = readCoreState(other, state, otherMemories);
			if (hasNaN(found.globals)) return HOLDS_NAN;
			if (images.some(({ length }, i) => found.memories[i]?.length !== length)) return "its memory begins larger";
			const deltas = images.map((image, i) => image.compare(found.memories[i] as Uint8Array));
			return { memories: deltas, globals: found.globals };
		},
		attach(other, otherMemories) {
			const found = memoriesOf(other, state, otherMemories);
			const attached = images.map((image, i) => image.attach(found[i] as SlotMemory));
			const globals = state.globals.map((name) => other.exports[name] as WasmGlobal);
			// The functions in them are this instance's own.
			return new Attached(attached, globals, own, attachTables(other, state, otherMemories));
		},
		[Symbol.dispose]() {
			for (const memory of images) memory[Symbol.dispose]();
		},
	};
}

/** What puts the tables back into the state that they are in now; `false` when that cannot be done. */
function attachTables(instance: WasmInstance, state: CoreState, memories: CoreMemories): () => boolean {
	const tables = state.tables.map((name) => instance.exports[name] as WasmTable);
	const elements = tables.reduce((sum, { length }) => sum + Number(length), 0);
	const images = memories.keepElements(elements) ? tables.map(takeTableImage) : undefined;
	const restore = (): boolean => images?.every((table) => table.restore()) ?? false;
	if (state.tablesChanged === undefined) return restore;
	const changed = instance.exports[state.tablesChanged] as WasmGlobal;
	changed.value = 0;
	return () => {
		if (changed.value === 0) return true;
		changed.value = 0;
		return restore();
	};
}

const HOLDS_NAN = "a global holds a NaN";

/** The guest can see the bits of a NaN, and a JavaScript number need not keep them. */
function hasNaN(values: readonly (number | bigint)[]): boolean {
	return values.some((value) => Number.isNaN(value));
}

class Attached implements AttachedCore {
	readonly #memories: readonly AttachedMemory[];
	readonly #setGlobals: (values: CoreDelta["globals"]) => void;
	readonly #own: CoreDelta;
	readonly #restoreTables: () => boolean;

	constructor(
		memories: readonly AttachedMemory[],
		globals: readonly WasmGlobal[],
		own: CoreDelta,
		restoreTables: () => boolean,
	) {
		this.#memories = memories;
		this.#setGlobals = createGlobalSetter(globals);
		this.#own = own;
		this.#restoreTables = restoreTables;
	}

	restore(state: CoreDelta = this.#own): number | undefined {
		this.#setGlobals(state.globals);
		if (!this.#restoreTables()) return undefined;
		let bytes = 0;
		for (let i = 0; i < this.#memories.length; i++) {
			const restored = (this.#memories[i] as AttachedMemory).restore(state.memories[i]);
			if (restored === undefined) return undefined;
			bytes += restored;
		}
		return bytes;
	}

	change(from: CoreDelta, to: CoreDelta): number {
		this.#setGlobals(to.globals);
		let bytes = 0;
		for (let i = 0; i < this.#memories.length; i++) {
			const [old, next] = [from.memories[i], to.memories[i]];
			if (old !== next) bytes += (this.#memories[i] as AttachedMemory).change(old as PageDelta, next as PageDelta);
		}
		return bytes;
	}
}
