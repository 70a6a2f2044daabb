import type { ComponentGraph } from "../link/mod.ts";
import type { Source } from "./source.ts";

/**
 * Components that are linked to one another, as data. An import for which there is no edge comes from the host.
 *
 * `{ nodes: { app, store }, edges: [{ node: "app", import: "acme:kv/store", from: "store" }] }`
 */
export interface Composition {
	/** Components by the names that edges, and errors, call them. The same source may stand under several. */
	readonly nodes: Readonly<Record<string, Source>>;
	readonly edges: readonly CompositionEdge[];
	/** What the whole exports; left out, all exports of the nodes that no edge comes from. */
	readonly exports?: readonly CompositionExport[];
}

/** An import of one node is given an export of another. Names may leave the version out, and find a compatible one. */
export type CompositionEdge = ComponentGraph["edges"][number];

/** What the whole exports of one node: all of it, or one export, which may be given another name. */
export type CompositionExport = NonNullable<ComponentGraph["exports"]>[number];
