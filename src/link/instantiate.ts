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
	Store,
	type TaskOptions,
} from "../abi/mod.ts";
import { type CoreFunctionType, flattenFunctionType, type ResourceType } from "../component/mod.ts";
import {
	type AttachedCore,
	type CoreDelta,
	type CoreImage,
	type CoreSnapshot,
	type CoreState,
	CoreMemories,
	Gate,
	type GateUsage,
	type Growth,
	type ModuleOrigin,
	type PageMapper,
	readCoreState,
	takeCoreImage,
	type WasmExtern,
	type WasmInstance,
	type WasmMemory,
} from "../engine/mod.ts";
import type { Limits } from "../fault/mod.ts";
import type { CoreGuest } from "./core-host.ts";
import { GuestMemory } from "./guest-memory.ts";
import { liftSync } from "./lift-sync.ts";
import type { Linked } from "./linked.ts";
import { Tasks } from "./tasks.ts";
import type {
	CoreInstanceRef,
	CoreItem,
	FunctionRef,
	PlanExport,
	PlanOptions,
	Step,
	Trampoline,
} from "./plan.ts";

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

/**
 * One instance of a component with everything in it: a sandbox. `strategy` fresh: new core instances and memories.
 * @param limits what it may take; what is left out is bounded by the specification alone
 * @param app whose limits they are, for errors
 * @throws Trap when a start function traps; SkerryError `link/instantiation`
 */
export function instantiate(
	linked: Linked,
	context: unknown,
	limits?: Limits,
	app?: string,
	slot?: SlotOptions,
): Instance {
	return new Instance(linked, context, limits, app, slot);
}

/** How the state of an instance is made and kept. */
export interface SlotOptions {
	/** For an instance that is to be reset: its memories can be made small again. */
	readonly mapper?: PageMapper | undefined;
	/** The state that it begins in; `attach` is not needed then. */
	readonly image?: InstanceImage | undefined;
	/** How it differs from the image. */
	readonly state?: InstanceState | undefined;
	/** Asked before memories or tables grow; false refuses. */
	readonly onGrow?: ((growth: Growth) => boolean) | undefined;
}

/** The state of all core instances of a component, shared by the slots of all that have its code. */
export interface InstanceImage {
	/** By core instance. */
	readonly cores: readonly CoreImage[];
	/**
	 * Whether an instance can begin in it without its start functions: these may put functions of that very instance into its tables,
	 * and make memories larger, which is more than content.
	 */
	readonly isWhole: boolean;
	/** The largest that a memory of a slot came to, in bytes. */
	peak: number;
}

/** A state of an instance beside an image of its code: by core instance. */
export type InstanceState = readonly CoreDelta[];

/** Whom an instance serves: what differs between apps with the same code. */
export interface Tenant extends Pick<SlotOptions, "onGrow"> {
	/** What it begins in, beside the image that the instance is attached to. */
	readonly state: InstanceState;
	readonly origins: readonly ModuleOrigin[];
	readonly limits: Limits;
	/** Whose limits they are, for errors. */
	readonly app?: string | undefined;
}

/** Bytes of a WebAssembly page. */
const WASM_PAGE = 65_536n;

export class Instance {
	readonly store: Store;
	readonly exports: ReadonlyMap<string, InstanceExport>;
	readonly #linked: Linked;
	readonly #gate: Gate;
	readonly #memories: CoreMemories;
	readonly #components: ComponentInstance[] = [];
	readonly #cores: WasmInstance[] = [];
	readonly #trampolines: WasmExtern[] = [];
	#attached: readonly AttachedCore[] = [];
	#image: InstanceImage | undefined;
	/** Beside the image: what `reset` puts it into. */
	#state: InstanceState = [];
	/** By core instance; those who look at frames hold these very objects. */
	readonly #origins: ({ -readonly [K in keyof ModuleOrigin]: ModuleOrigin[K] } | undefined)[] = [];
	readonly #lifted: (ComponentFunction | undefined)[] = [];
	readonly #host: ComponentFunction[];
	/** Whether the host's calls into the guest can be suspended: only where there is a host function to wait for, or code that may run for long. */
	readonly #blocking: boolean;
	/** What the host's functions see of a core module's instance. */
	readonly #guest: CoreGuest<unknown>;
	/** Where something is asynchronous: how its functions are called. */
	readonly #tasks: Tasks | null;

