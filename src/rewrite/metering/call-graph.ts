import { countImports, type Module, namedFunctions } from "../../wasm/mod.ts";
import { NO_TABLE, type Survey } from "../survey.ts";
import { type Components, findComponents } from "./components.ts";

/**
 * Who calls whom. The nodes are the functions, one node for each type that is called indirectly, and one for all that is outside:
 * other instances and the host. An indirect call leads to its type's node, and from there to every function of that type whose
 * address is taken; calls of imports, and indirect calls of what may come from outside, lead there; and from there to whatever is
 * exported or has its address taken.
 */
export interface CallGraph {
	/** How many functions are imported: the node of each other is its index. */
	readonly imported: number;
	/** The node of all that is outside; those of types stand behind it. */
	readonly outside: number;
	/** Calls as edges, one for each place. */
	readonly edges: readonly (readonly number[] | undefined)[];
	readonly components: Components;
	/** The node that stands for each type, where it is called indirectly or can be; else 0. */
	readonly typeNodes: Uint32Array;
	/** Whether functions of other instances may be in a table, or `NO_TABLE`. */
	readonly isOpen: (table: number) => boolean;
}

export function findCalls(module: Module, survey: Survey): CallGraph {
	const imported = countImports(module).func;
	const bodies = module.functions.length;
	const outside = imported + bodies;
	const taken = addressTaken(module, survey);
	const classes = new TypeClasses(module, outside + 1);
	const openTables = findOpenTables(module, survey);
	const isOpen = (table: number): boolean => table === NO_TABLE || openTables.has(table);

	const edges: number[][] = [];
	for (let body = 0; body < bodies; body++) {
		const targets: number[] = [];
		for (let i = survey.callStarts[body] ?? 0; i < (survey.callStarts[body + 1] ?? 0); i++) {
			const callee = survey.calls[i] ?? 0;
			// A function that there is not: the module is invalid, and V8 will say so.
			if (callee < outside) targets.push(callee < imported ? outside : callee);
		}
		for (let i = survey.indirectStarts[body] ?? 0; i < (survey.indirectStarts[body + 1] ?? 0); i += 2) {
			const table = survey.indirect[i + 1] ?? NO_TABLE;
			targets.push(classes.nodeOf(survey.indirect[i] ?? 0));
			if (isOpen(table)) targets.push(outside);
		}
		edges[imported + body] = targets;
	}
	const reachable = new Set(taken);
	for (const { kind, index } of module.exports) if (kind === "func") reachable.add(index);
	edges[outside] = [...reachable].filter((index) => index >= imported && index < outside);
	const types = [
		...module.imports.flatMap(({ type }) => (type.kind === "func" ? [type.type] : [])),
		...module.functions,
	];
	for (const index of taken) {
		const type = types[index];
		if (type === undefined) continue;
		const node = classes.nodeOf(type);
		(edges[node] ??= []).push(index < imported ? outside : index);
	}

	const components = findComponents(outside + 1 + classes.count, edges);
	return { imported, outside, edges, components, typeNodes: classes.nodes, isOpen };
}

/** Functions that can be called through a table or a reference. */
export function addressTaken(module: Module, survey: Survey): ReadonlySet<number> {
	return survey.referenced.union(namedFunctions(module));
}

/** Tables in which functions of other instances may be. */
function findOpenTables(module: Module, survey: Survey): ReadonlySet<number> {
	const imported = countImports(module).table;
	const count = imported + module.tables.length;
	const open = new Set<number>();
	for (let i = 0; i < count; i++) if (i < imported || survey.changesTables) open.add(i);
	for (const { kind, index } of module.exports) if (kind === "table") open.add(index);
	// What a global holds may come from outside, and become an element.
	const foreign = module.imports.some(({ type }) => type.kind === "global" && type.type.kind === "ref");
	if (foreign) for (let i = 0; i < count; i++) open.add(i);
	return open;
}

/** Function types by what they are: only those that are alike can be called through each other. */
class TypeClasses {
	readonly #first: number;
	readonly #keys: string[] | undefined;
	readonly #nodes = new Map<string, number>();
	/** By type; 0 for those that have none. */
	readonly nodes: Uint32Array;

	/** @param first the number of the first node */
	constructor(module: Module, first: number) {
		this.#first = first;
		this.nodes = new Uint32Array(module.types.reduce((sum, group) => sum + group.length, 0));
		// Where types refer to each other or have subtypes, all of them are one class: never wrong, and rare.
		const simple = module.types.every(
			(group) =>
				group.length === 1 &&
				group.every(
					({ final, supertypes, composite }) =>
						final &&
						supertypes.length === 0 &&
						composite.kind === "func" &&
						[...composite.params, ...composite.results].every(
							(type) => type.kind === "number" || typeof type.heap === "string",
						),
				),
		);
		if (simple) this.#keys = module.types.map(([type]) => JSON.stringify(type?.composite));
	}

	get count(): number {
		return this.#nodes.size;
	}

	nodeOf(type: number): number {
		const key = this.#keys === undefined ? "" : (this.#keys[type] ?? "");
		let node = this.#nodes.get(key);
		if (node === undefined) {
			node = this.#first + this.#nodes.size;
			this.#nodes.set(key, node);
		}
		this.nodes[type] = node;
		return node;
	}
}
