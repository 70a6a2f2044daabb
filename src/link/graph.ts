import {
	type ComponentType,
	type ExternType,
	Instantiation,
	isCompatible,
	parseExternName,
	type ResourceType,
	resourcesOf,
} from "../component/mod.ts";
import { nearest, SkerryError } from "../fault/mod.ts";
import type { GraphArgument, GraphNode, ResolvedGraph } from "./plan/inline.ts";
import type { LoadedComponent } from "./link.ts";

/** Components by the names that edges and errors call them, and what feeds what. An import without an edge comes from the host. */
export interface ComponentGraph {
	readonly nodes: ReadonlyMap<string, LoadedComponent>;
	readonly edges: readonly GraphEdge[];
	/** What the whole exports; left out, all exports of the nodes that no edge comes from. */
	readonly exports?: readonly GraphExport[] | undefined;
}

/** An import of one node is given an export of another. Names may leave the version out, and find a compatible one. */
export interface GraphEdge {
	/** The node that imports. */
	readonly node: string;
	/** Left out: all imports of `node` that `from` exports under the same name. */
	readonly import?: string | undefined;
	readonly from: string;
	/** Left out: of the same name as the import. */
	readonly export?: string | undefined;
}

export interface GraphExport {
	readonly node: string;
	/** Left out: all exports of the node. */
	readonly export?: string | undefined;
	/** The name that the whole exports it under; its own unless given. */
	readonly as?: string | undefined;
}

/**
 * Finds for each import what it is given, checks the types on both sides, and brings the nodes in order.
 * @throws SkerryError `link/graph`, listing all that is wrong
 */
export function resolveGraph(graph: ComponentGraph): ResolvedGraph {
	return new Resolver(graph).resolve();
}

/** As many as one component may instantiate components of its own (wasmparser `MAX_WASM_COMPONENTS`). */
const MAX_NODES = 1_000;

/** An edge of one import, both of its names as in the binaries. */
interface Link {
	readonly from: string;
	readonly export: string;
	/** Whether it was asked for by the import's name. */
	readonly named: boolean;
}

/** What is known of a node once its imports are given. */
interface Instantiated {
	readonly index: number;
	readonly exports: ReadonlyMap<string, ExternType>;
	/** Something that it imports does not fit: its own resources are not to be relied on. */
	readonly failed: boolean;
}

class Resolver {
	readonly #graph: ComponentGraph;
	readonly #problems: string[] = [];
	/** By node and import. */
	readonly #links = new Map<string, Map<string, Link>>();
	readonly #done = new Map<string, Instantiated>();
	readonly #nodes: GraphNode[] = [];
	/** What the whole imports. */
	readonly #imports = new Map<string, { type: ExternType; readonly by: string }>();
	readonly #importedResources: ResourceType[] = [];
	/** Resources that nodes make, by node: nothing of the host's can mention them. */
	readonly #created = new Map<ResourceType, string>();

	constructor(graph: ComponentGraph) {
		this.#graph = graph;
	}

	resolve(): ResolvedGraph {
		const { nodes, edges } = this.#graph;
		if (nodes.size === 0) this.#problems.push("there is none");
		if (nodes.size > MAX_NODES) throw refusal(`there are ${nodes.size}, more than ${MAX_NODES}`);
		// Those that name their import first: they go before those that take what is there.
		for (const edge of edges) if (edge.import !== undefined) this.#connect(edge, edge.import);
		for (const edge of edges) if (edge.import === undefined) this.#connectAll(edge);
		for (const name of this.#order()) this.#instantiate(name);
		const { exports, types } = this.#exports();
		this.#check();
		const imports = new Map([...this.#imports].map(([name, { type }]) => [name, type]));
		const type: ComponentType = { imports, exports: types, importedResources: this.#importedResources };
		return { nodes: this.#nodes, type, exports };
	}

	#node(name: string, where: string): LoadedComponent | undefined {
		const found = this.#graph.nodes.get(name);
		if (found === undefined) {
			this.#problems.push(`${where}: there is no node ${name}${meant(name, this.#graph.nodes.keys())}`);
		}
		return found;
	}

	#ends({ node, from }: GraphEdge): { readonly importer: ComponentType; readonly exporter: ComponentType } | undefined {
		const where = `${node} ← ${from}`;
		const importer = this.#node(node, where);
		const exporter = this.#node(from, where);
		return importer && exporter && { importer: importer.type, exporter: exporter.type };
	}

	#connect(edge: GraphEdge, asked: string): void {
		const where = `${edge.node} ← ${edge.from}, import ${asked}`;
		const ends = this.#ends(edge);
		if (ends === undefined) return;
		const { imports } = ends.importer;
		const { exports } = ends.exporter;
		const wanted = findName(asked, imports.keys());
		if (wanted === undefined) {
			this.#problems.push(`${where}: ${edge.node} does not import it${meant(asked, imports.keys())}`);
		}
		const named = edge.export ?? wanted;
		if (named === undefined) return;
		const offered = edge.export === undefined ? compatible(named, exports) : findName(named, exports.keys());
		if (offered === undefined) {
			this.#problems.push(`${where}: ${edge.from} does not export ${named}${meant(named, exports.keys())}`);
		}
		if (wanted === undefined || offered === undefined) return;
		const known = this.#links.get(edge.node)?.get(wanted);
		if (known === undefined) this.#link(edge.node, wanted, { from: edge.from, export: offered, named: true });
		else this.#problems.push(`${where}: it is given twice, the first time by ${known.from}`);
	}

	#connectAll(edge: GraphEdge): void {
		const where = `${edge.node} ← ${edge.from}`;
		if (edge.export !== undefined) {
			this.#problems.push(`${where}, export ${edge.export}: for which import is not said`);
			return;
		}
		const ends = this.#ends(edge);
		if (ends === undefined) return;
		let found = false;
		for (const wanted of ends.importer.imports.keys()) {
			const offered = compatible(wanted, ends.exporter.exports);
			if (offered === undefined) continue;
			found = true;
			const known = this.#links.get(edge.node)?.get(wanted);
			if (known === undefined) this.#link(edge.node, wanted, { from: edge.from, export: offered, named: false });
			else if (!known.named) this.#problems.push(`${where}: ${wanted} comes from ${known.from} as well; name one`);
		}
		if (!found) this.#problems.push(`${where}: ${edge.node} imports nothing that ${edge.from} exports`);
	}

	#link(node: string, wanted: string, link: Link): void {
		let links = this.#links.get(node);
		if (links === undefined) this.#links.set(node, (links = new Map()));
		links.set(wanted, link);
	}

