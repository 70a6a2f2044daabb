import type {
	AliasDefinition,
	Component,
	ComponentType,
	Definition,
	ExternType,
	ResourceType,
} from "../../component/mod.ts";
import { isAsync } from "../../abi/mod.ts";
import { SkerryError } from "../../fault/mod.ts";
import { CanonicalDefinitions } from "./canonical-definitions.ts";
import { type Features, unsupported } from "./features.ts";
import type {
	CoreInstanceRef,
	CoreItem,
	FunctionRef,
	HostFunctionSlot,
	Plan,
	PlanExport,
	Planned,
	Step,
} from "./plan.ts";
import { findWaiting } from "./reach.ts";
import { type InstanceRef, type Item, type ModuleRef, Scope, type TypeItem } from "./scope.ts";
import { findLeaves, findStackful, findVisitors } from "./stacks.ts";

/**
 * Flattens a validated component into a plan.
 * @param type what validation found: the imports come from here, with one `ResourceType` per imported resource
 * @throws SkerryError `link/unsupported` for a construct that cannot be linked yet, with its name and offset
 */
export function createPlan(component: Component, type: ComponentType, features: Features = {}): Planned {
	return new Inliner(type, features).run(component);
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

/** Ours: component instances in one sandbox, twice as many as one index space may hold (wasmtime). Components that instantiate another twice double them at each level. */
const MAX_INSTANCES = 20_000;
/** Ours: definitions of all these instances together, some two microseconds each. */
const MAX_DEFINITIONS = 1_000_000;

class Inliner {
	readonly #type: ComponentType;
	/** The host gives an async function. */
	#async = false;
	readonly #modules: ModuleRef[] = [];
	readonly #moduleIndex = new Map<Uint8Array, number>();
	readonly #instances: (number | null)[] = [];
	#coreInstances = 0;
	#definitions = 0;
	readonly #host: HostFunctionSlot[] = [];
	readonly #steps: Step[] = [];
	readonly #canons: CanonicalDefinitions;

	constructor(type: ComponentType, features: Features) {
		this.#type = type;
		this.#canons = new CanonicalDefinitions(features, this.#steps);
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
		this.#canons.flush();
		const { lifted } = this.#canons;
		const async = this.#async || this.#canons.async;
		const stackful = (async ? findStackful : findVisitors)(lifted, this.#steps, this.#modules);
		const plan: Plan = {
			instances: this.#instances,
			async,
			waits: findWaiting(this.#instances.length, lifted, this.#steps),
			stackful: stackful.lifted,
			stackfulResources: stackful.resources,
			leaves: async ? lifted.map(() => false) : findLeaves(lifted, this.#steps, this.#modules),
			coreInstances: this.#coreInstances,
			lifted,
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
		this.#definitions += component.definitions.length;
		this.#checkSize(component);
		const scope = new Scope(outer, instance);
		const exports = new Map<string, Item>();
		for (const definition of component.definitions) this.#define(definition, scope, args, exports);
		return { exports };
	}

	#checkSize({ offset }: Component): void {
		const tooMany = (count: number, what: string): SkerryError =>
			new SkerryError(
				"binary/limit",
				`Cannot link the component: its instances, one in another, have more than ${count} ${what}`,
				{
					place: { offset },
				},
			);
		if (this.#instances.length > MAX_INSTANCES) throw tooMany(MAX_INSTANCES, "component instances");
		if (this.#definitions > MAX_DEFINITIONS) throw tooMany(MAX_DEFINITIONS, "definitions");
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
				this.#canons.define(definition.canon, scope, definition.offset);
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
		this.#canons.flush();
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
				if (destructor?.kind === "trampoline") this.#canons.flush();
				this.#steps.push({ kind: "resource", resource, instance: scope.instance, destructor });
				return { kind: "resource", resource };
			}
			default:
				return { kind: "opaque" };
		}
	}
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
