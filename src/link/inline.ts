import {
	type AliasDefinition,
	type BuiltinCanon,
	type Canon,
	type CanonOptions,
	type Component,
	type ComponentType,
	type CoreFunctionType,
	type Definition,
	type ExternType,
	builtinSignature,
	flattenAsyncLower,
	flattenFunctionType,
	flattenTaskReturn,
	type FunctionType,
	resolveValueType,
	type ResourceType,
} from "../component/mod.ts";
import { findUnsupported, isAsync } from "../abi/mod.ts";
import { compileTrampolines } from "../engine/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import type {
	Builtin,
	CoreInstanceRef,
	CoreItem,
	FunctionRef,
	HostFunctionSlot,
	LiftedFunction,
	Plan,
	PlanExport,
	Planned,
	PlanOptions,
	Step,
	Trampoline,
} from "./plan.ts";
import { findWaiting } from "./reach.ts";
import { type InstanceRef, type Item, type ModuleRef, Scope, type TypeItem } from "./scope.ts";
import { findStackful, findVisitors } from "./stacks.ts";

/**
 * Flattens a validated component into a plan.
 * @param type what validation found: the imports come from here, with one `ResourceType` per imported resource
 * @throws SkerryError `link/unsupported` for a construct that cannot be linked yet, with its name and offset
 */
export function createPlan(component: Component, type: ComponentType, features: Features = {}): Planned {
	return new Inliner(type, features).run(component);
}

/** What the specification gates, and what is refused by name unless it is switched on. */
export interface Features {
	/** Async functions lifted without a callback, whose stack waits. */
	readonly stackful?: boolean | undefined;
	/** Threads that take turns (`thread.new-indirect` and its like; `thread.yield` is no such). */
	readonly threads?: boolean | undefined;
	/** `subtask.cancel` that does not wait. */
	readonly asyncCancel?: boolean | undefined;
}

function checkFeature(features: Features, feature: keyof Features, what: string, offset: number): void {
	if (features[feature] === true) return;
	throw new SkerryError("link/unsupported", `Cannot link ${what}: the feature "${feature}" is not switched on`, {
		place: { offset },
	});
}

/** One of several components that are instantiated side by side, and where each of its imports comes from. */
export interface GraphNode {
	readonly component: Component;
	readonly args: ReadonlyMap<string, GraphArgument>;
}

export type GraphArgument =
	/** An import of the whole. */
	| { readonly kind: "host"; readonly name: string }
	/** What the node at `node`, an earlier one, exports. */
	| { readonly kind: "export"; readonly node: number; readonly name: string };

/** Components that are linked to one another: what a component with all of them nested in it would be. */
export interface ResolvedGraph {
	readonly nodes: readonly GraphNode[];
	/** Of the whole. */
	readonly type: ComponentType;
	readonly exports: ReadonlyMap<string, { readonly node: number; readonly name: string }>;
}

/**
 * Flattens components that are linked to one another into one plan.
 * @throws SkerryError `link/unsupported`
 */
export function createGraphPlan(graph: ResolvedGraph, features: Features = {}): Planned {
	return new Inliner(graph.type, features).runGraph(graph);
}

function unsupported(what: string, offset: number | undefined): SkerryError {
	const place = offset === undefined ? {} : { place: { offset } };
	return new SkerryError("link/unsupported", `Cannot link ${what}: not supported yet`, place);
}

class Inliner {
	readonly #type: ComponentType;
	readonly #features: Features;
	#async = false;
	readonly #modules: ModuleRef[] = [];
	readonly #moduleIndex = new Map<Uint8Array, number>();
	readonly #instances: (number | null)[] = [];
	#coreInstances = 0;
	readonly #lifted: LiftedFunction[] = [];
	readonly #host: HostFunctionSlot[] = [];
	readonly #steps: Step[] = [];
	#trampolines = 0;
	/** Trampolines that no step has made yet: they are made together, before the next step that may use them. */
	#waiting: { trampoline: Trampoline; type: CoreFunctionType }[] = [];

	constructor(type: ComponentType, features: Features) {
		this.#type = type;
		this.#features = features;
	}

