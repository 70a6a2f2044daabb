import { type Component, type ComponentType, decodeComponent, validateComponent } from "../component/mod.ts";
import { type CompileCache, interruptFlag } from "../engine/mod.ts";
import type { MeteringMode } from "../fault/mod.ts";
import type { RewriteOptions } from "../rewrite/mod.ts";
import { bindImports, type HostImports } from "./imports.ts";
import { createPlan, type Features } from "./inline.ts";
import { isPacked, listModules, type PackedComponent, unpackComponent } from "./packed.ts";
import type { Linked } from "./instantiate.ts";
import type { Plan } from "./plan.ts";

/** A component that was decoded and found valid. */
export interface LoadedComponent {
	readonly component: Component;
	readonly type: ComponentType;
	/** What it was packed with. */
	readonly packed?: PackedComponent;
}

/** @throws SkerryError `binary/*` or `component/invalid`, with the offset */
export function loadComponent(bytes: Uint8Array): LoadedComponent {
	const component = decodeComponent(bytes);
	return { component, type: validateComponent(component) };
}

export interface LinkOptions {
	/** How guests are stopped that hold the thread; `trap` by default. */
	readonly metering?: MeteringMode | undefined;
	/** Whether what was rewritten is proven to be the guest's own code; takes as long as the rewriting. On by default. */
	readonly verify?: boolean;
	/** Gated features of the component model that are switched on. */
	readonly features?: Features | undefined;
	/**
	 * Lets guests cancel a copy synchronously while the end of the stream or future is in a waitable set. The specification traps there;
	 * guests built before that became final (wit-bindgen of 2025) rely on it.
	 */
	readonly lenientCancel?: boolean | undefined;
}

/**
 * As `loadComponent`, for what `skerry compile` made, too; and begins meanwhile to load the core modules, as `linkComponent` will want them.
 * @throws SkerryError also `artefact/damaged`
 */
export async function openComponent(
	bytes: Uint8Array,
	cache: CompileCache,
	options: LinkOptions = {},
): Promise<LoadedComponent> {
	const packed = isPacked(bytes) ? await unpackComponent(bytes) : undefined;
	const component = decodeComponent(packed?.bytes ?? bytes);
	const rewriting = toRewriteOptions(options, packed);
	const preparing = listModules(component).map((module) => cache.prepare(module.bytes, rewriting, packed?.modules));
	const type = validateComponent(component);
	await Promise.all(preparing);
	return { component, type, ...(packed === undefined ? {} : { packed }) };
}

/** What is done to each core module. */
export function toRewriteOptions(options: LinkOptions, packed?: PackedComponent): RewriteOptions {
	const { metering = packed?.metering ?? "trap", verify = true } = options;
	return { metering, verify };
}

/**
 * Binds imports, flattens the component and compiles its core modules: what is left to do for a sandbox is to instantiate.
 * @throws SkerryError `link/missing-imports`, `link/unsupported`, `core/invalid`
 */
export async function linkComponent(
	loaded: LoadedComponent,
	host: HostImports,
	cache: CompileCache,
	options: LinkOptions = {},
): Promise<Linked> {
	// Imports first: what is missing tells a user more than what cannot be linked yet.
	const binding = bindImports(loaded.type, host);
	const plan = createPlan(loaded.component, loaded.type, options.features);
	const compiled = await compilePlan(plan, cache, options, loaded.packed);
	return {
		...compiled,
		functions: compiled.plan.host.map((slot) => binding.function(slot)),
		resources: binding.resources,
		lenientCancel: options.lenientCancel === true,
	};
}

/** Rewrites and compiles the core modules of a plan. */
export async function compilePlan(
	plan: Plan,
	cache: CompileCache,
	options: LinkOptions,
	packed?: PackedComponent,
): Promise<Pick<Linked, "plan" | "metering" | "modules" | "states" | "owned" | "origins">> {
	const rewriting = toRewriteOptions(options, packed);
	const loading = plan.modules.map(({ bytes, offset }) => cache.load(bytes, offset, rewriting, packed?.modules));
	const prepared = await Promise.all(loading);
	if (prepared.some(({ imports }) => imports?.flag !== undefined)) interruptFlag().watch();
	return {
		plan,
		metering: rewriting.metering,
		modules: prepared.map(({ module }) => module),
		states: prepared.map(({ state }) => state),
		owned: prepared,
		origins: prepared.map(({ sites }, i) => ({ offset: plan.modules[i]?.offset ?? 0, sites })),
	};
}
