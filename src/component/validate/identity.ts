import type { DefinedType, ExternType, ResourceType, ValueType } from "../types.ts";

/**
 * Explainer.md, External Visibility of Types, is about which *definition* a function mentions, not about what it denotes:
 * an exported type is equal to the type that was exported, and yet another definition. Here a definition of a value type is a
 * `ValueType` object, and one of a resource is its `DefinedType` object; exporting or importing makes a new object.
 */
export type ResourceDefinition = Extract<DefinedType, { kind: "resource" }>;

/** The definition through which a handle type names its resource. */
const definitions = new WeakMap<ValueType, ResourceDefinition>();

/** The definition that another was made from by import or export. */
const origins = new WeakMap<object, object>();

type HandleType = Extract<ValueType, { kind: "own" | "borrow" }>;

export function setDefinitionOf(handle: HandleType, definition: ResourceDefinition): void {
	definitions.set(handle, definition);
}

export function definitionOf(handle: HandleType): ResourceDefinition | undefined {
	return definitions.get(handle);
}

/** The definition that `type` was made from by import or export, if it was. */
export function originOf(type: object): object | undefined {
	return origins.get(type);
}

/** Makes `copy` a name of what `original` names. */
export function copyOrigin(copy: object, original: object, translate: (origin: object) => object): void {
	const origin = origins.get(original);
	if (origin !== undefined) origins.set(copy, translate(origin));
}

/** A new definition equal to `type`: what an import or export with bound `eq` introduces. */
export function renameType(type: DefinedType): DefinedType {
	if (type.kind !== "value") {
		const renamed = { ...type };
		origins.set(renamed, type);
		return renamed;
	}
	const value: ValueType = { ...type.type };
	origins.set(value, type.type);
	if (type.type.kind === "own" || type.type.kind === "borrow") {
		const definition = definitions.get(type.type);
		if (definition !== undefined) definitions.set(value, definition);
	}
	return { kind: "value", type: value };
}

/** A resource whose name validation may still learn: it is defined first and exported, under a name, later. */
export function createResource(name: string): ResourceType {
	return { name };
}

/** Names the resources that an import or export of this name brings, where they have no full name yet. */
export function nameResources(type: ExternType, name: string): void {
	if (type.kind === "type" && type.type.kind === "resource") {
		nameResource(type.type.resource, name);
	} else if (type.kind === "instance") {
		for (const [key, item] of type.type.exports) {
			if (item.kind === "type" && item.type.kind === "resource") nameResource(item.type.resource, `${name}#${key}`);
		}
	}
}

function nameResource(resource: { name: string }, name: string): void {
	if (!resource.name.includes("#")) resource.name = name;
}
