/**
 * A component flattened into steps: nested components inlined, every index resolved, every type concrete.
 * A plan is immutable and belongs to the component; each sandbox runs its steps once.
 */
import type {
	BuiltinCanon,
	CoreFunctionType,
	ExternType,
	FunctionType,
	ResourceType,
	ValueType,
} from "../../component/mod.ts";
import type { WasmModule } from "../../engine/mod.ts";

/** Something that a core instance exports, or a function that the plan makes. */
export type CoreItem =
	/** `slot` indexes the core instances of the sandbox. */
	| { readonly kind: "export"; readonly slot: number; readonly name: string }
	/** `index` counts the plan's trampolines. */
	| { readonly kind: "trampoline"; readonly index: number };

export type CoreInstanceRef =
	| { readonly kind: "slot"; readonly slot: number }
	| { readonly kind: "exports"; readonly exports: ReadonlyMap<string, CoreItem> };

export interface PlanOptions {
	readonly encoding: "utf8" | "utf16" | "latin1+utf16";
	readonly memory: CoreItem | null;
	readonly realloc: CoreItem | null;
	readonly postReturn: CoreItem | null;
	readonly async: boolean;
	readonly callback: CoreItem | null;
}

/** A canonical built-in of asynchronous components. Fields are present where the operation has such an immediate. */
export interface Builtin {
	readonly kind: "builtin";
	readonly op: BuiltinCanon["op"];
	readonly instance: number;
	/** Of streams and futures. */
	readonly type?: ValueType;
	/** Of `task.return`. */
	readonly result?: ValueType | null;
	readonly options?: PlanOptions;
	readonly slot?: number;
	readonly async: boolean;
	readonly cancellable: boolean;
	readonly table?: CoreItem;
}

export type FunctionRef =
	/** `index` counts the plan's lifted functions. */
	| { readonly kind: "lift"; readonly index: number; readonly type: FunctionType }
	/** `index` counts the plan's host functions. */
	| { readonly kind: "host"; readonly index: number; readonly type: FunctionType };

export interface LiftedFunction {
	readonly core: CoreItem;
	readonly options: PlanOptions;
	readonly type: FunctionType;
	readonly coreType: CoreFunctionType;
	/** The component instance that it belongs to. */
	readonly instance: number;
}

export type Trampoline =
	| { readonly kind: "lower"; readonly callee: FunctionRef; readonly options: PlanOptions; readonly instance: number }
	| {
			readonly kind: "resource.new" | "resource.rep" | "resource.drop";
			readonly resource: ResourceType;
			readonly instance: number;
	  }
	| Builtin
	/** `index` counts the core host functions of what is linked. */
	| { readonly kind: "core"; readonly index: number; readonly instance: number };

export type Step =
	/** Core instances, in their order. `module` indexes the plan's modules. */
	| {
			readonly kind: "instantiate";
			readonly slot: number;
			readonly module: number;
			readonly args: readonly { readonly name: string; readonly instance: CoreInstanceRef }[];
	  }
	/** Makes the trampolines from `first` on, together in one module of ours. */
	| {
			readonly kind: "trampolines";
			readonly first: number;
			readonly trampolines: readonly Trampoline[];
			readonly types: readonly CoreFunctionType[];
			/** The indices of those of `task.return` that can do without the host. */
			readonly returning?: readonly number[];
			readonly module: WasmModule;
	  }
	| {
			readonly kind: "resource";
			readonly resource: ResourceType;
			readonly instance: number;
			readonly destructor: CoreItem | null;
	  };

/** A function that the host is to provide, and where it was asked for: `[interface, function]` or `[function]`. */
export interface HostFunctionSlot {
	readonly path: readonly string[];
	readonly type: FunctionType;
}

export type PlanExport =
	| { readonly kind: "func"; readonly ref: FunctionRef }
	| { readonly kind: "instance"; readonly exports: ReadonlyMap<string, PlanExport> }
	| { readonly kind: "resource"; readonly resource: ResourceType }
	/** A function of a core module that is run as it is. */
	| { readonly kind: "core"; readonly slot: number; readonly name: string; readonly type: CoreFunctionType }
	/** Types, modules and components: nothing to call. */
	| { readonly kind: "other"; readonly sort: string };

/** A plan, and core modules in the order of first use: bytes and their offset in the outermost binary. */
export interface Planned {
	readonly plan: Plan;
	readonly modules: readonly { readonly bytes: Uint8Array; readonly offset: number }[];
}

export interface Plan {
	/** Parent of each component instance; the first is the root and has none. */
	readonly instances: readonly (number | null)[];
	/** Something in it is asynchronous: then every call between components is a task. */
	readonly async: boolean;
	/** For each component instance, whether a call into it may have to wait for the host. */
	readonly waits: readonly boolean[];
	/** For each lifted function, whether a call of it may have to wait in the midst of its code, as it comes to the host or another that may. */
	readonly stackful: readonly boolean[];
	/** The resources whose destructor may: what comes to the others is never on a stack that could wait for one. */
	readonly stackfulResources: ReadonlySet<ResourceType>;
	/** For each lifted function, whether other guests can call it with nothing of the host's in between: see `findLeaves`. */
	readonly leaves: readonly boolean[];
	readonly coreInstances: number;
	readonly lifted: readonly LiftedFunction[];
	readonly host: readonly HostFunctionSlot[];
	readonly steps: readonly Step[];
	readonly exports: ReadonlyMap<string, PlanExport>;
	readonly imports: ReadonlyMap<string, ExternType>;
}
