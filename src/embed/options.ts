import type { Growth } from "../engine/mod.ts";
import type { Features } from "../link/mod.ts";
import type { Limits, MeteringMode } from "../fault/mod.ts";
import type { Exports } from "./exports.ts";
import type { Grants } from "./grants.ts";
import type { Imports } from "./imports.ts";

/** How guests are run. */
export interface GuestOptions {
	/**
	 * What each sandbox may take; what is left out has its default (`skerry help limits` lists them). `stack` is one for all of the process, and
	 * given to `Engine` before any guest is called.
	 */
	readonly limits?: Limits;
	/** How guests are stopped that hold the thread. */
	readonly metering?: MeteringMode;
	/**
	 * Asked each time that the memories or tables of a sandbox are to grow within its limits: `memory` in bytes, `tables` in elements, all
	 * of the sandbox together. True grants it; with false the guest is told that there is no more, and goes on. Anything else, a promise
	 * too, ends the guest, as does what it throws. What a sandbox begins with is not asked for: the limits bound that.
	 */
	readonly onGrow?: (growth: Growth) => boolean;
	/** What the specification still gates; each is off by default, and a component that needs one is refused by its name. */
	readonly features?: Features;
	/**
	 * Lets guests cancel a read or write synchronously while the end of the stream or future is in a waitable set. The specification traps
	 * there, and so does the default; guests built before that became final (wit-bindgen of 2025) rely on it.
	 */
	readonly lenientCancel?: boolean;
	/**
	 * Lets lists of numbers of 65 bytes to 2 KiB that come out of a sandbox share buffers with others of the same use of it: they take about half
	 * of the time. A list then has a `byteOffset`; its `buffer` holds other lists too, cannot be transferred, is cloned whole with a view of it,
	 * and lives as long as one of them. Off by default: each list has a buffer of its own.
	 */
	readonly sharedBuffers?: boolean;
	/**
	 * Told when a stream that was given to a guest fails: for the guest it ends there, as streams of components know no errors. By default
	 * a warning of the process.
	 */
	readonly onStreamError?: (error: unknown) => void;
}

/** What `skerry bindgen` writes of a component: `engine.load<Shop>(source, { imports })`. */
export interface World {
	readonly imports: object;
	readonly exports: object;
}

/** A component of which no types were made. */
export interface AnyWorld {
	readonly imports: Imports;
	readonly exports: Exports;
}

export interface LoadOptions<I extends object = Imports> extends GuestOptions {
	/** What the host gives beside WASI. An interface of WASI given here takes the place of Skerry's own. */
	readonly imports?: I;
	/** What each sandbox gets of WASI unless `instantiate` says otherwise. By default nothing: no arguments, no environment, no network. */
	readonly wasi?: Grants;
	/** What errors call whose limits these are. */
	readonly app?: string;
	/**
	 * Sandboxes that are kept ready between calls of `exports`, 16 by default; after a burst there are up to 64, or this many, for some seconds. Of
	 * calls at the same time, each beyond that number has an instance made for it, which takes a fraction of a millisecond, or some ten of
	 * them where the guest brings a language engine: give the number of calls that you make at a time. 0 makes a new one for each.
	 */
	readonly warm?: number;
	/**
	 * Sandboxes of its own. By default components of one engine that differ in nothing but their initial state (scripts in the same
	 * JavaScript engine, say) share theirs: one that was put back into the state of one component is put into that of another.
	 */
	readonly dedicated?: boolean;
}

export interface CallOptions {
	/**
	 * Of a component, whose calls have a sandbox each: ends the call, and its sandbox with the streams and futures that it gave, for the signal's
	 * reason. Of a sandbox that is kept: cancels the guest's task, where the export is async. The guest is told, and the call is rejected
	 * with the reason once it has given way; one that returns nevertheless has returned. Nothing else in the sandbox is touched.
	 */
	readonly signal?: AbortSignal;
}

export interface InstantiateOptions {
	readonly wasi?: Grants;
	/** In place of those that the component was loaded with. */
	readonly limits?: Limits;
}

export interface EngineOptions extends GuestOptions {
	/**
	 * The folder in which rewritten modules are kept for the next process, or `false` for none. By default `modules` in
	 * `$SKERRY_CACHE_DIR`, else in `skerry` in `$XDG_CACHE_HOME` or `~/.cache`. Whoever can write to it decides what runs.
	 */
	readonly cache?: string | false;
	/** Told once of what the system refuses, that folder or memory: everything goes on without. By default a warning of the process. */
	readonly onWarning?: (message: string) => void;
}
