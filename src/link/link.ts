import { type Component, type ComponentType, decodeComponent, validateComponent } from "../component/mod.ts";
import type { CompileCache } from "../engine/mod.ts";
import { bindImports, type HostImports } from "./imports.ts";
import { createPlan } from "./inline.ts";
import type { Linked } from "./instantiate.ts";

/** A component that was decoded and found valid. */
export interface LoadedComponent {
	readonly component: Component;
	readonly type: ComponentType;
}

/** @throws SkerryError `binary/*` or `component/invalid`, with the offset */
export function loadComponent(bytes: Uint8Array): LoadedComponent {
	const component = decodeComponent(bytes);
	return { component, type: validateComponent(component) };
}

/**
 * Binds imports, flattens the component and compiles its core modules: what is left to do for a sandbox is to instantiate.
 * @throws SkerryError `link/missing-imports`, `link/unsupported`, `core/invalid`
 */
export async function linkComponent(loaded: LoadedComponent, host: HostImports, cache: CompileCache): Promise<Linked> {
	// Imports first: what is missing tells a user more than what cannot be linked yet.
	const binding = bindImports(loaded.type, host);
	const plan = createPlan(loaded.component, loaded.type);
	const modules = await Promise.all(plan.modules.map(({ bytes, offset }) => cache.compile(bytes, offset)));
	return { plan, modules, functions: plan.host.map((slot) => binding.function(slot)), resources: binding.resources };
}
