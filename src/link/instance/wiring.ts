import {
	canonLower,
	type CanonicalOptions,
	canonResourceDrop,
	canonResourceNew,
	canonResourceRep,
	type ComponentFunction,
	ComponentInstance,
	type CoreFunction,
	type CoreValue,
	hostFunction,
	isAsync,
	PassedSides,
	passingOf,
	type Store,
	type TaskOptions,
} from "../../abi/mod.ts";
import { type CoreFunctionType, flattenFunctionType, type ResourceType } from "../../component/mod.ts";
import type {
	CoreMemories,
	Gate,
	ModuleOrigin,
	Reading,
	WasmExtern,
	WasmInstance,
	WasmMemory,
} from "../../engine/mod.ts";
import type { CoreGuest } from "../core-host.ts";
import { GuestMemory } from "../guest-memory.ts";
import { liftSync } from "./lift-sync.ts";
import type { Linked } from "../linked.ts";
import type {
	CoreInstanceRef,
	CoreItem,
	FunctionRef,
	PlanExport,
	PlanOptions,
	Step,
	Trampoline,
} from "../plan/plan.ts";
import type { Tasks } from "./tasks.ts";

// Core types of what the canonical ABI calls of a guest beside its functions.
const REALLOC: CoreFunctionType = { params: ["i32", "i32", "i32", "i32"], results: ["i32"] };
const DESTRUCTOR: CoreFunctionType = { params: ["i32"], results: [] };
/** Its parameter is of any type. */
const POST_RETURN: CoreFunctionType = { params: ["i32"], results: [] };

/** An exported function of a core module, called with numbers. More than one result is an array. */
export interface CoreExport {
	readonly core: CoreFunctionType;
	call(args: readonly unknown[], signal?: AbortSignal): unknown;
}

export type InstanceExport =
	| ComponentFunction
	| CoreExport
	| { readonly exports: ReadonlyMap<string, InstanceExport> }
	| { readonly resource: ResourceType };

/** What the parts of one instance stand on. */
export interface Ground {
	readonly store: Store;
	readonly gate: Gate;
	readonly memories: CoreMemories;
	/** Where something is asynchronous: how its functions are called. */
	readonly tasks: Tasks | null;
	/** Whether the host's calls into the guest can be suspended. */
	readonly blocking: boolean;
	/** Whether a guest can be suspended wherever it is, so that others get the thread. */
	readonly pausing: boolean;
}

/** Where the code of a core instance comes from; another's, once the instance serves another app. */
interface PlacedOrigin {
	/** In the plan. */
	readonly module: number;
	readonly origin: { -readonly [K in keyof ModuleOrigin]: ModuleOrigin[K] };
}

/** The parts of one instance, bound to each other as its plan says: component instances, core instances, trampolines and functions. */
export class Wiring {
	/** Complete after `run`, as all that follows. */
	readonly cores: WasmInstance[] = [];
	/** By core instance; those who look at frames hold these very objects. */
	readonly origins: PlacedOrigin[] = [];
	/** By core instance: which of the plan's modules it is of. */
	readonly #moduleOf: number[] = [];
	readonly #linked: Linked;
	readonly #store: Store;
	readonly #gate: Gate;
	readonly #memories: CoreMemories;
	readonly #tasks: Tasks | null;
	readonly #blocking: boolean;
	readonly #pausing: boolean;
	readonly #components: ComponentInstance[] = [];
	readonly #trampolines: WasmExtern[] = [];
	readonly #lifted: (ComponentFunction | undefined)[] = [];
	readonly #host: ComponentFunction[];
	/** What the host's functions see of a core module's instance. */
	readonly #guest: CoreGuest<unknown>;

