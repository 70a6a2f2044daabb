import type { InstanceType } from "../component/mod.ts";

/**
 * A function that the host gives to guests. `context` is the store's context; the arguments and the result are values as
 * `abi/values.ts` defines them (a `result` is `{ tag, val }`, never thrown). It returns a promise only when the guest must
 * wait: then the guest is suspended until it settles. What it throws ends the guest.
 */
export interface HostFunction<C> {
	(context: C, ...args: any[]): unknown;
	/**
	 * Of one without parameters whose result is a `u64`: the same as a number that a double holds, for guests that ask all the time. It does
	 * nothing else; negative where the function itself has to be called.
	 */
	readonly reading?: ((context: C) => number) | undefined;
}

export interface HostResource<C> {
	/** Called once, when a guest drops its owning handle or its sandbox ends. */
	readonly drop?: (context: C, rep: any) => void;
}

/** One interface that the host implements. */
export interface HostInterface<C> {
	/** `namespace:package/interface@version`. */
	readonly name: string;
	/** Keys as in the binary: `get-environment`, `[method]pollable.block`, `[static]fields.from-list`, `[constructor]fields`. */
	readonly functions: Readonly<Record<string, HostFunction<C>>>;
	/** The resources that this interface defines (not those it uses from another). */
	readonly resources: Readonly<Record<string, HostResource<C>>>;
	/** The interface's type, against which imports are checked; without one, any type is accepted. */
	readonly type?: InstanceType;
}
