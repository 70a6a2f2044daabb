import type { FunctionType, ResourceType } from "../component/mod.ts";
import { isErrorOf, type Limits, nameApp, SkerryError, Trap } from "../fault/mod.ts";
import { HandleTable, MAX_HANDLES } from "./handles.ts";
import type { SharedBuffer } from "./shared-buffer.ts";
import type { HeldEnd, Pledges, StorePart } from "./store-part.ts";
import { trap, trapAtLimit } from "./traps.ts";
import { GuestResource } from "./values.ts";

/** A core value: i32, f32 and f64 as numbers, i64 as bigint. */
export type CoreValue = number | bigint;

/**
 * A core function. It returns a promise only when the engine wrapped it so that it can suspend. What ends core code leaves it
 * as a `Trap`: the engine sees to that, also for core exceptions.
 */
export type CoreFunction = (...args: CoreValue[]) => CoreValue | undefined | Promise<CoreValue | undefined>;

/** Linear memory as the ABI sees it; a `WebAssembly.Memory` is one. The buffer changes when the memory grows. */
export interface LinearMemory {
	readonly buffer: ArrayBufferLike;
	/** How much of the buffer belongs to the guest, where that is less than all. May grow while the buffer stays. */
	readonly byteLength?: number;
	/** Has `resized` called whenever `byteLength` changes. Who has that without this is asked each time. */
	onResize?(resized: () => void): void;
	/** Functions that need no view of the memory, on ranges that were checked; `null` where there are none for such memories. */
	linkScanner?(): FindNonAscii | null;
	linkPasser?(to: LinearMemory, realloc: Realloc): PassAcross | null;
}

/** Not 0 where one of these bytes is not ASCII. */
export type FindNonAscii = (pointer: number, length: number) => number;
/** A guest's realloc: told a pointer, its size, the alignment and the new size. */
export type Realloc = (oldPointer: number, oldSize: number, alignment: number, newSize: number) => number;
/**
 * Has the realloc of a guest make room for so many bytes of another guest's memory, returns its pointer, and has copied them there if they
 * are within the first `limit` bytes, aligned.
 */
export type PassAcross = (source: number, size: number, alignment: number, limit: number) => number;

/** CanonicalABI.md `CanonicalOptions`, resolved. */
export interface CanonicalOptions {
	readonly encoding: "utf8" | "utf16" | "latin1+utf16";
	readonly memory: LinearMemory | null;
	readonly realloc: Realloc | null;
	readonly postReturn: CoreFunction | null;
}

/**
 * A function of the component level. `args` and the result are JavaScript values as `values.ts` defines them.
 * The result is a promise only when the callee had to wait. Throws a `Trap`, or whatever a host function threw.
 */
export interface ComponentFunction {
	readonly type: FunctionType;
	/** @param signal asks the call to end early, where the function is one that can be asked: then it is rejected with the signal's reason */
	call(args: readonly unknown[], signal?: AbortSignal): unknown;
	/** The same as a function of its own, for who calls often: it needs no array. */
	readonly invoke?: (...args: unknown[]) => unknown;
	/** Where tasks are: see `AtOnceCalls.brief`. */
	readonly brief?: ((...args: unknown[]) => unknown) | undefined;
	/** Whether a call by the host is over when it returns: the guest does not come to the host in it. */
	readonly immediate?: boolean;
	/** Tells it under which name the host calls it, for errors; the first counts. */
	known?(name: string): void;
}

/** What stands behind a resource type in one store. Two types with the same implementation are the same resource. */
export interface ResourceImplementation {
	/** The component instance that defines it; `null` for the host's. */
	readonly instance: ComponentInstance | null;
	/** Called with the representation when an owning handle is dropped. */
	readonly destructor: ((rep: unknown) => unknown) | null;
	/** Where a destructor is a task of its own: how others than `instance` call it. */
	readonly task?: (caller: ComponentInstance | null, rep: unknown) => unknown;
}

/** What a store may hold: see `LIMITS`. Handles are counted for each table. */
type StoreLimits = Pick<Limits, "handles" | "streams" | "values">;

