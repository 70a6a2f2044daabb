import { refuse } from "./cursor.ts";
import { KIND_FUNCTION, type Outline } from "./outline.ts";

/** How many bytes of code may run from a function's entry to its end or its first check. The rewriter aims at half of it. */
const MOST_WORK = 200_000;

/** How many all may that one function calls. The rewriter aims at half of it. */
const MOST_CALLED = 32_000_000;

/** Calls to which a function may come without a check since its entry. */
export class Calls {
	readonly #edges = new Map<number, number[]>();
	/** Calls behind a check. */
	readonly #later = new Map<number, number[]>();
	/** Sizes of the functions that may run to a call or their end without a check. */
	readonly #sizes = new Map<number, number>();
	readonly #classes = new Map<string, number>();
	readonly #outline: Outline;
	readonly #imported: number;
	/** The node that stands for other instances and the host. */
	readonly #outside: number;
	readonly #throughTables: (readonly [edges: Map<number, number[]>, from: number, table: number])[] = [];
	changesTables = false;

	constructor(outline: Outline) {
		this.#outline = outline;
		this.#imported = outline.count(KIND_FUNCTION);
		this.#outside = outline.functions.length;
	}

	/** A function that is not checked where it is entered. */
	unchecked(index: number, size: number): void {
		this.#sizes.set(index, size);
	}

	/** @param entered whether the caller has passed a check */
	direct(from: number, to: number, entered: boolean): void {
		const edges = entered ? this.#later : this.#edges;
		if (to < this.#outside) addEdge(edges, from, to < this.#imported ? this.#outside : to);
	}

	indirect(from: number, type: number, table: number, entered: boolean): void {
		const edges = entered ? this.#later : this.#edges;
		addEdge(edges, from, this.#classNode(type));
		if (table < 0) addEdge(edges, from, this.#outside);
		else this.#throughTables.push([edges, from, table]);
	}

	/** Refuses a cycle in which nothing has a check, and calls that run for too long without one. */
	check(): void {
		const { exports, taken, functions } = this.#outline;
		const open = new Map<number, boolean>();
		for (const [edges, from, table] of this.#throughTables) {
			let isOpen = open.get(table);
			if (isOpen === undefined) {
				isOpen = this.changesTables || this.#outline.isOpen(table);
				open.set(table, isOpen);
			}
			if (isOpen) addEdge(edges, from, this.#outside);
		}
		for (const { kind, index } of exports) if (kind === KIND_FUNCTION) this.#enter(this.#outside, index);
		for (const index of taken) {
			this.#enter(this.#outside, index);
			const type = functions[index];
			if (type === undefined) continue;
			if (index < this.#imported) addEdge(this.#edges, this.#classNode(type), this.#outside);
			else this.#enter(this.#classNode(type), index);
		}
		const work = this.#search();
		for (const [from, targets] of this.#later) {
			let sum = 0;
			for (const to of [...targets, ...(this.#edges.get(from) ?? [])]) sum += work.get(to) ?? 0;
			if (sum > MOST_CALLED) throw refuse(`function ${from} calls too much without a check`);
		}
	}

	#enter(from: number, index: number): void {
		if (index >= this.#imported && index < this.#outside) addEdge(this.#edges, from, index);
	}

	#classNode(type: number): number {
		const key = this.#outline.classOf(type);
		let node = this.#classes.get(key);
		if (node === undefined) this.#classes.set(key, (node = this.#outside + 1 + this.#classes.size));
		return node;
	}

	/** What each node runs at most before a check. */
	#search(): Map<number, number> {
		const work = new Map<number, number>();
		const path = new Set<number>();
		for (const root of [...this.#edges.keys(), ...this.#sizes.keys()]) {
			if (work.has(root)) continue;
			const stack = [{ node: root, next: 0 }];
			path.add(root);
			for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
				const target = this.#edges.get(top.node)?.[top.next++];
				if (target === undefined) {
					path.delete(top.node);
					work.set(top.node, this.#workOf(top.node, work));
					stack.pop();
				} else if (!work.has(target)) {
					if (path.has(target)) throw refuse(`a cycle of calls through function ${target} has no check`);
					path.add(target);
					stack.push({ node: target, next: 0 });
				}
			}
		}
		return work;
	}

	/** Of a function the sum, of what is called through a type or from outside the most. */
	#workOf(node: number, known: ReadonlyMap<number, number>): number {
		let sum = this.#sizes.get(node) ?? 0;
		let most = 0;
		for (const target of this.#edges.get(node) ?? []) {
			const work = known.get(target) ?? 0;
			sum += work;
			if (work > most) most = work;
		}
		if (node >= this.#outside) return most;
		if (sum > MOST_WORK) throw refuse(`function ${node} runs for too long without a check`);
		return sum;
	}
}

function addEdge(edges: Map<number, number[]>, from: number, to: number): void {
	const targets = edges.get(from);
	if (targets === undefined) edges.set(from, [to]);
	else targets.push(to);
}
