import { type Component, type ComponentType, decodeComponent, validateComponent } from "../component/mod.ts";
import { type CompileCache, digest, type LoadedModule } from "../engine/mod.ts";
import type { MeteringMode } from "../fault/mod.ts";
import type { RewriteOptions } from "../rewrite/mod.ts";
import { identifyCode } from "./code-identity.ts";
import { bindImports, type HostImports } from "./imports.ts";
import type { Features } from "./plan/features.ts";
import { createPlan } from "./plan/inline.ts";
import { isPacked, listModules, type PackedComponent, unpackComponent } from "./packed.ts";
import type { Linked } from "./linked.ts";
import type { Planned } from "./plan/plan.ts";
import { bindCode, defineCode, shareCode, type SharedCode, toLinked } from "./shared-code.ts";

/** A component that was decoded and found valid. */
export interface LoadedComponent {
	/** Its binary. */
	readonly bytes: Uint8Array;
	readonly component: Component;
	readonly type: ComponentType;
	/** What it was packed with. */
	readonly packed?: PackedComponent;
}

/** @throws SkerryError `binary/*` or `component/invalid`, with the offset */
export function loadComponent(bytes: Uint8Array): LoadedComponent {
	const component = decodeComponent(bytes);
	return { bytes, component, type: validateComponent(component) };
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
	/** Lets short lists of numbers that the host gets share buffers; off by default. */
	readonly sharedBuffers?: boolean | undefined;
}

/**
 * As `loadComponent`, for what `skerry compile` made, too; and begins meanwhile to load the core modules, as `linkComponent` will want them.
 * @throws SkerryError also `artefact/damaged`
 */
export async function openComponent(
	source: Uint8Array,
	cache: CompileCache,
	options: LinkOptions = {},
): Promise<LoadedComponent> {
	const packed = isPacked(source) ? await unpackComponent(source) : undefined;
	const bytes = packed?.bytes ?? source;
	const component = decodeComponent(bytes);
	const rewriting = toRewriteOptions(options, packed);
	const preparing = listModules(component).map((module) => cache.prepare(module.bytes, rewriting, packed?.modules));
	const type = validateComponent(component);
	await Promise.all(preparing);
	return { bytes, component, type, ...(packed === undefined ? {} : { packed }) };
}

/** What is done to each core module. */
export function toRewriteOptions(options: LinkOptions, packed?: PackedComponent): RewriteOptions {
	const { metering = packed?.metering ?? "trap", verify = true } = options;
	return { metering, verify };
}

/**
 * Binds imports, flattens the component and compiles its core modules: what is left to do for a sandbox is to instantiate. Components
 * that differ in their initial state only share all else.
 * @throws SkerryError `link/missing-imports`, `link/unsupported`, `core/invalid`
 */
export async function linkComponent(
	loaded: LoadedComponent,
	host: HostImports,
	cache: CompileCache,
	options: LinkOptions = {},
): Promise<Linked> {
	const { bytes, component, type, packed } = loaded;
	// Imports first: what is missing tells a user more than what cannot be linked yet.
	bindImports(type, host);
	const rewriting = toRewriteOptions(options, packed);
	const listed = listModules(component);
	const load = async (index: number): Promise<LoadedModule> => {
		const { bytes: module, offset } = listed[index] as ModuleBytes;
		return await cache.load(module, offset, rewriting, packed?.modules);
	};
	const make = async (): Promise<SharedCode> => {
		const { plan, modules } = createPlan(component, type, options.features);
		const ordinals = modules.map(({ bytes: module }) => listed.findIndex((item) => item.bytes === module));
		return defineCode(plan, type, ordinals, await Promise.all(ordinals.map(load)), rewriting, options);
	};
	const keys = await Promise.all(listed.map((_, index) => load(index).then(({ code }) => code, toNothing)));
	// A module that cannot be loaded does not matter unless it is instantiated.
	const identity = keys.includes(undefined)
		? undefined
		: await digest(identifyCode(component, bytes, (at) => keys[listed.findIndex(({ offset }) => offset === at)] ?? ""));
	const code =
		identity === undefined ? await make() : await shareCode(cache, `${identity} ${toKey(rewriting, options)}`, make);
	const modules = code.ordinals.map(async (index) => {
		return { loaded: await load(index), offset: (listed[index] as ModuleBytes).offset };
	});
	return toLinked(bindCode(code, host), await Promise.all(modules));
}

/** Compiles what was planned, which shares nothing but compiled modules, and binds what it imports. */
export async function linkPlan(
	{ plan, modules }: Planned,
	type: ComponentType,
	host: HostImports,
	cache: CompileCache,
	options: LinkOptions,
	packed?: PackedComponent,
): Promise<Linked> {
	const rewriting = toRewriteOptions(options, packed);
	const loading = modules.map(async ({ bytes, offset }) => {
		return { loaded: await cache.load(bytes, offset, rewriting, packed?.modules), offset };
	});
	const loaded = await Promise.all(loading);
	const parts = loaded.map((module) => module.loaded);
	const code = defineCode(plan, type, [...parts.keys()], parts, rewriting, options);
	return toLinked(bindCode(code, host), loaded);
}

type ModuleBytes = ReturnType<typeof listModules>[number];

function toNothing(): undefined {}

/** What else makes sandboxes differ. */
export function toKey({ metering, verify }: RewriteOptions, options: LinkOptions = {}): string {
	const { features, lenientCancel = false, sharedBuffers = false } = options;
	const { stackful = false, threads = false, asyncCancel = false } = features ?? {};
	return [metering, verify, stackful, threads, asyncCancel, lenientCancel, sharedBuffers].join(" ");
}