/** All state that belongs to one sandbox: its component instances share it, and it ends with them. */
export class Store {
	/** Handed to host functions as their first argument. */
	context: unknown;
	/** Whose it is, for errors. */
	app: string | undefined;
	readonly resources: Map<ResourceType, ResourceImplementation> = new Map();
	/** Handles in the tables of all instances; 0 when nothing is held. */
	handles = 0;
	/** The first trap. Once set, no instance of this store may be entered again. */
	poison: Error | undefined;
	/** Whether no instance of this store may be entered: it was poisoned, or disposed. */
	shut = false;
	/** How many handles each table may have. */
	maxHandles: number;
	/** Bytes that the lists of one call may become in the host. */
	maxValues: number;
	/** How many streams and futures guests may have. */
	#maxStreams: number;
	/** Those of this use of the store. */
	#streams = { count: 0 };
	/** Where short lists of numbers that the host gets are put; `null`: each has a buffer of its own. */
	shared: SharedBuffer | null = null;
	/** What ends and begins anew with the store. */
	readonly parts: StorePart[] = [];
	/** Where its components are asynchronous: the scheduler of their threads. */
	pledges: Pledges | null = null;
	/** Ends of guests' streams and futures in the host's hands. */
	readonly held: Set<HeldEnd> = new Set();
	/** Told of what a stream of the host's fails with, which ends for the guest then. `null`: it ends the sandbox. */
	report: ((error: unknown) => void) | null = null;
	/** Told of what a destructor of the host's comes to that ends after the sandbox has: nobody waits for it. */
	warn: (error: unknown) => void = () => {};
	/** What a call of the host's is told when the sandbox has ended for good; by default, what guests are told. */
	gone: (() => unknown) | null = null;
	/** Told when the sandbox has failed or ends: who may enter it unasked is to ask again. */
	onEnd: (() => void) | null = null;
	readonly #instances: ComponentInstance[] = [];
	#disposed = false;
	#epoch: object = {};

	constructor(context: unknown, { handles = MAX_HANDLES, streams = Infinity, values = Infinity }: StoreLimits = {}) {
		this.context = context;
		this.#maxStreams = streams;
		this.maxHandles = handles;
		this.maxValues = values;
	}

	/** Whether a call that is under way keeps others out, for as long as it takes. */
	get occupied(): boolean {
		return !this.shut && this.#instances.some(({ entered }) => entered);
	}

	/** A token of this use of the store: what was made in an earlier one has another. */
	get epoch(): object {
		return this.#epoch;
	}

	/**
	 * Whether the use of the store with this token has ended. What goes on after it waited for the host asks before it touches anything;
	 * what is only some microtasks late need not, as the instances are put back when none is to come any more (`Scheduler.idle`, `Gate.quiet`).
	 */
	isOver(epoch: object): boolean {
		return this.#disposed || this.#epoch !== epoch;
	}

