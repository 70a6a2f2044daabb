import { type CoreExternType, type CoreModuleType, CoreTypeSpace } from "../../wasm/mod.ts";
import { MAX_INSTANCES, MAX_ITEMS, MAX_MODULES, MAX_TYPES } from "../limits.ts";
import type { TypeSpace } from "../resolve.ts";
import type {
	ComponentType,
	DefinedType,
	ExternType,
	FunctionType,
	InstanceType,
	ResourceType,
	ValueType,
} from "../types.ts";
import { invalid, overLimit } from "./invalid.ts";
import { NameScope } from "./name-scope.ts";
import { VisibleTypes } from "./visibility.ts";
import type { Work } from "./work.ts";

/** One index space: appended to, looked up, never changed. */
export class IndexSpace<T> {
	readonly #title: string;
	readonly #limit: number;
	readonly #items: T[] = [];

	constructor(title: string, limit: number) {
		this.#title = title;
		this.#limit = limit;
	}

	get length(): number {
		return this.#items.length;
	}

	add(item: T, offset: number): void {
		if (this.#items.length >= this.#limit) throw overLimit(`more than ${this.#limit} ${this.#title}s`, offset);
		this.#items.push(item);
	}

	get(index: number, offset: number): T {
		const item = this.#items[index];
		if (item === undefined) {
			throw invalid(`unknown ${this.#title} ${index}: ${this.#title} index out of bounds`, offset);
		}
		return item;
	}
}

/** A core type of a component: one of the core type space at the same index, or a module type. */
export type CoreTypeEntry = { readonly kind: "rec" } | { readonly kind: "module"; readonly type: CoreModuleType };

type CoreKind<K extends CoreExternType["kind"]> = Extract<CoreExternType, { kind: K }>;

export type CoreInstanceType = ReadonlyMap<string, CoreExternType>;

export type ScopeKind = "component" | "component type" | "instance type";

/** The index spaces and names of one component, component type or instance type. */
export class Scope implements TypeSpace {
	readonly kind: ScopeKind;
	readonly parent: Scope | null;
	readonly work: Work;

	readonly coreFuncs: IndexSpace<CoreKind<"func">> = new IndexSpace("core function", MAX_ITEMS);
	readonly coreTables: IndexSpace<CoreKind<"table">> = new IndexSpace("core table", MAX_ITEMS);
	readonly coreMemories: IndexSpace<CoreKind<"memory">> = new IndexSpace("core memory", MAX_ITEMS);
	readonly coreGlobals: IndexSpace<CoreKind<"global">> = new IndexSpace("core global", MAX_ITEMS);
	readonly coreTags: IndexSpace<CoreKind<"tag">> = new IndexSpace("tag", MAX_ITEMS);
	readonly coreModules: IndexSpace<CoreModuleType> = new IndexSpace("module", MAX_MODULES);
	readonly coreInstances: IndexSpace<CoreInstanceType> = new IndexSpace("core instance", MAX_INSTANCES);
	readonly coreTypes: IndexSpace<CoreTypeEntry> = new IndexSpace("core type", MAX_TYPES);
	/** The core types proper, with gaps where `coreTypes` has module types. */
	readonly recTypes: CoreTypeSpace = new CoreTypeSpace();

	readonly funcs: IndexSpace<FunctionType> = new IndexSpace("function", MAX_ITEMS);
	readonly types: IndexSpace<DefinedType> = new IndexSpace("type", MAX_TYPES);
	readonly components: IndexSpace<ComponentType> = new IndexSpace("component", MAX_MODULES);
	readonly instances: IndexSpace<InstanceType> = new IndexSpace("instance", MAX_INSTANCES);

	readonly imports: Map<string, ExternType> = new Map();
	readonly exports: Map<string, ExternType> = new Map();
	readonly importNames: NameScope = new NameScope("import");
	readonly exportNames: NameScope = new NameScope("export");
	/** The definitions that imports may mention, and those that exports may. */
	readonly importVisible: VisibleTypes;
	readonly exportVisible: VisibleTypes;

	/** Resources that resource type definitions of this component made: only these have `resource.new` and `resource.rep`. */
	readonly localResources: Set<ResourceType> = new Set();
	readonly importedResources: ResourceType[] = [];
	readonly createdResources: ResourceType[] = [];

	constructor(kind: ScopeKind, parent: Scope | null, work: Work) {
		this.kind = kind;
		this.parent = parent;
		this.work = work;
		this.importVisible = new VisibleTypes(work);
		this.exportVisible = new VisibleTypes(work);
	}

	valueType(index: number): ValueType {
		const type = this.types.get(index, this.work.offset);
		if (type.kind !== "value") throw invalid(`type index ${index} is not a defined type`, this.work.offset);
		return type.type;
	}

	resourceType(index: number): ResourceType {
		return this.resourceDefinition(index).resource;
	}

	resourceDefinition(index: number): Extract<DefinedType, { kind: "resource" }> {
		const type = this.types.get(index, this.work.offset);
		if (type.kind !== "resource") throw invalid(`type index ${index} is not a resource type`, this.work.offset);
		return type;
	}

	functionType(index: number): FunctionType {
		const type = this.types.get(index, this.work.offset);
		if (type.kind !== "func") throw invalid(`type index ${index} is not a function type`, this.work.offset);
		return type;
	}

	instanceType(index: number): InstanceType {
		const type = this.types.get(index, this.work.offset);
		if (type.kind !== "instance") throw invalid(`type index ${index} is not an instance type`, this.work.offset);
		return type.type;
	}

	componentType(index: number): ComponentType {
		const type = this.types.get(index, this.work.offset);
		if (type.kind !== "component") throw invalid(`type index ${index} is not a component type`, this.work.offset);
		return type.type;
	}

	moduleType(index: number): CoreModuleType {
		const type = this.coreTypes.get(index, this.work.offset);
		if (type.kind !== "module") throw invalid(`core type index ${index} is not a module type`, this.work.offset);
		return type.type;
	}

	/** The scope `count` levels out; 0 is this one. */
	outer(count: number): Scope {
		const scope = this.#ancestor(count);
		if (scope === null) throw invalid(`invalid outer alias count of ${count}`, this.work.offset);
		return scope;
	}

	#ancestor(count: number): Scope | null {
		if (count === 0) return this;
		return this.parent === null ? null : this.parent.#ancestor(count - 1);
	}

	/** Appends an item to the index space of its sort. */
	add(type: ExternType): void {
		const { offset } = this.work;
		switch (type.kind) {
			case "core module":
				this.coreModules.add(type.type, offset);
				break;
			case "func":
				this.funcs.add(type.type, offset);
				break;
			case "type":
				this.types.add(type.type, offset);
				break;
			case "component":
				this.components.add(type.type, offset);
				break;
			case "instance":
				this.instances.add(type.type, offset);
				break;
			case "value":
				break;
		}
	}

	addCore(type: CoreExternType): void {
		const { offset } = this.work;
		switch (type.kind) {
			case "func":
				this.coreFuncs.add(type, offset);
				break;
			case "table":
				this.coreTables.add(type, offset);
				break;
			case "memory":
				this.coreMemories.add(type, offset);
				break;
			case "global":
				this.coreGlobals.add(type, offset);
				break;
			case "tag":
				this.coreTags.add(type, offset);
				break;
		}
	}
}
