import { decodeModuleInterface, moduleTypeOf } from "../wasm/mod.ts";
import type { Component, CoreModuleDefinition, Definition } from "./ast.ts";
import type { ComponentType, ResourceType } from "./types.ts";
import { validateAlias } from "./validate/aliases.ts";
import { validateCanon } from "./validate/canon.ts";
import { validateCoreType } from "./validate/core-types.ts";
import { validateExport, validateImport } from "./validate/externs.ts";
import { unsupported } from "./validate/gates.ts";
import { validateCoreInstance, validateInstance } from "./validate/instances.ts";
import { checkTypeExtent } from "./validate/measure.ts";
import { Scope } from "./validate/scope.ts";
import { Substitution } from "./validate/substitute.ts";
import { validateType } from "./validate/types.ts";
import { Work } from "./validate/work.ts";

/**
 * Checks a component by the rules of the Component Model (Explainer.md, Binary.md, CanonicalABI.md) and gives its type.
 * The bodies of core functions are not looked into: V8 does that when it compiles the modules.
 *
 * @throws SkerryError `component/invalid` or `core/invalid` for what the rules do not allow, `binary/malformed` or
 * `binary/truncated` for a core module that does not decode, `binary/limit`, and `binary/unsupported` for a gated feature;
 * each with the absolute offset.
 */
export function validateComponent(component: Component): ComponentType {
	return validateIn(component, null, new Work());
}

function validateIn(component: Component, parent: Scope | null, work: Work): ComponentType {
	const scope = new Scope("component", parent, work);
	for (const definition of component.definitions) {
		work.offset = definition.offset;
		validateDefinition(scope, definition);
	}
	work.offset = component.offset;
	const { imports, exports, importedResources } = scope;
	const type = { imports, exports, importedResources, createdResources: visibleResources(scope) };
	checkTypeExtent(type, component.offset);
	return type;
}

/** The resources made in a component that its exports mention. The others matter to nobody who instantiates it. */
function visibleResources(scope: Scope): readonly ResourceType[] {
	const mentioned = new Set<ResourceType>();
	const probe = new Substitution((resource) => {
		mentioned.add(resource);
		return undefined;
	}, scope.work);
	probe.exports(scope.exports);
	return scope.createdResources.filter((resource) => mentioned.has(resource));
}

function validateDefinition(scope: Scope, definition: Definition): void {
	switch (definition.kind) {
		case "core module":
			scope.add({ kind: "core module", type: validateModule(definition) });
			break;
		case "core instance":
			validateCoreInstance(scope, definition);
			break;
		case "core type":
			validateCoreType(scope, definition);
			break;
		case "component":
			scope.add({ kind: "component", type: validateIn(definition.component, scope, scope.work) });
			break;
		case "instance":
			validateInstance(scope, definition);
			break;
		case "alias":
			validateAlias(scope, definition);
			break;
		case "type":
			validateType(scope, definition);
			break;
		case "canon":
			validateCanon(scope, definition);
			break;
		case "import":
			validateImport(scope, definition);
			break;
		case "export":
			validateExport(scope, definition);
			break;
		case "start":
		case "value":
			throw unsupported("values", definition.offset);
	}
}

function validateModule({ bytes, offset }: CoreModuleDefinition): ReturnType<typeof moduleTypeOf> {
	return moduleTypeOf(decodeModuleInterface(bytes, offset));
}
