import type { ArtefactStore, CompileCache } from "../engine/mod.ts";
import { type ComponentGraph, resolveGraph } from "./graph.ts";
import { bindImports, type HostImports } from "./imports.ts";
import { createGraphPlan, type ResolvedGraph } from "./plan/inline.ts";
import type { Linked } from "./linked.ts";
import { type LinkOptions, linkPlan } from "./link.ts";
import type { PackedComponent } from "./packed.ts";

/** Components whose imports were matched with one another's exports. */
export interface Composed {
	readonly resolved: ResolvedGraph;
	readonly packed: PackedComponent | undefined;
}

/**
 * Links components to one another as far as it goes without the host: what is left to import and what is exported is in
 * `resolved.type`.
 * @throws SkerryError `link/graph`, listing all that is wrong
 */
export function composeComponents(graph: ComponentGraph): Composed {
	const resolved = resolveGraph(graph);
	const packed = [...graph.nodes.values()].flatMap((loaded) => loaded.packed ?? []);
	const [first] = packed;
	if (first === undefined) return { resolved, packed: undefined };
	return { resolved, packed: { ...first, modules: new Stores(packed.map(({ modules }) => modules)) } };
}

/**
 * Binds what is left of the imports, and makes one plan of all components: they live in one store, as if they were nested in one component.
 * @throws SkerryError `link/missing-imports`, `link/unsupported`, `core/invalid`
 */
export async function linkComposed(
	{ resolved, packed }: Composed,
	host: HostImports,
	cache: CompileCache,
	options: LinkOptions = {},
): Promise<Linked> {
	// What is missing comes before what cannot be linked yet.
	bindImports(resolved.type, host);
	const planned = createGraphPlan(resolved, options.features);
	return await linkPlan(planned, resolved.type, host, cache, options, packed);
}

/** Several stores to read from. */
class Stores implements ArtefactStore {
	readonly #stores: readonly ArtefactStore[];

	constructor(stores: readonly ArtefactStore[]) {
		this.#stores = stores;
	}

	async read(name: string): Promise<Uint8Array | undefined> {
		for (const store of this.#stores) {
			const found = await store.read(name);
			if (found !== undefined) return found;
		}
		return undefined;
	}

	/** What is packed is not changed. */
	write(): Promise<void> {
		return Promise.resolve();
	}
}
