import type {
	Component,
	CoreSort,
	DefinedTypeExpr,
	FunctionType,
	FunctionTypeExpr,
	ResourceType,
	Sort,
	TypeSpace,
	ValueType,
} from "../../component/mod.ts";
import { resolveDefinedType, resolveFunctionType } from "../../component/mod.ts";
import type { CoreInstanceRef, CoreItem, FunctionRef } from "./plan.ts";

/** What a type index denotes while inlining. Types of components and instances are not needed: the things themselves are at hand. */
export type TypeItem =
	| { readonly kind: "value"; readonly type: ValueType }
	| { readonly kind: "resource"; readonly resource: ResourceType }
	| FunctionType
	| { readonly kind: "opaque" };

export interface ModuleRef {
	readonly bytes: Uint8Array;
	readonly offset: number;
}

/** A component closes over the scope in which it is defined: its outer aliases look there. */
export interface ComponentRef {
	readonly component: Component;
	readonly scope: Scope;
}

export interface InstanceRef {
	readonly exports: ReadonlyMap<string, Item>;
}

export type Item =
	| { readonly sort: "func"; readonly ref: FunctionRef }
	| { readonly sort: "type"; readonly ref: TypeItem }
	| { readonly sort: "instance"; readonly ref: InstanceRef }
	| { readonly sort: "component"; readonly ref: ComponentRef }
	| { readonly sort: "core module"; readonly ref: ModuleRef };

/** The component passed validation, so an index that leads nowhere is an error of ours. */
function at<T>(space: readonly T[], index: number, what: string): T {
	const found = space[index];
	if (found === undefined) throw new Error(`validated component has no ${what} ${index}`);
	return found;
}

/** The index spaces of one component instance while it is inlined. */
export class Scope implements TypeSpace {
	/** The lexically enclosing component's scope. */
	readonly outer: Scope | null;
	/** Index of the component instance in the plan. */
	readonly instance: number;
	readonly core: Record<"func" | "table" | "memory" | "global" | "tag", CoreItem[]> = {
		func: [],
		table: [],
		memory: [],
		global: [],
		tag: [],
	};
	readonly coreInstances: CoreInstanceRef[] = [];
	readonly modules: ModuleRef[] = [];
	readonly funcs: FunctionRef[] = [];
	readonly types: TypeItem[] = [];
	readonly components: ComponentRef[] = [];
	readonly instances: InstanceRef[] = [];

	constructor(outer: Scope | null, instance: number) {
		this.outer = outer;
		this.instance = instance;
	}

	enclosing(count: number): Scope {
		if (count === 0) return this;
		if (this.outer === null) throw new Error(`validated component has no enclosing component ${count}`);
		return this.outer.enclosing(count - 1);
	}

	coreItem(sort: CoreSort, index: number): CoreItem {
		if (sort === "type" || sort === "module" || sort === "instance") throw new Error(`core ${sort} is not a core item`);
		return at(this.core[sort], index, `core ${sort}`);
	}

	coreInstance(index: number): CoreInstanceRef {
		return at(this.coreInstances, index, "core instance");
	}

	module(index: number): ModuleRef {
		return at(this.modules, index, "core module");
	}

	func(index: number): FunctionRef {
		return at(this.funcs, index, "function");
	}

	component(index: number): ComponentRef {
		return at(this.components, index, "component");
	}

	type(index: number): TypeItem {
		return at(this.types, index, "type");
	}

	valueType(index: number): ValueType {
		const item = this.type(index);
		if (item.kind !== "value") throw new Error(`type ${index} is not a value type`);
		return item.type;
	}

	resourceType(index: number): ResourceType {
		const item = this.type(index);
		if (item.kind !== "resource") throw new Error(`type ${index} is not a resource type`);
		return item.resource;
	}

	functionType(index: number): FunctionType {
		const item = this.type(index);
		if (item.kind !== "func") throw new Error(`type ${index} is not a function type`);
		return item;
	}

	define(expr: DefinedTypeExpr): TypeItem {
		return { kind: "value", type: resolveDefinedType(expr, this) };
	}

	defineFunction(expr: FunctionTypeExpr): TypeItem {
		return resolveFunctionType(expr, this);
	}

	item(sort: Sort, index: number): Item {
		switch (sort) {
			case "func":
				return { sort, ref: this.func(index) };
			case "type":
				return { sort, ref: this.type(index) };
			case "instance":
				return { sort, ref: at(this.instances, index, "instance") };
			case "component":
				return { sort, ref: this.component(index) };
			case "core module":
				return { sort, ref: this.module(index) };
			default:
				throw new Error(`${sort} cannot be passed between components`);
		}
	}

	/** Appends an item to the index space of its sort. */
	add(item: Item): void {
		switch (item.sort) {
			case "func":
				this.funcs.push(item.ref);
				break;
			case "type":
				this.types.push(item.ref);
				break;
			case "instance":
				this.instances.push(item.ref);
				break;
			case "component":
				this.components.push(item.ref);
				break;
			case "core module":
				this.modules.push(item.ref);
				break;
		}
	}
}
