import type { Sites } from "./sites.ts";
import type { MemoryTypeSyntax } from "../wasm/mod.ts";

/** The names under which a module exports the state that a reset puts back: all that can change in it after instantiation. */
export interface ModuleState {
	/** That the module defines, or has defined before they became imports. */
	readonly memories: readonly string[];
	/** Mutable numbers that the module defines, and those that say which segments were dropped. */
	readonly globals: readonly string[];
	/** Tables that the module's code changes, defined by it or imported: functions, or references of the host's. */
	readonly tables: readonly string[];
	/** A mutable global (`i32`) that code sets to 1 before it changes one of the tables. Where there are tables, there is this. */
	readonly tablesChanged?: string;
}

/** What a rewritten module imports besides what the guest asked for. Functions are not among it. */
export interface EngineImports {
	/** The module name: one from which the guest itself imports nothing. */
	readonly module: string;
	/**
	 * The names of the guest's own memories, which it no longer defines, and what they are to be. They follow the memories that the guest
	 * imports, so that each keeps its index.
	 */
	readonly memories: readonly { readonly name: string; readonly type: MemoryTypeSyntax }[];
	/** The name of the memory with the flag, the last of all; metered modules only. */
	readonly flag?: string;
}

/** What the engine finds in a rewritten module beside the guest's own exports. */
export interface EngineExports {
	/** The table of `HOST_FUNCTIONS`: to be filled before any guest code runs. */
	readonly host?: string;
	/** The guest's start function, to be called when all else is in place. */
	readonly start?: string;
	/**
	 * Mutable globals (`i32`; `i64` for a 64-bit memory) with the logical size in pages of memories, imported ones too, whose size the code
	 * asks for, changes, or has checked. To be set before any guest code runs, and with each growth of the memory, whoever grows it.
	 */
	readonly pages: readonly MemoryPages[];
	/** Whether V8 writes data segments into memories when it instantiates the module: those that could not be taken out of it. */
	readonly writesData: boolean;
	/** Elements that the tables which it defines have from its start: part of what it holds. */
	readonly tableElements: number;
	/** A mutable global (`i64`): bytes of V8's heap that its code was given and has not used. Where it makes objects, there is this. */
	readonly heap?: string;
	/** Bytes of V8's heap that its constants take at its start; 0 where it is left out. */
	readonly heapBytes?: number;
}

export interface MemoryPages {
	/** The index of the memory: its place among the memories that the module imports. */
	readonly memory: number;
	readonly name: string;
}

/** State that was taken out of the code, so that modules which differ in nothing else are one. To be written before `start`. */
export interface InitialState {
	/** Data segments of the guest's own memories, within their minimal size. Later ones win. The bytes are views of the original. */
	readonly data: readonly InitialData[];
	/** Numbers that are not 0; in the module all of these globals begin as 0. */
	readonly globals: readonly { readonly name: string; readonly value: number | bigint }[];
}

export interface InitialData {
	/** The index of the memory. */
	readonly memory: number;
	/** Bytes. */
	readonly offset: number;
	readonly bytes: Uint8Array;
}

/** A core module as V8 gets it, and how the engine is to bring an instance of it to life. */
export interface RewrittenModule {
	/** The very same bytes when there was nothing to change. */
	readonly bytes: Uint8Array;
	/** Or why its state cannot be put back exactly. */
	readonly state: ModuleState | string;
	/** What it imports of the engine; `undefined` for nothing. */
	readonly imports: EngineImports | undefined;
	readonly exports: EngineExports;
	readonly initial: InitialState;
	/** Exported functions that are over so soon that nobody need be able to stop them: see `findBrief`. */
	readonly brief: readonly string[];
	/** Where its code was in the original, for traps; `undefined` where that is not known. */
	readonly sites: Sites | undefined;
}