	/** The nodes, each after those that it imports from. Of nodes that need one another the first cycle is reported, and none is listed. */
	#order(): readonly string[] {
		const ordered = new Set<string>();
		const path: string[] = [];
		const stuck = new Set<string>();
		const visit = (name: string): void => {
			if (ordered.has(name) || stuck.has(name)) return;
			const at = path.indexOf(name);
			if (at !== -1) {
				const cycle = [...path.slice(at), name];
				this.#problems.push(`${cycle.join(" ← ")}: components cannot need one another`);
				for (const member of cycle) stuck.add(member);
				return;
			}
			path.push(name);
			for (const { from } of this.#links.get(name)?.values() ?? []) {
				visit(from);
				if (stuck.has(from)) stuck.add(name);
			}
			path.pop();
			if (!stuck.has(name)) ordered.add(name);
		};
		for (const name of this.#graph.nodes.keys()) visit(name);
		return [...ordered];
	}

	#instantiate(name: string): void {
		const loaded = this.#graph.nodes.get(name);
		if (loaded === undefined) throw new Error(`there is no node ${name}`);
		const instantiation = new Instantiation(loaded.type);
		const args = new Map<string, GraphArgument>();
		const before = this.#problems.length;
		let failed = false;
		for (const [wanted, type] of loaded.type.imports) {
			const link = this.#links.get(name)?.get(wanted);
			if (link === undefined) {
				args.set(wanted, { kind: "host", name: this.#fromHost(name, wanted, type, instantiation) });
				continue;
			}
			const provider = this.#done.get(link.from);
			const offered = provider?.exports.get(link.export);
			if (provider === undefined || offered === undefined) throw new Error(`node ${link.from} is out of order`);
			failed ||= provider.failed;
			const mismatch = provider.failed ? null : instantiation.give(offered, type);
			if (mismatch !== null) {
				this.#problems.push(
					`${name} ← ${link.from}, import ${wanted}: the export ${link.export} is of another type: ${mismatch}`,
				);
			}
			args.set(wanted, { kind: "export", node: provider.index, name: link.export });
		}
		const { exports, created } = instantiation.instantiate();
		for (const resource of created) this.#created.set(resource, name);
		failed ||= this.#problems.length > before;
		const index = this.#nodes.push({ component: loaded.component, args }) - 1;
		this.#done.set(name, { index, exports, failed });
	}