	run(component: Component): Planned {
		const args = this.#hostItems((name) => {
			const definition = component.definitions.find((d) => d.kind === "import" && d.name.name === name);
			return definition?.offset ?? component.offset;
		});
		return this.#finish(this.#instantiate(component, null, null, args));
	}

	runGraph({ nodes, exports }: ResolvedGraph): Planned {
		const host = this.#hostItems(() => undefined);
		// The component that the nodes would be nested in
		const whole = this.#instances.push(null) - 1;
		const instances: InstanceRef[] = [];
		for (const { component, args } of nodes) {
			const items = new Map<string, Item>();
			for (const [name, arg] of args) {
				const found = arg.kind === "host" ? host.get(arg.name) : instances[arg.node]?.exports.get(arg.name);
				if (found === undefined) throw new Error(`resolved graph has nothing for the import ${name}`);
				items.set(name, found);
			}
			instances.push(this.#instantiate(component, null, whole, items));
		}
		const items = new Map<string, Item>();
		for (const [name, { node, name: inner }] of exports) {
			const found = instances[node]?.exports.get(inner);
			if (found === undefined) throw new Error(`resolved graph has no export ${inner}`);
			items.set(name, found);
		}
		return this.#finish({ exports: items });
	}

	#finish(root: InstanceRef): Planned {
		this.#makeTrampolines();
		const plan: Plan = {
			instances: this.#instances,
			async: this.#async,
			waits: findWaiting(this.#instances.length, this.#lifted, this.#steps),
			stackful: (this.#async ? findStackful : findVisitors)(this.#lifted, this.#steps, this.#modules),
			coreInstances: this.#coreInstances,
			lifted: this.#lifted,
			host: this.#host,
			steps: this.#steps,
			exports: toPlanExports(root),
			imports: this.#type.imports,
		};
		return { plan, modules: this.#modules };
	}

	/** What the host is to give. */
	#hostItems(offsetOf: (name: string) => number | undefined): Map<string, Item> {
		const items = new Map<string, Item>();
		for (const [name, type] of this.#type.imports) {
			const item = this.#hostItem([name], type);
			if (item === undefined)
				throw unsupported(`the import "${name}" of kind ${type.kind} from the host`, offsetOf(name));
			items.set(name, item);
		}
		return items;
	}

	/** What the host stands in for; `undefined` for kinds that it cannot provide. */
	#hostItem(path: readonly string[], type: ExternType): Item | undefined {
		switch (type.kind) {
			case "func": {
				const ref: FunctionRef = { kind: "host", index: this.#host.length, type: type.type };
				this.#async ||= isAsync(type.type);
				this.#host.push({ path, type: type.type });
				return { sort: "func", ref };
			}
			case "instance": {
				const exports = new Map<string, Item>();
				for (const [name, member] of type.type.exports) {
					const item = this.#hostItem([...path, name], member);
					if (item === undefined) return undefined;
					exports.set(name, item);
				}
				return { sort: "instance", ref: { exports } };
			}
			case "type": {
				const { kind } = type.type;
				const ref: TypeItem = kind === "component" || kind === "instance" ? { kind: "opaque" } : type.type;
				return { sort: "type", ref };
			}
			default:
				return undefined;
		}
	}

	#instantiate(
		component: Component,
		outer: Scope | null,
		parent: number | null,
		args: ReadonlyMap<string, Item>,
	): InstanceRef {
		const instance = this.#instances.length;
		this.#instances.push(parent);
		const scope = new Scope(outer, instance);
		const exports = new Map<string, Item>();
		for (const definition of component.definitions) this.#define(definition, scope, args, exports);
		return { exports };
	}

	#define(definition: Definition, scope: Scope, args: ReadonlyMap<string, Item>, exports: Map<string, Item>): void {
		switch (definition.kind) {
			case "core module":
				scope.modules.push({ bytes: definition.bytes, offset: definition.offset });
				break;
			case "core instance":
				scope.coreInstances.push(this.#coreInstance(definition, scope));
				break;
			case "core type":
				break;
			case "component":
				scope.components.push({ component: definition.component, scope });
				break;
			case "instance":
				scope.instances.push(this.#instance(definition, scope));
				break;
			case "alias":
				this.#alias(definition, scope);
				break;
			case "type":
				scope.types.push(this.#typeItem(definition, scope));
				break;
			case "canon":
				this.#canon(definition.canon, scope, definition.offset);
				break;
			case "import": {
				const item = args.get(definition.name.name);
				if (item === undefined) throw new Error(`validated instantiation lacks the argument ${definition.name.name}`);
				scope.add(item);
				break;
			}
			case "export": {
				const item = scope.item(definition.item.sort, definition.item.index);
				if (item.sort === "type" && item.ref.kind === "resource") nameResource(item.ref.resource, definition.name.name);
				scope.add(item);
				exports.set(definition.name.name, item);
				break;
			}
			case "start":
				throw unsupported("a component start function", definition.offset);
			case "value":
				throw unsupported("a value definition", definition.offset);
		}
	}

	#coreInstance(definition: Extract<Definition, { kind: "core instance" }>, scope: Scope): CoreInstanceRef {
		const { expr } = definition;
		if (expr.kind === "exports") {
			const exports = new Map<string, CoreItem>();
			for (const { name, item } of expr.exports) exports.set(name, scope.coreItem(item.sort, item.index));
			return { kind: "exports", exports };
		}
		this.#makeTrampolines();
		const slot = this.#coreInstances++;
		this.#steps.push({
			kind: "instantiate",
			slot,
			module: this.#module(scope.module(expr.module)),
			args: expr.args.map((arg) => ({ name: arg.name, instance: scope.coreInstance(arg.instance) })),
		});
		return { kind: "slot", slot };
	}

	#module(ref: ModuleRef): number {
		let index = this.#moduleIndex.get(ref.bytes);
		if (index === undefined) {
			index = this.#modules.length;
			this.#modules.push(ref);
			this.#moduleIndex.set(ref.bytes, index);
		}
		return index;
	}

	#instance(definition: Extract<Definition, { kind: "instance" }>, scope: Scope): InstanceRef {
		const { expr } = definition;
		if (expr.kind === "exports") {
			return { exports: new Map(expr.exports.map((e) => [e.name.name, scope.item(e.item.sort, e.item.index)])) };
		}
		const { component, scope: outer } = scope.component(expr.component);
		const args = new Map(expr.args.map((a) => [a.name, scope.item(a.item.sort, a.item.index)]));
		return this.#instantiate(component, outer, scope.instance, args);
	}

	#alias(definition: AliasDefinition, scope: Scope): void {
		const { target, sort, offset } = definition;
		if (target.kind === "core export") {
			const coreSort = sort.slice("core ".length) as keyof Scope["core"];
			scope.core[coreSort].push(coreExport(scope.coreInstance(target.instance), target.name));
			return;
		}
		if (target.kind === "export") {
			const instance = scope.item("instance", target.instance).ref as InstanceRef;
			const item = instance.exports.get(target.name);
			if (item === undefined) throw unsupported(`the alias of export "${target.name}" (${sort})`, offset);
			scope.add(item);
			return;
		}
		if (sort === "core type") return;
		scope.add(scope.enclosing(target.count).item(sort, target.index));
	}

	#typeItem(definition: Extract<Definition, { kind: "type" }>, scope: Scope): TypeItem {
		const { type } = definition;
		switch (type.kind) {
			case "defined":
				return scope.define(type.type);
			case "func":
				return scope.defineFunction(type);
			case "resource": {
				const resource: ResourceType = { name: "" };
				const destructor = type.dtor === null ? null : scope.coreItem("func", type.dtor);
				if (destructor?.kind === "trampoline") this.#makeTrampolines();
				this.#steps.push({ kind: "resource", resource, instance: scope.instance, destructor });
				return { kind: "resource", resource };
			}
			default:
				return { kind: "opaque" };
		}
	}

	#canon(canon: Canon, scope: Scope, offset: number): void {
		switch (canon.op) {
			case "lift": {
				const options = this.#options(canon.options, scope, offset);
				const type = this.#supported(scope.functionType(canon.type), offset);
				if (options.async && options.callback === null) {
					checkFeature(this.#features, "stackful", "an async function that is lifted without a callback", offset);
				}
				const index = this.#lifted.length;
				const coreType = liftedType(type, options.async, options.callback !== null);
				const core = scope.coreItem("func", canon.func);
				// What lowers it is made after it, which may be next
				const items = [core, options.realloc, options.postReturn, options.callback];
				if (items.some((item) => item?.kind === "trampoline")) this.#makeTrampolines();
				this.#lifted.push({ core, coreType, options, type, instance: scope.instance });
				scope.funcs.push({ kind: "lift", index, type });
				break;
			}
			case "lower": {
				const callee = scope.func(canon.func);
				const options = this.#options(canon.options, scope, offset);
				const type = this.#supported(callee.type, offset);
				const coreType = options.async ? flattenAsyncLower(type) : flattenFunctionType(type, "lower");
				this.#trampoline(scope, { kind: "lower", callee, options, instance: scope.instance }, coreType);
				break;
			}
			case "resource.new":
			case "resource.rep":
			case "resource.drop": {
				const resource = scope.resourceType(canon.type);
				const results = canon.op === "resource.drop" ? [] : ["i32"];
				this.#trampoline(scope, { kind: canon.op, resource, instance: scope.instance }, { params: ["i32"], results });
				break;
			}
			default:
				this.#builtin(canon, scope, offset);
		}
	}

	#builtin(canon: BuiltinCanon, scope: Scope, offset: number): void {
		this.#async = true;
		const { op, async = false, cancellable = false, slot } = canon;
		const threads = op.startsWith("thread.") && op !== "thread.yield";
		if (threads) checkFeature(this.#features, "threads", `the canonical built-in ${op}`, offset);
		if (op === "subtask.cancel" && async) checkFeature(this.#features, "asyncCancel", `an async ${op}`, offset);
		const result = canon.result === null || canon.result === undefined ? null : resolveValueType(canon.result, scope);
		const given = canon.options ?? (canon.memory === undefined ? undefined : { ...NO_OPTIONS, memory: canon.memory });
		const builtin: Builtin = {
			kind: "builtin",
			op,
			instance: scope.instance,
			result,
			async: async || canon.options?.async === true,
			cancellable,
			...(canon.type === undefined ? {} : { type: scope.valueType(canon.type) }),
			...(given === undefined ? {} : { options: this.#options(given, scope, offset) }),
			...(slot === undefined ? {} : { slot }),
			...(canon.table === undefined ? {} : { table: scope.coreItem("table", canon.table) }),
		};
		const type = op === "task.return" ? flattenTaskReturn(result) : (builtinSignature(op) ?? contextType(op, offset));
		this.#trampoline(scope, builtin, type);
	}

	#supported(type: FunctionType, offset: number): FunctionType {
		const feature = findUnsupported(type);
		if (feature !== null) throw unsupported(feature, offset);
		this.#async ||= isAsync(type);
		return type;
	}

	#options(options: CanonOptions, scope: Scope, offset: number): PlanOptions {
		this.#async ||= options.async;
		if (options.gc || options.coreType !== null) throw unsupported("the canonical option gc", offset);
		return {
			encoding: options.encoding,
			memory: options.memory === null ? null : scope.coreItem("memory", options.memory),
			realloc: options.realloc === null ? null : scope.coreItem("func", options.realloc),
			postReturn: options.postReturn === null ? null : scope.coreItem("func", options.postReturn),
			async: options.async,
			callback: options.callback === null ? null : scope.coreItem("func", options.callback),
		};
	}

	#trampoline(scope: Scope, trampoline: Trampoline, type: CoreFunctionType): void {
		scope.core.func.push({ kind: "trampoline", index: this.#trampolines++ });
		this.#waiting.push({ trampoline, type });
	}

	#makeTrampolines(): void {
		if (this.#waiting.length === 0) return;
		const types = this.#waiting.map((w) => w.type);
		this.#steps.push({
			kind: "trampolines",
			first: this.#trampolines - this.#waiting.length,
			trampolines: this.#waiting.map((w) => w.trampoline),
			types,
			module: compileTrampolines(types),
		});
		this.#waiting = [];
	}
}

