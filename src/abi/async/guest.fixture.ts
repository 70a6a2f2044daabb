/** Guests whose code is JavaScript, for tests of tasks: it awaits where core code would be suspended. */
import type { FunctionType, ValueType } from "../../component/mod.ts";
import {
	type CanonicalOptions,
	type ComponentFunction,
	ComponentInstance,
	type CoreFunction,
	type CoreValue,
	type LinearMemory,
	Store,
} from "../store.ts";
import type { AsyncInstance } from "./instance.ts";
import { AsyncLiftedFunction } from "./lift.ts";
import { AsyncLoweredFunction } from "./lower.ts";
import { Scheduler } from "./scheduler.ts";
import { canonTaskReturn } from "./task-builtins.ts";

export const U32: ValueType = { kind: "u32" };
export const U8: ValueType = { kind: "u8" };
export const STRING: ValueType = { kind: "string" };

export function stream(element: ValueType | null): ValueType & { readonly kind: "stream" } {
	return { kind: "stream", element };
}

export function future(element: ValueType | null): ValueType & { readonly kind: "future" } {
	return { kind: "future", element };
}

export function asyncFunc(params: readonly ValueType[] = [], result: ValueType | null = null): FunctionType {
	return { kind: "func", async: true, params: params.map((type, i) => ({ name: `p${i}`, type })), result };
}

export function syncFunc(params: readonly ValueType[] = [], result: ValueType | null = null): FunctionType {
	return { ...asyncFunc(params, result), async: false };
}

/** A turn of the event loop: whatever can run without the host has. */
export function turn(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}

/** One sandbox. */
export class World {
	readonly store: Store = new Store("the context");
	readonly scheduler: Scheduler = new Scheduler(this.store);

	guest(): TestGuest {
		return new TestGuest(this);
	}
}

/** What may need a stack of its own always gives a promise. */
type Lifted = { call(args: readonly unknown[], signal?: AbortSignal): Promise<unknown> } & AsyncLiftedFunction;

/** One component instance of it, with a memory of a page. */
export class TestGuest {
	readonly world: World;
	readonly component: ComponentInstance;
	readonly instance: AsyncInstance;
	readonly memory: LinearMemory = { buffer: new ArrayBuffer(65_536) };
	options: CanonicalOptions;

	constructor(world: World) {
		this.world = world;
		this.component = new ComponentInstance(world.store, null);
		this.instance = world.scheduler.instance(this.component);
		this.options = { encoding: "utf8", memory: this.memory, realloc: () => 1024, postReturn: null };
	}

	get words(): Uint32Array {
		return new Uint32Array(this.memory.buffer);
	}

	get bytes(): Uint8Array {
		return new Uint8Array(this.memory.buffer);
	}

	/** Async and stackful, unless a callback is given, or `async` is false. */
	lift(
		type: FunctionType,
		core: CoreFunction,
		{ callback = null, async = true }: { callback?: CoreFunction | null; async?: boolean } = {},
	): Lifted {
		const options = { ...this.options, async, callback: callback !== null };
		const lift = { type, core, callback, options, instance: this.instance, bare: null, border: null };
		return new AsyncLiftedFunction(lift, this.world.scheduler) as Lifted;
	}

	lower(
		callee: ComponentFunction,
		async: boolean,
	): (...flat: CoreValue[]) => CoreValue | undefined | Promise<CoreValue | undefined> {
		const options = { ...this.options, async };
		const lower = { type: callee.type, callee, options, instance: this.instance };
		const lowered = new AsyncLoweredFunction(lower, this.world.scheduler);
		return (...flat) => lowered.call(flat);
	}

	/** `task.return` of this type, by the same options as all that it lifts. */
	returns(result: ValueType | null): CoreFunction {
		return canonTaskReturn(this.instance, result, this.options);
	}

	/** The host calls a function of this guest that does this and returns nothing. */
	run(body: () => unknown): Promise<unknown> {
		const done = this.returns(null);
		const core = async (): Promise<undefined> => {
			await body();
			await done();
		};
		return this.lift(asyncFunc(), core).call([]);
	}
}
