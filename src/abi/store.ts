import type { FunctionType, ResourceType } from "../component/mod.ts";

/** A core value: i32, f32 and f64 as numbers, i64 as bigint. */
export type CoreValue = number | bigint;

/** A core function. It returns a promise only when the engine wrapped it so that it can suspend. */
export type CoreFunction = (...args: CoreValue[]) => CoreValue | undefined | Promise<CoreValue | undefined>;

/** Linear memory as the ABI sees it; a `WebAssembly.Memory` is one. The buffer changes when the memory grows: read it anew after each call into the guest. */
export interface LinearMemory {
	readonly buffer: ArrayBufferLike;
}

/** CanonicalABI.md `CanonicalOptions`, resolved. */
export interface CanonicalOptions {
	readonly encoding: "utf8" | "utf16" | "latin1+utf16";
	readonly memory: LinearMemory | null;
	readonly realloc: ((oldPointer: number, oldSize: number, alignment: number, newSize: number) => number) | null;
	readonly postReturn: CoreFunction | null;
}

/**
 * A function of the component level. `args` and the result are JavaScript values as `values.ts` defines them.
 * The result is a promise only when the callee had to wait. Throws a `Trap`, or whatever a host function threw.
 */
export interface ComponentFunction {
	readonly type: FunctionType;
	call(args: readonly unknown[]): unknown;
}

/** What stands behind a resource type in one store. */
export interface ResourceImplementation {
	/** The component instance that defines it; `null` for the host's. */
	readonly instance: ComponentInstance | null;
	/** Called with the representation when an owning handle is dropped. */
	readonly destructor: ((rep: unknown) => unknown) | null;
}

/** All state that belongs to one sandbox: its component instances share it, and it ends with them. */
export class Store {
	/** Handed to host functions as their first argument. */
	context: unknown;
	readonly resources: Map<ResourceType, ResourceImplementation> = new Map();
	/** Handles in the tables of all instances; 0 when nothing is held. */
	handles = 0;
	/** The first trap. Once set, no instance of this store may be entered again. */
	poison: Error | undefined;

	constructor(context: unknown) {
		this.context = context;
	}
}

/** CanonicalABI.md `ComponentInstance`: the run-time state of one component instance. */
export class ComponentInstance {
	readonly store: Store;
	readonly parent: ComponentInstance | null;
	mayLeave = true;
	/** True while a call is inside, suspended or not: a second entry traps. */
	entered = false;

	constructor(store: Store, parent: ComponentInstance | null) {
		this.store = store;
		this.parent = parent;
	}
}
