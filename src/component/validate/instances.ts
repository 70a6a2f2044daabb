import { type CoreExternType, type CoreModuleType, matchCoreExternType } from "../../wasm/mod.ts";
import type { CoreInstanceDefinition, CoreSortIndex, InstanceDefinition, SortIndex } from "../ast.ts";
import { matchExternType, ResourceBindings } from "../match.ts";
import type { ComponentType, ExternType, InstanceType, ResourceType } from "../types.ts";
import { typeOfItem } from "./externs.ts";
import { createResource } from "./identity.ts";
import { invalid } from "./invalid.ts";
import { checkTypeExtent } from "./measure.ts";
import { NameScope } from "./name-scope.ts";
import type { CoreInstanceType, Scope } from "./scope.ts";
import { Substitution } from "./substitute.ts";

export function validateCoreInstance(scope: Scope, { expr, offset }: CoreInstanceDefinition): void {
	if (expr.kind === "exports") {
		const exports = new Map<string, CoreExternType>();
		for (const { name, item } of expr.exports) {
			if (exports.has(name)) throw invalid(`export name \`${name}\` already defined`, offset);
			exports.set(name, coreItem(scope, item, offset));
		}
		scope.coreInstances.add(exports, offset);
		return;
	}
	const module = scope.coreModules.get(expr.module, offset);
	const args = new Map<string, CoreInstanceType>();
	for (const { name, instance } of expr.args) {
		if (args.has(name)) throw invalid(`duplicate module instantiation argument named \`${name}\``, offset);
		args.set(name, scope.coreInstances.get(instance, offset));
	}
	checkModuleArgs(scope, module, args, offset);
	scope.coreInstances.add(module.exports, offset);
}

function coreItem(scope: Scope, { sort, index }: CoreSortIndex, offset: number): CoreExternType {
	switch (sort) {
		case "func":
			return scope.coreFuncs.get(index, offset);
		case "table":
			return scope.coreTables.get(index, offset);
		case "memory":
			return scope.coreMemories.get(index, offset);
		case "global":
			return scope.coreGlobals.get(index, offset);
		case "tag":
			return scope.coreTags.get(index, offset);
		default:
			throw invalid(`a core ${sort} cannot be exported from a core instance`, offset);
	}
}

function checkModuleArgs(
	scope: Scope,
	module: CoreModuleType,
	args: ReadonlyMap<string, CoreInstanceType>,
	offset: number,
): void {
	for (const { module: from, name, type } of module.imports) {
		scope.work.step();
		const instance = args.get(from);
		if (instance === undefined) throw invalid(`missing module instantiation argument named \`${from}\``, offset);
		const item = instance.get(name);
		if (item === undefined) {
			throw invalid(`module instantiation argument \`${from}\` does not export an item named \`${name}\``, offset);
		}
		const mismatch = matchCoreExternType(item, type);
		if (mismatch !== null) {
			throw invalid(
				`type mismatch for export \`${name}\` of module instantiation argument \`${from}\`: ${mismatch}`,
				offset,
			);
		}
	}
}

export function validateInstance(scope: Scope, { expr, offset }: InstanceDefinition): void {
	const exports = new Map<string, ExternType>();
	if (expr.kind === "exports") {
		const names = new NameScope("export");
		for (const { name, item } of expr.exports) {
			const type = typeOfItem(scope, item);
			names.define(name, type, offset, false);
			exports.set(name.name, type);
		}
		const instance = { exports };
		checkTypeExtent(instance, offset);
		scope.instances.add(instance, offset);
		return;
	}
	const component = scope.components.get(expr.component, offset);
	scope.instances.add(instantiate(scope, component, collectArgs(scope, expr.args, offset), offset), offset);
}

function collectArgs(
	scope: Scope,
	args: readonly { readonly name: string; readonly item: SortIndex }[],
	offset: number,
): ReadonlyMap<string, ExternType> {
	const types = new Map<string, ExternType>();
	for (const { name, item } of args) {
		if (types.has(name)) {
			throw invalid(`instantiation argument \`${name}\` conflicts with previous argument \`${name}\``, offset);
		}
		types.set(name, typeOfItem(scope, item));
	}
	return types;
}

/** The instance that comes of a component with these arguments: their resources put in, those it creates made anew. */
function instantiate(
	scope: Scope,
	component: ComponentType,
	args: ReadonlyMap<string, ExternType>,
	offset: number,
): InstanceType {
	const bindings = new ResourceBindings(component.importedResources);
	for (const [name, type] of component.imports) {
		const arg = args.get(name);
		if (arg === undefined) throw invalid(`missing import named \`${name}\``, offset);
		const mismatch = matchExternType(arg, type, bindings, (count) => scope.work.step(count));
		if (mismatch !== null) throw invalid(`type mismatch for import \`${name}\`: ${mismatch}`, offset);
	}
	const replaced = new Map<ResourceType, ResourceType>(bindings.bound);
	for (const resource of component.createdResources ?? []) {
		scope.work.step();
		const copy = createResource(resource.name);
		replaced.set(resource, copy);
		scope.createdResources.push(copy);
	}
	if (replaced.size === 0 && bindings.definitions.size === 0) return { exports: component.exports };
	const substitution = new Substitution((resource) => replaced.get(resource), scope.work, bindings.definitions);
	const instance: InstanceType = { exports: substitution.exports(component.exports) };
	checkTypeExtent(instance, offset);
	return instance;
}
