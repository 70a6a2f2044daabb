import { KIND_FUNCTION, type Outline } from "./outline.ts";

/** Calls to which a function may come without a check since its entry. */
export class Calls {
	readonly #edges = new Map<number, Set<number>>();
	readonly #classes = new Map<string, number>();
	readonly #outline: Outline;
	readonly #imported: number;
	/** The node that stands for other instances and the host. */
	readonly #outside: number;
	readonly #throughTables: (readonly [from: number, table: number])[] = [];
	changesTables = false;

	constructor(outline: Outline) {
		this.#outline = outline;
		this.#imported = outline.count(KIND_FUNCTION);
		this.#outside = outline.functions.length;
	}

	direct(from: number, to: number): void {
		if (to < this.#outside) this.#edge(from, to < this.#imported ? this.#outside : to);
	}

	indirect(from: number, type: number, table: number): void {
		this.#edge(from, this.#classNode(type));
		if (table < 0) this.#edge(from, this.#outside);
		else this.#throughTables.push([from, table]);
	}

	/** A function on a cycle in which nothing has a check; `undefined` where there is no such cycle. */
	findCycle(): number | undefined {
		const { exports, taken, functions } = this.#outline;
		const open = new Map<number, boolean>();
		for (const [from, table] of this.#throughTables) {
			let isOpen = open.get(table);
			if (isOpen === undefined) {
				isOpen = this.changesTables || this.#outline.isOpen(table);
				open.set(table, isOpen);
			}
			if (isOpen) this.#edge(from, this.#outside);
		}
		for (const { kind, index } of exports) if (kind === KIND_FUNCTION) this.#enter(this.#outside, index);
		for (const index of taken) {
			this.#enter(this.#outside, index);
			const type = functions[index];
			if (type === undefined) continue;
			if (index < this.#imported) this.#edge(this.#classNode(type), this.#outside);
			else this.#enter(this.#classNode(type), index);
		}
		return this.#search();
	}

	#edge(from: number, to: number): void {
		let targets = this.#edges.get(from);
		if (targets === undefined) this.#edges.set(from, (targets = new Set()));
		targets.add(to);
	}

	#enter(from: number, index: number): void {
		if (index >= this.#imported && index < this.#outside) this.#edge(from, index);
	}

	#classNode(type: number): number {
		const key = this.#outline.classOf(type);
		let node = this.#classes.get(key);
		if (node === undefined) this.#classes.set(key, (node = this.#outside + 1 + this.#classes.size));
		return node;
	}

	#targets(node: number): Iterator<number> {
		return (this.#edges.get(node) ?? new Set<number>()).values();
	}

	#search(): number | undefined {
		const done = new Set<number>();
		const path = new Set<number>();
		for (const root of this.#edges.keys()) {
			if (done.has(root)) continue;
			const stack = [{ node: root, rest: this.#targets(root) }];
			path.add(root);
			for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
				const step = top.rest.next();
				if (step.done === true) {
					path.delete(top.node);
					done.add(top.node);
					stack.pop();
				} else if (!done.has(step.value)) {
					if (path.has(step.value)) return step.value;
					path.add(step.value);
					stack.push({ node: step.value, rest: this.#targets(step.value) });
				}
			}
		}
		return undefined;
	}
}
