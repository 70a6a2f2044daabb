import {
	canonLift,
	type CanonicalOptions,
	type ComponentFunction,
	type ComponentInstance,
	type CoreFunction,
} from "../../abi/mod.ts";
import { flattenFunctionType, type FunctionType } from "../../component/mod.ts";
import type { Gate, WasmExtern } from "../../engine/mod.ts";

interface SyncLift {
	/** The guest's function and its realloc as they are. */
	readonly found: WasmExtern;
	readonly realloc: WasmExtern;
	readonly gate: Gate;
	/** Whether a call by the host can be suspended. */
	readonly blocking: boolean;
	/** Whether it is among its module's `brief` functions. */
	readonly isBrief: boolean;
	readonly instance: ComponentInstance;
	readonly options: CanonicalOptions;
	/** The function as other guests call it. */
	readonly nested: CoreFunction;
	/** Whether a call of it by another guest can be suspended, wherever that is. */
	readonly suspends: boolean;
}

/** A function that is no task: the host holds the thread for a call of it, and then calls what needs no wrapping as it is. */
export function liftSync(type: FunctionType, lift: SyncLift): ComponentFunction {
	const { found, gate, blocking, isBrief, instance, options, nested, suspends } = lift;
	const core = gate.wrapExport(found, blocking, flattenFunctionType(type, "lift"), true);
	const realloc = lift.realloc as CanonicalOptions["realloc"];
	const direct = found as CoreFunction;
	const bare = { turn: gate, core: blocking ? core : direct, realloc, brief: blocking ? null : gate.brief, isBrief };
	const nestedBare = suspends ? null : { turn: gate, core: direct, realloc };
	return canonLift(type, core, options, instance, nested, bare, nestedBare);
}