const NO_OPTIONS: CanonOptions = {
	encoding: "utf8",
	memory: null,
	realloc: null,
	postReturn: null,
	async: false,
	callback: null,
	coreType: null,
	gc: false,
};

function contextType(op: BuiltinCanon["op"], offset: number): CoreFunctionType {
	if (op === "context.get") return { params: [], results: ["i32"] };
	if (op === "context.set") return { params: ["i32"], results: [] };
	throw unsupported(`the canonical built-in ${op}`, offset);
}

/** The type of the core function that is lifted. */
function liftedType(type: FunctionType, async: boolean, callback: boolean): CoreFunctionType {
	const sync = flattenFunctionType(type, "lift");
	return async ? { params: sync.params, results: callback ? ["i32"] : [] } : sync;
}

function coreExport(instance: CoreInstanceRef, name: string): CoreItem {
	if (instance.kind === "slot") return { kind: "export", slot: instance.slot, name };
	const item = instance.exports.get(name);
	if (item === undefined) throw new Error(`validated core instance has no export ${name}`);
	return item;
}

/** A resource has no name of its own: it takes that of its first export, for messages. */
function nameResource(resource: ResourceType, name: string): void {
	if (resource.name === "") (resource as { name: string }).name = name;
}

function toPlanExports(instance: InstanceRef): Map<string, PlanExport> {
	const exports = new Map<string, PlanExport>();
	for (const [name, item] of instance.exports) {
		if (item.sort === "func") exports.set(name, { kind: "func", ref: item.ref });
		else if (item.sort === "instance") exports.set(name, { kind: "instance", exports: toPlanExports(item.ref) });
		else if (item.sort === "type" && item.ref.kind === "resource") {
			exports.set(name, { kind: "resource", resource: item.ref.resource });
		} else exports.set(name, { kind: "other", sort: item.sort });
	}
	return exports;
}