	constructor(linked: Linked, context: unknown, limits: Limits = {}, app?: string, slot: SlotOptions = {}) {
		const { plan, owned, coreFunctions = [], metering } = linked;
		this.#linked = linked;
		const { image, mapper, onGrow, state } = slot;
		const imaged = image?.isWhole === true;
		const writes = linked.owned.some((parts) => parts.exports.writesData);
		this.#memories = new CoreMemories({
			limits,
			app,
			onGrow,
			mapper: writes ? undefined : mapper,
			imaged,
			capacity: image?.peak ?? 0,
		});
		this.#gate = new Gate({ limits, metering, ...(app === undefined ? {} : { app }) });
		this.store = new Store(context, limits.handles, limits.streams);
		this.store.onEnd = () => this.#gate.tellAll();
		const yields = metering === "yield" || metering === "fuel";
		this.#blocking =
			plan.host.length > 0 ||
			coreFunctions.length > 0 ||
			(yields && owned.some(({ imports }) => imports?.flag !== undefined));
		this.#guest = this.#createGuest();
		for (const parent of plan.instances) {
			this.#components.push(new ComponentInstance(this.store, parent === null ? null : this.#component(parent)));
		}
		for (const [resource, host] of linked.resources) {
			const { drop } = host;
			const destructor = drop === undefined ? null : (rep: unknown) => drop(this.store.context, rep);
			this.store.resources.set(resource, { instance: null, destructor });
		}
		this.#host = plan.host.map((slot, i) => {
			const fn = linked.functions[i];
			if (fn === undefined) throw new Error(`unbound import ${slot.path.join("#")}`);
			// `wasi:http/types.[method]fields.get`, as errors name it
			const path = slot.path.map((name) => name.replace(/@.*$/, "")).join(".");
			return hostFunction(slot.type, fn, this.store, path);
		});
		this.#tasks = plan.async ? new Tasks(this.#gate, this.store, linked.lenientCancel) : null;
		try {
			for (const step of plan.steps) this.#run(step);
		} catch (error) {
			// What start functions got of the host before one of them failed is given back.
			try {
				this.dispose(error);
			} catch {
				// The start function failed first.
			}
			throw error;
		}
		this.exports = this.#export(plan.exports);
		this.#memories.holdings.settle();
		if (image !== undefined) {
			this.attach(image, state);
		}
	}

	/** A call begins: the limits `cpu`, `wall`, `fuel` and `hostCalls` count from here. Not needed for the first, nor after `reset`. */
	begin(): void {
		this.#gate.begin();
	}

	/** From now on each call is begun without being told to. @returns false where that cannot be: a call may last longer than its function */
	beginEachCall(): boolean {
		if (this.#blocking || this.#tasks !== null) return false;
		this.#gate.beginEachCall();
		return true;
	}

	/** What the call has used so far. */
	get usage(): GateUsage {
		return this.#gate.usage;
	}

	/**
	 * The state of every core instance as it is now, which must be right after instantiation. Why there can be none, as text: a module
	 * whose state cannot be put back exactly, or one whose start function got something from the host that may differ next time.
	 */
	takeImage(mapper: PageMapper | undefined): InstanceImage | string {
		if (this.#gate.calledWhileStarting) return "a start function calls the host";
		const why = this.#linked.states.find((state) => typeof state === "string");
		if (why !== undefined) return why;
		const cores: CoreImage[] = [];
		for (const [slot, core] of this.#cores.entries()) {
			const image = takeCoreImage(core, this.#coreState(slot) as CoreState, this.#memories, mapper);
			if (typeof image === "string") {
				for (const taken of cores) taken[Symbol.dispose]();
				return image;
			}
			cores.push(image);
		}
		const isWhole = this.#cores.every((_, slot) => this.#isWhole(slot, cores[slot] as CoreImage));
		return { cores, isWhole, peak: 0 };
	}

	#isWhole(slot: number, { memories }: CoreImage): boolean {
		const module = this.#moduleOf(slot);
		const state = this.#linked.states[module] as CoreState;
		const made = this.#linked.owned[module]?.imports?.memories ?? [];
		return (
			state.tables.length === 0 &&
			memories.every(({ length }, i) => BigInt(length) === (made[i]?.type.limits.minimum ?? 0n) * WASM_PAGE)
		);
	}

	/**
	 * The state as it is now, which must be right after instantiation, beside the image of another instance of the same code. Why it
	 * cannot be told, as text.
	 */
	compare(image: InstanceImage): InstanceState | string {
		if (this.#gate.calledWhileStarting) return "a start function calls the host";
		const state: CoreDelta[] = [];
		for (const [slot, core] of this.#cores.entries()) {
			const found = imageOf(image, slot).compare(core, this.#memories);
			if (typeof found === "string") return found;
			state.push(found);
		}
		return state;
	}

	/** What each core instance holds now; nothing of those whose module has no known state. */
	snapshot(): CoreSnapshot[] {
		return this.#cores.map((core, slot) => {
			const state = this.#coreState(slot);
			return typeof state === "string" ? { memories: [], globals: [] } : readCoreState(core, state, this.#memories);
		});
	}

	/** Binds this instance to an image of its code, for `reset`, and puts it into that or another state. */
	attach(image: InstanceImage, state: InstanceState = image.cores.map(({ own }) => own)): void {
		this.#image = image;
		this.#state = image.cores.map(({ own }) => own);
		this.#attached = this.#cores.map((core, slot) => imageOf(image, slot).attach(core, this.#memories));
		this.#change(state);
	}

	/** From now on it serves another app; the bytes that were written for that. Only where `reset` was called last, or `attach`. */
	move(tenant: Tenant): number {
		const bytes = this.#change(tenant.state);
		this.#adopt(tenant);
		this.#gate.begin();
		return bytes;
	}

	#change(state: InstanceState): number {
		let bytes = 0;
		for (let slot = 0; slot < this.#attached.length; slot++) {
			bytes += (this.#attached[slot] as AttachedCore).change(this.#state[slot] as CoreDelta, state[slot] as CoreDelta);
		}
		this.#state = state;
		return bytes;
	}

	#adopt({ limits, app, onGrow, origins }: Tenant): void {
		const whose = app === undefined ? {} : { app };
		this.#memories.holdings.adopt({ limits, app, onGrow });
		this.#gate.adopt({ limits, ...whose });
		this.store.adopt(limits.handles, limits.streams);
		for (const step of this.#linked.plan.steps) {
			if (step.kind === "instantiate") Object.assign(this.#origins[step.slot] ?? {}, origins[step.module]);
		}
	}

	/** No guest is on any stack, and nothing is to come of one that was: `reset` may be called. */
	get quiet(): boolean {
		return this.#gate.quiet && (this.#tasks === null || this.#tasks.idle);
	}

	/** Settles once its tasks have ended, or wait for ever: calls of async functions may have returned before. */
	get settled(): Promise<void> {
		return this.#tasks?.quiet ?? Promise.resolve();
	}

	/**
	 * Makes a disposed instance equal to a new one, for another use. Only when `quiet`.
	 * @param tenant whom it is to serve from now on; left out: the same as before
	 * @returns the bytes that were put back; `undefined` when the state cannot be restored exactly (a table has grown, say): the
	 * instance is to be thrown away
	 */
	reset(context: unknown, tenant?: Tenant): number | undefined {
		if (tenant !== undefined) this.#state = tenant.state;
		const bytes = this.#restore();
		if (bytes === undefined) return undefined;
		if (tenant !== undefined) this.#adopt(tenant);
		this.#memories.holdings.reset();
		this.#gate.reset();
		this.store.reset(context);
		return bytes;
	}

	#restore(): number | undefined {
		const image = this.#image;
		if (image === undefined) return undefined;
		let bytes = 0;
		for (let slot = 0; slot < this.#attached.length; slot++) {
			const restored = (this.#attached[slot] as AttachedCore).restore(this.#state[slot]);
			if (restored === undefined) {
				// What this one came to, the next ones can be made for.
				image.peak = Math.max(image.peak, this.#memories.largest);
				return undefined;
			}
			bytes += restored;
		}
		return bytes;
	}

	#coreState(slot: number): CoreState | string {
		const state = this.#linked.states[this.#moduleOf(slot)];
		if (state === undefined) throw new Error(`core instance ${slot} has no known state`);
		return state;
	}

	/** The index of the module of a core instance. */
	#moduleOf(slot: number): number {
		const step = this.#linked.plan.steps.find((s) => s.kind === "instantiate" && s.slot === slot);
		return step?.kind === "instantiate" ? step.module : -1;
	}

	/** The exported function at `path`, names as in the binary; `undefined` where there is none. */
	function(path: readonly string[]): ComponentFunction | CoreExport | undefined {
		let level: ReadonlyMap<string, InstanceExport> | undefined = this.exports;
		let found: InstanceExport | undefined;
		for (const name of path) {
			found = level?.get(name);
			level = found !== undefined && "exports" in found ? found.exports : undefined;
		}
		return found !== undefined && "call" in found ? found : undefined;
	}

	/** Ends whatever runs or waits in the sandbox: its callers get `reason`. Gives back what its handles hold of the host. */
	dispose(reason: unknown): void {
		this.#gate.fail(reason);
		this.store.dispose(reason);
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
				const complete = this.#memories.prepare(module, owned, imports);
				const found = this.#linked.origins[step.module];
				const origin = found && { ...found };
				this.#origins[step.slot] = origin;
				this.#cores[step.slot] = this.#gate.instantiate(module, imports, origin, complete);
				break;
			}
			case "trampolines": {
				const functions = step.trampolines.map((t) => this.#trampoline(t));
				const wrapped = this.#gate.wrapImports(step.module, step.types, functions);
				for (const [i, fn] of wrapped.entries()) this.#trampolines[step.first + i] = fn;
				break;
			}
			case "resource": {
				const { resource, destructor } = step;
				if (this.#tasks !== null && destructor !== null) {
					const instance = this.#component(step.instance);
					this.store.resources.set(resource, this.#tasks.destructor(this.#resolve(destructor), instance));
					break;
				}
				const core = destructor === null ? null : this.#wrap(destructor, step.instance, DESTRUCTOR);
				this.store.resources.set(resource, {
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
		const found = this.#cores[slot];
		if (found === undefined) throw new Error(`plan uses core instance ${slot} before it is made`);
		return found;
	}

	#resolve(item: CoreItem): WasmExtern {
		return item.kind === "trampoline" ? this.#trampolines[item.index] : this.#core(item.slot).exports[item.name];
	}

	/** A function of the component instance as other guests call it. */
	#wrap(item: CoreItem, instance: number, type: CoreFunctionType): CoreFunction {
		return this.#gate.wrapExport(this.#resolve(item), this.#linked.plan.waits[instance] ?? true, type);
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

	#taskOptions(plan: PlanOptions): { readonly options: TaskOptions; readonly callback: WasmExtern } {
		const options = { ...this.#options(plan), async: plan.async, callback: plan.callback !== null };
		return { options, callback: plan.callback === null ? undefined : this.#resolve(plan.callback) };
	}

	#trampoline(trampoline: Trampoline): CoreFunction {
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
				return this.#tasks.builtin(trampoline, instance, options, table);
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

	#createGuest(): CoreGuest<unknown> {
		const { store } = this;
		return {
			memory: this.memory("memory"),
			get context() {
				return store.context;
			},
		};
	}

	/** The memory that a core module exports under this name. */
	memory(name: string): GuestMemory {
		const isMemory = this.#linked.plan.exports.get(name);
		const found = isMemory?.kind === "other" && isMemory.sort === "memory";
		return new GuestMemory(() => {
			const memory = found ? (this.#cores[0]?.exports[name] as WasmMemory | undefined) : undefined;
			return memory === undefined ? undefined : this.#memories.of(memory);
		});
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
				const { options, callback } = this.#taskOptions(plan.options);
				const instance = this.#component(plan.instance);
				lifted = this.#tasks.lift(plan.type, this.#resolve(plan.core), plan.coreType, options, callback, instance);
				this.#lifted[ref.index] = lifted;
				return lifted;
			}
			const { core, options, type, instance } = plan;
			const [found, realloc] = [core, options.realloc].map((item) => (item === null ? null : this.#resolve(item)));
			const nested = this.#wrap(core, instance, flattenFunctionType(type, "lift"));
			const made = { instance: this.#component(instance), options: this.#options(options), nested };
			lifted = liftSync(type, { found, realloc, gate: this.#gate, blocking: this.#blocking, ...made });
			this.#lifted[ref.index] = lifted;
		}
		return lifted;
	}

	#export(exports: ReadonlyMap<string, PlanExport>): Map<string, InstanceExport> {
		const made = new Map<string, InstanceExport>();
		for (const [name, item] of exports) {
			if (item.kind === "func") made.set(name, this.#function(item.ref));
			else if (item.kind === "core") {
				const fn = this.#gate.wrapExport(this.#core(item.slot).exports[name], this.#blocking, item.type);
				made.set(name, { core: item.type, call: (args) => fn(...(args as CoreValue[])) });
			} else if (item.kind === "instance") made.set(name, { exports: this.#export(item.exports) });
			else if (item.kind === "resource") made.set(name, { resource: item.resource });
		}
		return made;
	}
}

function imageOf({ cores }: InstanceImage, slot: number): CoreImage {
	const found = cores[slot];
	if (found === undefined) throw new Error("an image of another component");
	return found;
}
