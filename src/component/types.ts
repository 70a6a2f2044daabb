/**
 * Resolved types: no indices, resources by identity. Shared by validation, linking and the canonical ABI.
 * A type object is immutable; parts above may cache what they derive from it in a WeakMap keyed by the object.
 */
import type { CoreModuleType } from "../wasm/mod.ts";
import type { PrimitiveKind } from "./ast.ts";

/** A resource type. Two are the same when the objects are the same. */
export interface ResourceType {
	/** For messages, such as `wasi:http/types#fields`; empty where the binary gives none. */
	readonly name: string;
}

export interface Field {
	/** As in the binary (kebab-case). */
	readonly name: string;
	/** The property of the JavaScript object (camelCase). */
	readonly key: string;
	readonly type: ValueType;
}

export interface Case {
	readonly name: string;
	readonly type: ValueType | null;
}

export type ValueType =
	| { readonly kind: PrimitiveKind }
	| { readonly kind: "record"; readonly fields: readonly Field[] }
	| { readonly kind: "variant"; readonly cases: readonly Case[] }
	| { readonly kind: "list"; readonly element: ValueType; readonly length?: number }
	| { readonly kind: "map"; readonly key: ValueType; readonly value: ValueType }
	| { readonly kind: "tuple"; readonly elements: readonly ValueType[] }
	| { readonly kind: "flags"; readonly names: readonly string[]; readonly keys: readonly string[] }
	| { readonly kind: "enum"; readonly names: readonly string[] }
	| { readonly kind: "option"; readonly element: ValueType }
	| { readonly kind: "result"; readonly ok: ValueType | null; readonly err: ValueType | null }
	| { readonly kind: "own" | "borrow"; readonly resource: ResourceType }
	| { readonly kind: "stream" | "future"; readonly element: ValueType | null };

export interface Parameter {
	readonly name: string;
	readonly type: ValueType;
}

export interface FunctionType {
	readonly kind: "func";
	readonly async: boolean;
	readonly params: readonly Parameter[];
	readonly result: ValueType | null;
}

/** The type of an instance, or (with `resources`) a type that stands for many: each import or export of it makes new resources. */
export interface InstanceType {
	readonly exports: ReadonlyMap<string, ExternType>;
	/** The abstract resources that a type definition introduces; none for an instance that is there. */
	readonly resources?: readonly ResourceType[];
}

export interface ComponentType {
	/** In the order of the binary: later imports may use types of earlier ones. */
	readonly imports: ReadonlyMap<string, ExternType>;
	readonly exports: ReadonlyMap<string, ExternType>;
	/** The abstract resources among the imports: whoever instantiates the component supplies them. */
	readonly importedResources?: readonly ResourceType[];
	/** The resources that each instantiation makes anew. */
	readonly createdResources?: readonly ResourceType[];
}

/** What a type definition can denote. */
export type DefinedType =
	| { readonly kind: "value"; readonly type: ValueType }
	| { readonly kind: "resource"; readonly resource: ResourceType }
	| FunctionType
	| { readonly kind: "component"; readonly type: ComponentType }
	| { readonly kind: "instance"; readonly type: InstanceType };

export type ExternType =
	| { readonly kind: "core module"; readonly type: CoreModuleType }
	| { readonly kind: "func"; readonly type: FunctionType }
	| { readonly kind: "value"; readonly type: ValueType }
	| { readonly kind: "type"; readonly type: DefinedType }
	| { readonly kind: "component"; readonly type: ComponentType }
	| { readonly kind: "instance"; readonly type: InstanceType };
