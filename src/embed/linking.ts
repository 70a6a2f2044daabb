import { isAsync } from "../abi/mod.ts";
import type { ComponentType, ExternType } from "../component/mod.ts";
import type { CompileCache } from "../engine/mod.ts";
import { inFile, SkerryError } from "../fault/mod.ts";
import {
	composeComponents,
	type HostImports,
	type Linked,
	linkComponent,
	linkComposed,
	linkCoreModule,
	type LinkOptions,
	loadCoreModule,
	openComponent,
} from "../link/mod.ts";
import { WASI_HOST, WASI_P1 } from "../wasi/mod.ts";
import { isCoreModule } from "../wasm/mod.ts";
import type { Composition } from "./compose.ts";
import { strayCoreImports, toCoreModules } from "./core-imports.ts";
import { type Imports, toHostImports } from "./imports.ts";
import { nameOf, readSource } from "./source.ts";

/** What was linked, and what it is. */
export interface Loaded {
	readonly kind: "component" | "core module";
	readonly linked: Linked;
	/** Names of its imports. */
	readonly imports: readonly string[];
}

/** Links a component or a core module to what the host gives, beside WASI. */
export async function linkBytes(
	bytes: Uint8Array,
	given: Imports,
	cache: CompileCache,
	options: LinkOptions,
): Promise<Loaded> {
	if (isCoreModule(bytes)) {
		const loaded = loadCoreModule(bytes);
		const { imports } = loaded.interface;
		const stray = strayCoreImports(given, imports);
		if (stray.length > 0) throw strayError("core module", stray);
		const linked = await linkCoreModule(loaded, [...toCoreModules(given), WASI_P1], cache, options);
		return { kind: "core module", linked, imports: imports.map(({ module, name }) => `${module}.${name}`) };
	}
	const loaded = await openComponent(bytes, cache, options);
	const linked = await linkToHost(loaded.type, given, (host) => linkComponent(loaded, host, cache, options));
	return { kind: "component", linked, imports: [...linked.plan.imports.keys()] };
}

/** Links components to one another, and the whole to what the host gives, beside WASI. */
export async function linkComposition(
	{ nodes: sources, edges, exports }: Composition,
	given: Imports,
	cache: CompileCache,
	options: LinkOptions,
): Promise<Loaded> {
	const nodes = await Promise.all(
		Object.entries(sources).map(async ([name, source]) => {
			try {
				return [name, await openComponent(await readSource(source), cache, options)] as const;
			} catch (error) {
				throw inFile(error, nameOf(source) ?? name);
			}
		}),
	);
	const composed = composeComponents({ nodes: new Map(nodes), edges, exports });
	const linked = await linkToHost(composed.resolved.type, given, (host) =>
		linkComposed(composed, host, cache, options),
	);
	return { kind: "component", linked, imports: [...linked.plan.imports.keys()] };
}

function strayError(kind: Loaded["kind"], stray: readonly string[]): SkerryError {
	return new SkerryError("link/missing-imports", `Cannot link the ${kind}: it does not import ${stray.join(", ")}`);
}

async function linkToHost(
	type: ComponentType,
	given: Imports,
	link: (host: HostImports) => Promise<Linked>,
): Promise<Linked> {
	const guarded = hasAsync(type.imports) || hasAsync(type.exports);
	const linked = await link(hostImports(type, given, guarded));
	// Tasks of which its world says nothing: only the plan tells. Its modules are compiled by now.
	return linked.plan.async && !guarded ? await link(hostImports(type, given, true)) : linked;
}

function hostImports(type: ComponentType, imports: Imports, guarded: boolean): HostImports {
	const { host, stray } = toHostImports(type.imports, imports, guarded);
	if (stray.length > 0) throw strayError("component", stray);
	return { ...WASI_HOST, ...host, interfaces: [...host.interfaces, ...WASI_HOST.interfaces] };
}

/** Whether there is a function whose calls are tasks. */
function hasAsync(types: ReadonlyMap<string, ExternType>): boolean {
	return [...types.values()].some((type) =>
		type.kind === "instance" ? hasAsync(type.type.exports) : type.kind === "func" && isAsync(type.type),
	);
}