	/**
	 * Makes a disposed store as good as new, for the next use of its instances. What is left of the last use (a host function that
	 * has not settled, a `GuestResource` that somebody kept) cannot reach into this one.
	 */
	reset(context: unknown): void {
		// What was unwinding when it was disposed may have left something.
		if (!this.#disposed || this.handles > 0 || this.held.size > 0) this.dispose();
		this.#disposed = false;
		this.#epoch = {};
		this.poison = undefined;
		this.shut = false;
		this.report = null;
		this.context = context;
		this.#streams = { count: 0 };
		for (const instance of this.#instances) {
			instance.mayLeave = true;
			instance.entered = false;
		}
		this.shared?.drop();
		for (const part of this.parts) part.reset();
	}

	/** The store is another app's: its tables are empty. */
	adopt(
		{ handles: maximum = MAX_HANDLES, streams = Infinity, values = Infinity }: StoreLimits,
		app: string | undefined,
	): void {
		this.app = app;
		this.maxHandles = maximum;
		this.#maxStreams = streams;
		this.maxValues = values;
		for (const { handles } of this.#instances) handles.maximum = maximum;
	}

	/** A guest makes a stream or a future. @returns to be called when it is none any more */
	addStream(): () => void {
		const streams = this.#streams;
		const maximum = this.#maxStreams;
		if (streams.count >= maximum) trapAtLimit("too many streams and futures", "streams", maximum, this.app);
		streams.count++;
		return () => void streams.count--;
	}

	/** True once `dispose` was called: nothing of this store may run any more. */
	get disposed(): boolean {
		return this.#disposed;
	}

	implementation(type: ResourceType): ResourceImplementation {
		const implementation = this.resources.get(type);
		if (implementation === undefined) {
			throw new SkerryError(
				"cli/internal",
				`Cannot use resource ${type.name || "(unnamed)"}: not defined in this store`,
			);
		}
		return implementation;
	}

	sameResource(a: ResourceType, b: ResourceType): boolean {
		return a === b || this.implementation(a) === this.implementation(b);
	}

	/** For `ComponentInstance` only. */
	register(instance: ComponentInstance): void {
		this.#instances.push(instance);
	}

	/** Guest code ended with `error`: records the first, and returns it to be thrown on. */
	fail(error: unknown): unknown {
		this.onEnd?.();
		this.shut = true;
		this.poison ??= isErrorOf(error, Error) ? error : new Trap("a host function failed", { cause: error });
		return nameApp(error, this.app);
	}

	/**
	 * Drops a guest's resource that the host owns: runs its destructor. A promise when the destructor waits. Traps, and leaves
	 * the resource as it was, while a call is inside of the instance that defines it.
	 */
	drop(resource: GuestResource): unknown {
		const type = GuestResource.typeOf(resource);
		const rep = GuestResource.repOf(resource);
		const borrowed = GuestResource.isBorrowed(resource);
		const spent = GuestResource.isSpent(resource);
		if (borrowed || spent || GuestResource.ownerOf(resource) !== this.#epoch) {
			const state = borrowed ? "it is borrowed" : spent ? "it was given away or dropped" : "it is of another store";
			throw new SkerryError("call/bad-value", `Cannot drop resource ${type.name}: ${state}`);
		}
		const { instance, destructor, task } = this.implementation(type);
		if (task !== undefined) {
			GuestResource.spend(resource);
			return task(null, rep);
		}
		const entered = instance?.enteredFrom(null) ?? [];
		enterInstances(entered);
		GuestResource.spend(resource);
		let result: unknown;
		try {
			result = destructor?.(rep);
		} catch (error) {
			throw this.fail(error);
		}
		if (!(result instanceof Promise)) return leaveInstances(entered);
		return result.then(
			() => leaveInstances(entered),
			(error: unknown) => {
				throw this.fail(error);
			},
		);
	}

	/**
	 * Ends the sandbox: empties all tables and runs the destructors of the hosts' resources that were still owned.
	 * Never calls guest code. May be called again; does nothing then.
	 */
	dispose(reason: unknown = new Trap("cannot enter component instance")): void {
		this.#disposed = true;
		this.shut = true;
		this.onEnd?.();
		const errors: unknown[] = [];
		for (const part of this.parts) part.end(reason);
		for (const instance of this.#instances) {
			for (const handle of instance.handles.drain()) {
				const { instance: owner, destructor } = this.implementation(handle.type);
				if (!handle.owned || owner !== null) continue;
				try {
					const result = destructor?.(handle.rep);
					if (result instanceof Promise) result.catch(this.warn);
				} catch (error) {
					errors.push(error);
				}
			}
		}
		// Everything is dropped before the first failure is told.
		if (errors.length > 0) throw errors[0];
	}
}

/** CanonicalABI.md `ComponentInstance`: the run-time state of one component instance. */
export class ComponentInstance {
	readonly store: Store;
	readonly parent: ComponentInstance | null;
	readonly handles: HandleTable;
	mayLeave = true;
	/** True while a call is inside, suspended or not: a second entry traps. */
	entered = false;

	constructor(store: Store, parent: ComponentInstance | null) {
		this.store = store;
		this.parent = parent;
		this.handles = new HandleTable(store, store.maxHandles);
		store.register(this);
	}

	/**
	 * The instances that a call from `caller` (`null`: the host) enters: this one and its ancestors, without those that the
	 * caller is already inside of. `null` where no such call is allowed: within one instance, and between an
	 * instance and one that it is nested in (CanonicalABI.md `call_might_be_recursive`).
	 */
	enteredFrom(caller: ComponentInstance | null): readonly ComponentInstance[] | null {
		const own = lineage(this);
		if (caller === null) return own;
		const callers = lineage(caller);
		if (own.includes(caller) || callers.includes(this)) return null;
		return own.filter((instance) => !callers.includes(instance));
	}
}

/** CanonicalABI.md `reflexive_ancestors` */
function lineage(instance: ComponentInstance): ComponentInstance[] {
	const instances: ComponentInstance[] = [];
	for (let next: ComponentInstance | null = instance; next !== null; next = next.parent) instances.push(next);
	return instances;
}

const ENDED =
	"an earlier call trapped or reached a limit, as `cause` says, and with it the sandbox ended: make another one";
const INSIDE =
	"a call into it has not ended, or waits for the host function that makes this one: call it when that has returned, or make another sandbox";

/** Why no instance of the store may be entered, or one is entered already. */
export function refusal({ app, disposed, poison }: Store): Trap {
	const why = poison === undefined ? (disposed ? {} : { hint: INSIDE }) : { cause: poison, hint: ENDED };
	return nameApp(new Trap("cannot enter component instance", why), app);
}

/** Enters what `enteredFrom` returned, or traps. */
export function enterInstances(instances: readonly ComponentInstance[] | null): void {
	if (instances === null) trap("cannot enter component instance");
	for (let i = 0; i < instances.length; i++) {
		const { entered, store } = instances[i]!;
		if (store.disposed && store.gone !== null) throw store.gone();
		if (store.poison !== undefined || store.disposed || entered) throw refusal(store);
	}
	for (let i = 0; i < instances.length; i++) instances[i]!.entered = true;
}

export function leaveInstances(instances: readonly ComponentInstance[] | null): undefined {
	if (instances !== null) for (let i = 0; i < instances.length; i++) instances[i]!.entered = false;
}

/**
 * CanonicalABI.md `canon_resource_drop`: from the guest `caller`. A destructor of another instance is a full call into it,
 * even where there is none to run.
 */
export function callDestructor(
	{ instance, destructor, task }: ResourceImplementation,
	rep: unknown,
	caller: ComponentInstance,
): unknown {
	if (instance === null || instance === caller) return destructor?.(rep);
	if (task !== undefined) return task(caller, rep);
	const entered = instance.enteredFrom(caller);
	enterInstances(entered);
	const result = destructor?.(rep);
	if (result instanceof Promise) return result.then(() => leaveInstances(entered));
	return leaveInstances(entered);
}
