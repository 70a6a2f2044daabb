import { type CodeReader, countImports, type Module, OP } from "../../wasm/mod.ts";
import { NO_TABLE, type Survey } from "../survey.ts";
import { findComponents } from "./components.ts";
import { boundWork } from "./work.ts";

/** What is known of the cycles of calls. */
export interface CallGraph {
	/** 1 for each body that has to be checked so that every cycle of calls passes a check. */
	readonly entries: Uint8Array;
	/** 1 for each body that has to be checked where it is entered, so that what runs between two checks is bounded. */
	readonly forced: Uint8Array;
	/** Whether the call at which the reader stands, in this body, may lead back to it. */
	readonly closes: (body: number, reader: CodeReader) => boolean;
}

/**
 * Which bodies need a check so that every cycle of calls passes one.
 *
 * The nodes of the graph are the functions, one node for each type that is called indirectly, and one for all that is outside:
 * other instances and the host. An indirect call leads to its type's node, and from there to every function of that type whose
 * address is taken; calls of imports, and indirect calls of what may come from outside, lead there; and from there to whatever is
 * exported or has its address taken.
 */
export function findCycles(module: Module, survey: Survey): CallGraph {
	const imported = countImports(module).func;
	const bodies = module.functions.length;
	const outside = imported + bodies;
	const taken = addressTaken(module, survey);
	const classes = new TypeClasses(module, outside + 1);
	const openTables = findOpenTables(module, survey);

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
			if (table === NO_TABLE || openTables.has(table)) targets.push(outside);
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

	const component = findComponents(outside + 1 + classes.count, edges);
	const entries = new Uint8Array(bodies);
	// Cycles that pass through an indirect call or the outside: where they come back into a function.
	for (let node = outside; node <= outside + classes.count; node++) {
		for (const target of edges[node] ?? []) {
			if (target >= imported && target < outside && component[target] === component[node])
				entries[target - imported] = 1;
		}
	}
	breakDirectCycles(entries, edges, component, imported);
	const { starts, ends } = module.code;
	const sizes = ends.map((end, body) => end - (starts[body] ?? 0));
	const forced = boundWork({ edges, component, imported, nodes: outside + 1 + classes.count, sizes, entries });
	const closes = (body: number, { op, first }: CodeReader): boolean => {
		if (op !== OP.call && op !== OP.return_call) return true;
		return component[first < imported ? outside : first] === component[imported + body];
	};
	return { entries, forced, closes };
}

/** What is left are cycles of direct calls: an entry is marked wherever a depth-first search comes back to what it is in. */
function breakDirectCycles(
	entries: Uint8Array,
	edges: readonly (readonly number[] | undefined)[],
	component: Uint32Array,
	imported: number,
): void {
	const open = 1;
	const done = 2;
	const state = new Uint8Array(entries.length);
	const stack: number[] = [];
	const next: number[] = [];
	for (let root = 0; root < entries.length; root++) {
		if (state[root] !== 0 || entries[root] !== 0) continue;
		stack.push(root);
		next.push(0);
		state[root] = open;
		while (stack.length > 0) {
			const body = stack.at(-1) as number;
			const at = next.at(-1) as number;
			const targets = edges[imported + body] ?? [];
			if (at >= targets.length) {
				state[body] = done;
				stack.pop();
				next.pop();
				continue;
			}
			next[next.length - 1] = at + 1;
			const target = (targets[at] as number) - imported;
			if (target < 0 || target >= entries.length || entries[target] !== 0) continue;
			if (component[imported + target] !== component[imported + body]) continue;
			if (state[target] === open) entries[target] = 1;
			else if (state[target] === 0) {
				state[target] = open;
				stack.push(target);
				next.push(0);
			}
		}
	}
}

/** Functions that can be called through a table or a reference. */
export function addressTaken(module: Module, survey: Survey): ReadonlySet<number> {
	const taken = new Set(survey.referenced);
	const initials = [
		...module.globals.map(({ init }) => init),
		...module.tables.flatMap(({ init }) => (init === null ? [] : [init])),
	];
	for (const { items } of module.elements) {
		if (items.kind === "functions") for (const index of items.indices) taken.add(index);
		else initials.push(...items.expressions);
	}
	for (const expression of initials) {
		// Of constant instructions only ref.func has one small number that could be a function: others do no harm.
		for (const { immediates } of expression)
			for (const value of immediates) if (typeof value === "number") taken.add(value);
	}
	return taken;
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

	/** @param first the number of the first node */
	constructor(module: Module, first: number) {
		this.#first = first;
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
		return node;
	}
}
