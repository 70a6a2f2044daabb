import type { ResourceType } from "../component/mod.ts";
import type { CoreState, LoadedModule, Metering, ModuleOrigin, OwnedParts, WasmModule } from "../engine/mod.ts";
import type { CoreHostFunction } from "./core-host.ts";
import type { HostFunction, HostResource } from "./host.ts";
import type { Plan } from "./plan/plan.ts";

/** A plan with its modules compiled and each of its imports bound to a host function: all of it but the state that it begins in. */
export interface LinkedCode {
	readonly plan: Plan;
	readonly modules: readonly WasmModule[];
	/** For each module the state that a reset puts back, or why it cannot be. */
	readonly states: readonly (CoreState | string)[];
	/** How its modules were made to be interrupted. */
	readonly metering: Metering;
	/** One for each of the plan's host functions. */
	readonly functions: readonly HostFunction<any>[];
	/** Of a core module that is no component's: one for each of its imports, in their order. */
	readonly coreFunctions?: readonly CoreHostFunction<any>[];
	/** The host's resources among the imports. */
	readonly resources: ReadonlyMap<ResourceType, HostResource<any>>;
	/** Whether copies may be cancelled synchronously while their ends are in a waitable set, as guests of 2025 do. */
	readonly lenientCancel: boolean;
	/** Whether short lists of numbers that the host gets share buffers. */
	readonly sharedBuffers: boolean;
}

/** A component, or a core module, that is ready to be instantiated. */
export interface Linked extends LinkedCode {
	/** The very same object for all that differ in their initial state only: instances of one can serve another. */
	readonly code: LinkedCode;
	/** For each module what the engine gives to an instance of it. */
	readonly owned: readonly (OwnedParts & Pick<LoadedModule, "brief">)[];
	/** For each module where it comes from, for traps. */
	readonly origins: readonly ModuleOrigin[];
}

/** Whether an instance of this component can serve another with the same code: what start functions make of tables depends on their data. */
export function mayShare({ owned, states }: Linked): boolean {
	const changesTables = states.some((state) => typeof state === "object" && state.tables.length > 0);
	return !changesTables || owned.every(({ exports }) => exports.start === undefined);
}