	constructor(linked: Linked, { store, gate, memories, tasks, blocking, pausing }: Ground) {
		const { plan } = linked;
		this.#linked = linked;
		this.#store = store;
		this.#gate = gate;
		this.#memories = memories;
		this.#tasks = tasks;
		this.#blocking = blocking;
		this.#pausing = pausing;
		this.#guest = this.#createGuest(store);
		for (const parent of plan.instances) {
			this.#components.push(new ComponentInstance(store, parent === null ? null : this.#component(parent)));
		}
		for (const [resource, host] of linked.resources) {
			const { drop } = host;
			const destructor = drop === undefined ? null : (rep: unknown) => drop(store.context, rep);
			store.resources.set(resource, { instance: null, destructor });
		}
		this.#host = plan.host.map((slot, i) => {
			const fn = linked.functions[i];
			if (fn === undefined) throw new Error(`unbound import ${slot.path.join("#")}`);
			// `wasi:http/types.[method]fields.get`, as errors name it
			const path = slot.path.map((name) => name.replace(/@.*$/, "")).join(".");
			return hostFunction(slot.type, fn, store, path);
		});
	}

	/**
	 * Makes everything, start functions included.
	 * @throws Trap when a start function traps; SkerryError `link/instantiation`
	 */
	run(): void {
		for (const step of this.#linked.plan.steps) this.#run(step);
	}

	#component(index: number): ComponentInstance {
		const found = this.#components[index];
		if (found === undefined) throw new Error(`plan has no component instance ${index}`);
		return found;
	}

	#run(step: Step): void {
		switch (step.kind) {
			case "instantiate": {
				const module = this.#linked.modules[step.module];
				if (module === undefined) throw new Error(`plan has no module ${step.module}`);
				const imports: Record<string, Record<string, WasmExtern>> = {};
				for (const { name, instance } of step.args) imports[name] = this.#coreExports(instance);
				const owned = this.#linked.owned[step.module];
				if (owned === undefined) throw new Error(`plan has no module ${step.module}`);
				this.#moduleOf[step.slot] = step.module;
				const complete = this.#memories.prepare(module, owned, imports);
				const found = this.#linked.origins[step.module];
				const origin = found && { ...found };
				if (origin !== undefined) this.origins.push({ module: step.module, origin });
				this.cores[step.slot] = this.#gate.instantiate(module, imports, origin, complete);
				break;
			}
			case "trampolines": {
				const returning = new Map(step.returning?.map((i) => [i, this.#gate.numberReturn()]));
				const functions = step.trampolines.map((t, i) => this.#trampoline(t, returning.get(i)));
				const readings = step.trampolines.map((t, i) => this.#reading(t, step.types[i] as CoreFunctionType));
				const wrapped = this.#gate.wrapImports(step.module, step.types, functions, readings, returning);
				for (const [i, fn] of wrapped.entries()) {
					const trampoline = step.trampolines[i] as Trampoline;
					this.#trampolines[step.first + i] = this.#passing(trampoline, fn) ?? fn;
				}
				break;
			}
			case "resource": {
				const { resource, destructor } = step;
				const stackful = this.#pausing || this.#linked.plan.stackfulResources.has(resource);
				if (this.#tasks !== null && destructor !== null) {
					const instance = this.#component(step.instance);
					this.#store.resources.set(resource, this.#tasks.destructor(this.#resolve(destructor), instance, stackful));
					break;
				}
				const core = destructor === null ? null : this.#wrap(destructor, step.instance, DESTRUCTOR, stackful);
				this.#store.resources.set(resource, {
					instance: this.#component(step.instance),
					destructor: core === null ? null : (rep) => core(rep as number),
				});
				break;
			}
		}
	}

	#coreExports(ref: CoreInstanceRef): Record<string, WasmExtern> {
		if (ref.kind === "slot") return this.#core(ref.slot).exports;
		const exports: Record<string, WasmExtern> = {};
		for (const [name, item] of ref.exports) exports[name] = this.#resolve(item);
		return exports;
	}

	#core(slot: number): WasmInstance {
		const found = this.cores[slot];
		if (found === undefined) throw new Error(`plan uses core instance ${slot} before it is made`);
		return found;
	}

	#resolve(item: CoreItem): WasmExtern {
		return item.kind === "trampoline" ? this.#trampolines[item.index] : this.#core(item.slot).exports[item.name];
	}

	/** A function of the component instance as other guests call it. */
	#wrap(item: CoreItem, instance: number, type: CoreFunctionType, stackful: boolean): CoreFunction {
		return this.#gate.wrapExport(this.#resolve(item), stackful && (this.#linked.plan.waits[instance] ?? true), type);
	}

	#options(options: PlanOptions): CanonicalOptions {
		const call = (item: CoreItem | null, type: CoreFunctionType): CoreFunction | null =>
			item === null ? null : this.#gate.wrapExport(this.#resolve(item), false, type);
		return {
			encoding: options.encoding,
			memory: options.memory === null ? null : this.#memories.of(this.#resolve(options.memory) as WasmMemory),
			realloc: call(options.realloc, REALLOC) as CanonicalOptions["realloc"],
			postReturn: call(options.postReturn, POST_RETURN),
		};
	}

	#taskOptions(plan: PlanOptions): TaskOptions {
		return { ...this.#options(plan), async: plan.async, callback: plan.callback !== null };
	}

	#trampoline(trampoline: Trampoline, number?: number): CoreFunction {
		const instance = this.#component(trampoline.instance);
		switch (trampoline.kind) {
			case "lower": {
				const callee = this.#function(trampoline.callee);
				const options = this.#options(trampoline.options);
				const async = this.#tasks !== null && (trampoline.callee.kind === "lift" || isAsync(callee.type));
				if (!async) return canonLower(callee.type, callee, options, instance);
				return this.#tasks.lower(callee, { ...options, async: trampoline.options.async }, instance);
			}
			case "builtin": {
				if (this.#tasks === null) throw new Error("a built-in of tasks in a plan without any");
				const options = trampoline.options === undefined ? undefined : this.#options(trampoline.options);
				const table = trampoline.table === undefined ? undefined : this.#resolve(trampoline.table);
				return this.#tasks.builtin(trampoline, instance, options, table, number);
			}
			case "resource.new":
				return canonResourceNew(instance, trampoline.resource) as CoreFunction;
			case "resource.rep":
				return canonResourceRep(instance, trampoline.resource) as CoreFunction;
			case "resource.drop":
				return canonResourceDrop(instance, trampoline.resource) as CoreFunction;
			case "core": {
				const found = this.#linked.coreFunctions?.[trampoline.index];
				if (found === undefined) throw new Error(`plan has no core host function ${trampoline.index}`);
				return (...args) => found.call(this.#guest, ...args);
			}
		}
	}

	/** A call of another guest without JavaScript, where that is all that there is to it. */
	#passing(trampoline: Trampoline, slow: WasmExtern): WasmExtern {
		if (trampoline.kind !== "lower" || trampoline.callee.kind !== "lift" || this.#pausing) return undefined;
		const { callee, options } = trampoline;
		const plan = this.#linked.plan.lifted[callee.index];
		if (plan === undefined || this.#linked.plan.leaves[callee.index] !== true) return undefined;
		const passing = passingOf(callee.type);
		if (passing === null) return undefined;
		const caller = this.#component(trampoline.instance);
		const entered = this.#component(plan.instance).enteredFrom(caller);
		if (entered === null) return undefined;
		const copies = passing.params.some((param) => typeof param !== "string");
		const encodes = passing.params.some((param) => typeof param !== "string" && param.kind === "text");
		if (encodes && (options.encoding !== "utf8" || plan.options.encoding !== "utf8")) return undefined;
		const find = (item: CoreItem | null): WasmExtern => (item === null ? null : this.#resolve(item));
		const [from, to] = [options, plan.options].map(({ memory }) => (copies ? find(memory) : null));
		const [realloc, core, postReturn] = [plan.options.realloc, plan.core, plan.options.postReturn].map(find);
		if (copies && (from === null || to === null || realloc === null)) return undefined;
		const parts = {
			passing,
			from: from === null ? null : this.#memories.of(from as WasmMemory),
			to: to === null ? null : this.#memories.of(to as WasmMemory),
			realloc: realloc as CanonicalOptions["realloc"],
			core: core as CoreFunction,
			postReturn: postReturn as CoreFunction | null,
		};
		return this.#gate.pass(parts, slow, new PassedSides(caller, entered));
	}

	#reading(trampoline: Trampoline, { params, results }: CoreFunctionType): Reading | undefined {
		if (trampoline.kind !== "lower" || trampoline.callee.kind !== "host" || trampoline.options.async) return undefined;
		const read = this.#linked.functions[trampoline.callee.index]?.reading;
		if (read === undefined || params.length > 0 || results.length !== 1 || results[0] !== "i64") return undefined;
		const store = this.#store;
		const instance = this.#component(trampoline.instance);
		return () => (instance.mayLeave ? read(store.context) : -1);
	}

	#createGuest(store: Store): CoreGuest<unknown> {
		let epoch = store.epoch;
		let memory = this.memory("memory");
		const newMemory = (): GuestMemory => {
			epoch = store.epoch;
			return (memory = this.memory("memory"));
		};
		return {
			get memory() {
				return epoch === store.epoch ? memory : newMemory();
			},
			get context() {
				return store.context;
			},
		};
	}

	/** The memory that a core module exports under this name, for this use of the store. */
	memory(name: string): GuestMemory {
		const store = this.#store;
		const { epoch } = store;
		const isMemory = this.#linked.plan.exports.get(name);
		const found = isMemory?.kind === "other" && isMemory.sort === "memory";
		return new GuestMemory(
			() => {
				const memory = found ? (this.cores[0]?.exports[name] as WasmMemory | undefined) : undefined;
				return memory === undefined ? undefined : this.#memories.of(memory);
			},
			() => store.isOver(epoch),
		);
	}

	#function(ref: FunctionRef): ComponentFunction {
		if (ref.kind === "host") {
			const found = this.#host[ref.index];
			if (found === undefined) throw new Error(`plan has no host function ${ref.index}`);
			return found;
		}
		let lifted = this.#lifted[ref.index];
		if (lifted === undefined) {
			const plan = this.#linked.plan.lifted[ref.index];
			if (plan === undefined) throw new Error(`plan has no lifted function ${ref.index}`);
			if (this.#tasks !== null) {
				const options = this.#taskOptions(plan.options);
				const items = [plan.core, plan.options.callback, plan.options.realloc];
				const [core, callback, realloc] = items.map((item) => item && this.#resolve(item));
				const stackful = this.#pausing || this.#linked.plan.stackful[ref.index] !== false;
				const parts = { core, coreType: plan.coreType, callback, realloc, stackful };
				lifted = this.#tasks.lift(plan.type, parts, options, this.#component(plan.instance));
				this.#lifted[ref.index] = lifted;
				return lifted;
			}
			const { core, options, type, instance } = plan;
			const [found, realloc] = [core, options.realloc].map((item) => (item === null ? null : this.#resolve(item)));
			const { waits, stackful } = this.#linked.plan;
			const waiting = (waits[instance] ?? true) && stackful[ref.index] !== false;
			const nested = this.#gate.wrapExport(found, waiting, flattenFunctionType(type, "lift"));
			const suspends = this.#pausing || waiting;
			const made = { instance: this.#component(instance), options: this.#options(options), nested, suspends };
			const blocking = this.#pausing || (this.#blocking && waiting);
			const isBrief = !blocking && this.#isBrief(core);
			lifted = liftSync(type, { found, realloc, gate: this.#gate, blocking, isBrief, ...made });
			this.#lifted[ref.index] = lifted;
		}
		return lifted;
	}

	/** Whether it is among those of its own module that are over soon. */
	#isBrief(item: CoreItem): boolean {
		if (item.kind !== "export") return false;
		const module = this.#moduleOf[item.slot];
		return module !== undefined && this.#linked.owned[module]?.brief.includes(item.name) === true;
	}

	/** What the instance gives to those outside. */
	export(exports: ReadonlyMap<string, PlanExport>, path = ""): Map<string, InstanceExport> {
		const made = new Map<string, InstanceExport>();
		for (const [name, item] of exports) {
			if (item.kind === "func") {
				const fn = this.#function(item.ref);
				fn.known?.(path + name);
				made.set(name, fn);
			} else if (item.kind === "core") {
				const fn = this.#gate.wrapExport(this.#core(item.slot).exports[name], this.#blocking, item.type);
				made.set(name, { core: item.type, call: (args) => fn(...(args as CoreValue[])) });
			} else if (item.kind === "instance") made.set(name, { exports: this.export(item.exports, `${path}${name}#`) });
			else if (item.kind === "resource") made.set(name, { resource: item.resource });
		}
		return made;
	}
}
