import type { CoreValue } from "../abi/mod.ts";
import type { CoreFunctionType } from "../component/mod.ts";
import type { GuestMemory } from "./guest-memory.ts";

/** The guest that calls a host function: a core module's instance. */
export interface CoreGuest<C> {
	/** The store's context. */
	readonly context: C;
	/** The memory that it exports as `memory`. */
	readonly memory: GuestMemory;
}

/**
 * A function that the host gives to a core module. Numbers are as V8 has them: i64 as bigint, the others as numbers. It returns a
 * promise only when the guest must wait: then the guest is suspended until it settles. What it throws ends the guest.
 */
export interface CoreHostFunction<C> {
	/** Against which the import is checked; without one, any type of numbers is accepted. */
	readonly type?: CoreFunctionType;
	readonly call: (guest: CoreGuest<C>, ...args: CoreValue[]) => CoreValue | undefined | Promise<CoreValue | undefined>;
}

/** What the host gives to core modules: by the import's module, then by its name. The first that has the module counts. */
export interface CoreHostModule<C> {
	readonly module: string;
	readonly functions: Readonly<Record<string, CoreHostFunction<C>>>;
}