	/** Adds an import to those of the whole, or to what another node imports under its name. Returns the name there. */
	#fromHost(node: string, wanted: string, type: ExternType, instantiation: Instantiation): string {
		const where = `${node}, import ${wanted} from the host`;
		const known = [...this.#imports.keys()].find((name) => isCompatible(wanted, name));
		if (known === undefined) {
			this.#imports.set(wanted, { type: this.#adopt(where, type, instantiation), by: node });
			return wanted;
		}
		const shared = this.#imports.get(known)!;
		const differs = (mismatch: string | null, member = ""): void => {
			if (mismatch === null) return;
			const what = `${known}${member === "" ? "" : `#${member}`}`;
			this.#problems.push(`${where}: ${shared.by} imports ${what} with another type: ${mismatch}`);
		};
		if (type.kind !== "instance" || shared.type.kind !== "instance") {
			differs(instantiation.give(shared.type, type));
			return known;
		}
		const exports = new Map(shared.type.type.exports);
		for (const [member, memberType] of type.type.exports) {
			const other = exports.get(member);
			if (other === undefined) exports.set(member, this.#adopt(where, memberType, instantiation));
			else differs(instantiation.give(other, memberType), member);
		}
		shared.type = { kind: "instance", type: { exports } };
		return known;
	}

	/** A node's import as the whole imports it. */
	#adopt(where: string, type: ExternType, instantiation: Instantiation): ExternType {
		this.#open(type, instantiation);
		const outside = instantiation.outside(type);
		for (const resource of resourcesOf(outside)) {
			const maker = this.#created.get(resource);
			if (maker === undefined) continue;
			this.#problems.push(`${where}: it mentions the resource ${resource.name}, which is of ${maker}`);
		}
		return outside;
	}

	#open(type: ExternType, instantiation: Instantiation): void {
		if (type.kind === "instance") for (const item of type.type.exports.values()) this.#open(item, instantiation);
		else if (type.kind === "type" && type.type.kind === "resource") {
			const opened = instantiation.open(type.type.resource);
			if (opened !== undefined) this.#importedResources.push(opened);
		}
	}

	#exports(): { readonly exports: ResolvedGraph["exports"]; readonly types: ReadonlyMap<string, ExternType> } {
		const exports = new Map<string, { readonly node: number; readonly name: string }>();
		const types = new Map<string, ExternType>();
		const owners = new Map<string, string>();
		for (const { node, export: asked, as } of this.#graph.exports ?? this.#unused()) {
			const where = `the export ${as ?? asked ?? "of all"} of ${node}`;
			const loaded = this.#node(node, where);
			if (loaded === undefined) continue;
			const names = [...loaded.type.exports.keys()];
			const found = asked === undefined ? names : names.filter((name) => name === findName(asked, names));
			if (as !== undefined && !isExportName(as)) this.#problems.push(`${where}: ${as} is no name of an export`);
			if (asked === undefined && as !== undefined) this.#problems.push(`${where}: which of its exports is not said`);
			else if (asked !== undefined && found.length === 0) {
				this.#problems.push(`${where}: ${node} does not export ${asked}${meant(asked, names)}`);
			}
			const instance = this.#done.get(node);
			for (const inner of found) {
				const name = as ?? inner;
				const owner = owners.get(name);
				if (owner !== undefined) this.#problems.push(`${where}: ${name} is exported by ${owner} already`);
				owners.set(name, node);
				const type = instance?.exports.get(inner);
				if (instance === undefined || type === undefined) continue;
				exports.set(name, { node: instance.index, name: inner });
				types.set(name, type);
			}
		}
		return { exports, types };
	}

	/** The nodes that nothing is taken from. */
	#unused(): readonly GraphExport[] {
		const used = new Set<string>();
		for (const links of this.#links.values()) for (const { from } of links.values()) used.add(from);
		return [...this.#graph.nodes.keys()].filter((name) => !used.has(name)).map((node) => ({ node }));
	}

	#check(): void {
		const [first, ...more] = this.#problems;
		if (first === undefined) return;
		const text =
			more.length === 0 ? first : `${more.length + 1} problems\n${this.#problems.map((p) => `  - ${p}`).join("\n")}`;
		throw refusal(text);
	}
}

function refusal(text: string): SkerryError {
	return new SkerryError("link/graph", `Cannot link the components: ${text}`);
}

/** The name that is meant: itself, or one of a compatible version, or of any version where none is given and there is one only. */
function findName(asked: string, names: Iterable<string>): string | undefined {
	const all = [...names];
	if (all.includes(asked)) return asked;
	const found = all.filter(
		(name) => isCompatible(asked, name) || (!asked.includes("@") && name.startsWith(`${asked}@`)),
	);
	return found.length === 1 ? found[0] : undefined;
}

/** The export that may serve an import of this name. */
function compatible(wanted: string, exports: ReadonlyMap<string, ExternType>): string | undefined {
	if (exports.has(wanted)) return wanted;
	return [...exports.keys()].find((name) => isCompatible(wanted, name));
}

/** Names of functions and interfaces; what belongs to a resource is exported with it. */
function isExportName(name: string): boolean {
	const { kind } = parseExternName(name);
	return kind === "plain" || kind === "interface";
}

/** The nearest name, versions apart where none was given. */
function meant(name: string, candidates: Iterable<string>): string {
	const all = [...candidates];
	const bare = new Map(all.map((candidate) => [candidate.replace(/@.*$/, ""), candidate]));
	const found = nearest(name, all) ?? bare.get(nearest(name, bare.keys()) ?? "");
	return found === undefined ? "" : ` (did you mean ${found}?)`;
}
