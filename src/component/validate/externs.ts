import type { ExportDeclaration, ExportDefinition, ExternDesc, ImportDefinition, SortIndex } from "../ast.ts";
import { matchExternType, ResourceBindings } from "../match.ts";
import type { DefinedType, ExternType, InstanceType, ResourceType } from "../types.ts";
import { unsupported } from "./gates.ts";
import { createResource, nameResources, renameType } from "./identity.ts";
import { invalid } from "./invalid.ts";
import { checkTypeExtent } from "./measure.ts";
import type { Scope } from "./scope.ts";
import { Substitution } from "./substitute.ts";

/** The type of an import or export with this description. New resources go to `created`. */
function resolveDesc(scope: Scope, desc: ExternDesc, name: string, created: ResourceType[]): ExternType {
	switch (desc.kind) {
		case "core module":
			return { kind: "core module", type: scope.moduleType(desc.type) };
		case "func":
			return { kind: "func", type: scope.functionType(desc.type) };
		case "value":
			throw unsupported("values", scope.work.offset);
		case "type": {
			if (desc.bound.kind === "eq") {
				return { kind: "type", type: renameType(scope.types.get(desc.bound.type, scope.work.offset)) };
			}
			const resource = createResource(name);
			created.push(resource);
			return { kind: "type", type: { kind: "resource", resource } };
		}
		case "component":
			return { kind: "component", type: scope.componentType(desc.type) };
		case "instance":
			return { kind: "instance", type: openInstance(scope, scope.instanceType(desc.type), name, created) };
	}
}

/** An instance of an instance type: the resources that the type introduces are made anew. */
function openInstance(scope: Scope, type: InstanceType, name: string, created: ResourceType[]): InstanceType {
	if (type.resources === undefined) return type;
	// An instance quantifies nothing: what is matched with it keeps the definitions that its exports stand for
	if (type.resources.length === 0) return { exports: type.exports };
	const fresh = new Map<ResourceType, ResourceType>();
	for (const resource of type.resources) {
		const copy = createResource(resource.name.includes("#") ? resource.name : `${name}#${resource.name}`);
		fresh.set(resource, copy);
		created.push(copy);
	}
	const opened: InstanceType = {
		exports: new Substitution((resource) => fresh.get(resource), scope.work).exports(type.exports),
	};
	checkTypeExtent(opened, scope.work.offset);
	return opened;
}

export function validateImport(scope: Scope, definition: ImportDefinition): void {
	const { name, offset } = definition;
	const type = resolveDesc(scope, definition.desc, name.name, scope.importedResources);
	scope.importNames.define(name, type, offset, true);
	if (!scope.importVisible.admit(type)) throw notVisible(type, "import", offset);
	if (namesCreated(scope, type)) throw invalid("local resource type found in imports", offset);
	scope.exportVisible.name(type);
	scope.imports.set(name.name, type);
	scope.add(type);
}

/** Whether an import gives a name to a resource that the component itself makes: nobody has it yet who could supply it. */
function namesCreated(scope: Scope, type: ExternType): boolean {
	scope.work.step();
	if (type.kind === "instance") return type.type.exports.values().some((item) => namesCreated(scope, item));
	if (type.kind !== "type" || type.type.kind !== "resource") return false;
	scope.work.step(scope.createdResources.length);
	return scope.createdResources.includes(type.type.resource);
}

export function validateExportDeclaration(scope: Scope, declaration: ExportDeclaration): void {
	const { name, offset } = declaration;
	const type = resolveDesc(scope, declaration.desc, name.name, scope.createdResources);
	scope.exportNames.define(name, type, offset, true);
	// An instance type may hide what it mentions until it is imported or exported itself
	if (scope.kind !== "instance type" && !scope.exportVisible.admit(type)) throw notVisible(type, "export", offset);
	scope.exports.set(name.name, type);
	scope.add(type);
}

export function validateExport(scope: Scope, definition: ExportDefinition): void {
	const { name, offset } = definition;
	const actual = typeOfItem(scope, definition.item);
	const type = definition.desc === undefined ? exported(actual) : ascribe(scope, actual, definition.desc, name.name);
	scope.exportNames.define(name, type, offset, true);
	if (!scope.exportVisible.admit(type)) throw notVisible(type, "export", offset);
	nameResources(type, name.name);
	scope.exports.set(name.name, type);
	scope.add(type);
}

function exported(type: ExternType): ExternType {
	return type.kind === "type" ? { kind: "type", type: renameType(type.type) } : type;
}

function ascribe(scope: Scope, actual: ExternType, desc: ExternDesc, name: string): ExternType {
	const opaque: ResourceType[] = [];
	const type = resolveDesc(scope, desc, name, opaque);
	const mismatch = matchExternType(actual, type, new ResourceBindings(opaque), (count) => scope.work.step(count));
	if (mismatch !== null) {
		throw invalid(`ascribed type of export is not compatible with item's type: ${mismatch}`, scope.work.offset);
	}
	scope.createdResources.push(...opaque);
	return type;
}

function notVisible(type: ExternType, role: "import" | "export", offset: number): Error {
	return invalid(`${type.kind} not valid to be used as ${role}: it mentions a type that has no name outside`, offset);
}

/** The type of what a `sortidx` denotes. */
export function typeOfItem(scope: Scope, { sort, index }: SortIndex): ExternType {
	const { offset } = scope.work;
	switch (sort) {
		case "core module":
			return { kind: "core module", type: scope.coreModules.get(index, offset) };
		case "func":
			return { kind: "func", type: scope.funcs.get(index, offset) };
		case "type":
			return { kind: "type", type: scope.types.get(index, offset) };
		case "component":
			return { kind: "component", type: scope.components.get(index, offset) };
		case "instance":
			return { kind: "instance", type: scope.instances.get(index, offset) };
		case "value":
			throw unsupported("values", offset);
		default:
			throw invalid(`a ${sort} cannot be exported or passed`, offset);
	}
}

/** Whether a type mentions resources that it does not itself introduce. */
export function mentionsResources(type: DefinedType, scope: Scope): boolean {
	const bound = new Set<ResourceType>();
	collectBound({ kind: "type", type }, bound, scope);
	let found = false;
	// A substitution asks for every resource that is mentioned; this one replaces none
	const probe = new Substitution((resource) => {
		found ||= !bound.has(resource);
		return undefined;
	}, scope.work);
	probe.extern({ kind: "type", type });
	return found;
}

function collectBound(type: ExternType, bound: Set<ResourceType>, scope: Scope): void {
	scope.work.step();
	const target = type.kind === "type" ? type.type : type;
	if (target.kind !== "instance" && target.kind !== "component") return;
	const { type: inner } = target;
	if ("imports" in inner) {
		for (const resource of [...(inner.importedResources ?? []), ...(inner.createdResources ?? [])]) bound.add(resource);
		for (const item of inner.imports.values()) collectBound(item, bound, scope);
	} else {
		for (const resource of inner.resources ?? []) bound.add(resource);
	}
	for (const item of inner.exports.values()) collectBound(item, bound, scope);
}
