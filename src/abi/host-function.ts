import type { FunctionType } from "../component/mod.ts";
import type { ComponentFunction, Store } from "./store.ts";

/** A function of the host as guests call it. */
export class HostComponentFunction implements ComponentFunction {
	readonly type: FunctionType;
	readonly fn: (...args: any[]) => unknown;
	/** Whose context `fn` gets as its first argument; `null`: it gets none. */
	readonly store: Store | null;
	/** For messages: `wasi:http/types.[method]fields.get`, or nothing. */
	readonly path: string;

	constructor(type: FunctionType, fn: (...args: any[]) => unknown, store: Store | null, path: string) {
		this.type = type;
		this.fn = fn;
		this.store = store;
		this.path = path;
	}

	call(args: readonly unknown[]): unknown {
		const { fn, store } = this;
		return store === null ? fn(...args) : fn(store.context, ...args);
	}
}

/**
 * A function of the host: `fn` gets the arguments as values, and may return a promise. With a store, its context comes before them.
 * @param path how errors name the function, such as `wasi:http/types.[method]fields.get`
 */
export function hostFunction(
	type: FunctionType,
	fn: (...args: any[]) => unknown,
	store: Store | null = null,
	path = "",
): ComponentFunction {
	return new HostComponentFunction(type, fn, store, path);
}
