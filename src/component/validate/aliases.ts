import type { AliasDefinition, AliasTarget, Sort } from "../ast.ts";
import type { ExternType } from "../types.ts";
import { mentionsResources } from "./externs.ts";
import { unsupported } from "./gates.ts";
import { invalid } from "./invalid.ts";
import type { Scope } from "./scope.ts";

export function validateAlias(scope: Scope, { sort, target, offset }: AliasDefinition): void {
	if (scope.kind !== "component") checkDeclarator(sort, target, offset);
	switch (target.kind) {
		case "export":
			scope.add(exportOf(scope, sort, target.instance, target.name, offset));
			break;
		case "core export": {
			const instance = scope.coreInstances.get(target.instance, offset);
			const item = instance.get(target.name);
			if (item === undefined) {
				throw invalid(`core instance ${target.instance} has no export named \`${target.name}\``, offset);
			}
			if (`core ${item.kind}` !== sort) {
				throw invalid(
					`export \`${target.name}\` for core instance ${target.instance} is not a ${sort.slice(5)}`,
					offset,
				);
			}
			scope.addCore(item);
			break;
		}
		case "outer":
			addOuter(scope, sort, target.count, target.index, offset);
			break;
	}
}

/** Within component and instance types fewer sorts can be aliased. */
function checkDeclarator(sort: Sort, target: AliasTarget, offset: number): void {
	const allowed =
		target.kind === "outer"
			? sort === "type" || sort === "core type"
			: target.kind === "export" && (sort === "type" || sort === "instance");
	if (!allowed) throw invalid("aliases in component and instance types may only refer to types or instances", offset);
}

function exportOf(scope: Scope, sort: Sort, index: number, name: string, offset: number): ExternType {
	if (sort === "value") throw unsupported("values", offset);
	const item = scope.instances.get(index, offset).exports.get(name);
	if (item === undefined) throw invalid(`instance ${index} has no export named \`${name}\``, offset);
	if (item.kind !== sort) {
		throw invalid(`export \`${name}\` for instance ${index} is not a ${sort.replace("core ", "")}`, offset);
	}
	return item;
}

function addOuter(scope: Scope, sort: Sort, count: number, index: number, offset: number): void {
	const outer = scope.outer(count);
	switch (sort) {
		case "core module":
			scope.add({ kind: "core module", type: outer.coreModules.get(index, offset) });
			break;
		case "component":
			scope.add({ kind: "component", type: outer.components.get(index, offset) });
			break;
		case "core type": {
			const entry = outer.coreTypes.get(index, offset);
			scope.coreTypes.add(entry, offset);
			if (entry.kind === "module") scope.recTypes.skip();
			else scope.recTypes.alias(outer.recTypes, index, offset);
			break;
		}
		default: {
			const type = outer.types.get(index, offset);
			if (leavesComponent(scope, count) && mentionsResources(type, scope)) {
				throw invalid(
					"cannot alias outer type which transitively refers to resources not defined in the current component",
					offset,
				);
			}
			scope.add({ kind: "type", type });
		}
	}
}

/** Whether one of the scopes between this one and the one `count` levels out is a component: resources do not cross it. */
function leavesComponent(scope: Scope, count: number): boolean {
	let inner: Scope | null = scope;
	for (let i = 0; i < count && inner !== null; i++) {
		if (inner.kind === "component") return true;
		inner = inner.parent;
	}
	return false;
}
