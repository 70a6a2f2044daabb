import { refuse } from "./cursor.ts";
import { KIND_FUNCTION, type Outline } from "./outline.ts";

/** What a function may run before its first check, in nanoseconds. */
const MOST_HEAD = 125_000;

/** The same of what others can call: of what other instances have nothing else is known, and the host's functions look at the clock. */
const OPEN_HEAD = 12_000;

/** What may have run since a check where another instance comes back. */
const MOST_TAIL = 135_000;

/**
 * What the rewriter promises of functions. It is believed of none before it has been found true of all. Behind the functions are numbers
 * for what is outside, and for types that are called through.
 */
export interface Contracts {
	/** Calls lead into the same group, and are then said to close a cycle, or into a lower one. */
	readonly groups: Uint32Array;
	readonly heads: Int32Array;
	readonly through: Int32Array;
	/** By group. */
	readonly tails: Int32Array;
	/** For the same group: what has run since a check where it comes back, or 0 of what is bounded in each frame. */
	readonly returns: Int32Array;
	/** What it takes to compile what is called, of functions and types. */
	readonly firsts: Int32Array;
	readonly typeNodes: Uint32Array;
	readonly changesTables: boolean;
	readonly throws: boolean;
}

/** Who calls whom, and what is promised of whom. */
export class Calls {
	readonly #outline: Outline;
	readonly #contracts: Contracts;
	readonly #imported: number;
	/** What it takes to compile all functions of each group. */
	readonly #firsts = new Map<number, number>();
	/** The number that stands for other instances and the host. */
	readonly outside: number;
	/** What code was found to do. */
	changesTables = false;
	catches = false;

	constructor(outline: Outline, contracts: Contracts) {
		this.#outline = outline;
		this.#contracts = contracts;
		this.#imported = outline.count(KIND_FUNCTION);
		this.outside = outline.functions.length;
		const { groups, heads, through, returns, firsts } = contracts;
		const isWhole = [heads, through, returns, firsts].every(({ length }) => length === groups.length);
		if (!isWhole || groups.length <= this.outside) throw refuse("not everything is promised that has to be");
		for (let i = 0; i < this.outside; i++) {
			const group = this.groupOf(i);
			this.#firsts.set(group, (this.#firsts.get(group) ?? 0) + this.firstOf(i));
		}
	}

	get throws(): boolean {
		return this.#contracts.throws;
	}

	groupOf(callee: number): number {
		return known(this.#contracts.groups, callee);
	}

	headOf(callee: number): number {
		return known(this.#contracts.heads, callee);
	}

	throughOf(callee: number): number {
		return known(this.#contracts.through, callee);
	}

	tailOf(callee: number): number {
		return known(this.#contracts.tails, this.groupOf(callee));
	}

	returnsOf(callee: number): number {
		return known(this.#contracts.returns, callee);
	}

	firstOf(callee: number): number {
		return Math.max(known(this.#contracts.firsts, callee), 0);
	}

	/** The same of all functions of the group. */
	firstOfAll(group: number): number {
		return this.#firsts.get(group) ?? 0;
	}

	/** The number of what is called by name. */
	direct(index: number): number {
		return index < this.#imported ? this.outside : index;
	}

	/** The same through a type. */
	indirect(type: number): number {
		const node = known(this.#contracts.typeNodes, type);
		if (node <= this.outside) throw refuse("something is called of which nothing is promised");
		return node;
	}

	/** What else may be called through a table, or without one by a reference. */
	other(table: number, callee: number): number {
		const isOpen = table < 0 || this.#contracts.changesTables || this.#outline.isOpen(table);
		return isOpen ? this.outside : callee;
	}

	/** Refuses what is promised too little of all that others call. */
	check(): void {
		const { exports, taken, functions, hasTags } = this.#outline;
		const { changesTables, throws, typeNodes, heads } = this.#contracts;
		if (this.changesTables && !changesTables) throw refuse("it changes tables, which is promised not to be");
		if ((this.catches || hasTags) && !throws) throw refuse("it knows exceptions, which is promised not to be");
		// Neither less, for others may run so much, nor more, for they count on it
		if (
			this.headOf(this.outside) !== OPEN_HEAD ||
			this.throughOf(this.outside) !== OPEN_HEAD ||
			this.tailOf(this.outside) !== MOST_TAIL
		)
			throw refuse("what others run is promised to be something else");
		for (const head of heads) if (head > MOST_HEAD) throw refuse("a function runs for too long without a check");
		const open = new Set(taken);
		for (const { kind, index } of exports) if (kind === KIND_FUNCTION) open.add(index);
		for (const index of open) this.#within(this.direct(index), this.outside);
		/** By class: what is promised of the type that was met first, with which all others have to agree. */
		const nodes = new Map<string, number>();
		typeNodes.forEach((node, type) => {
			if (node === 0) return;
			const key = this.#outline.classOf(type);
			const other = nodes.get(key);
			if (other === undefined) nodes.set(key, node);
			else if (other !== node) throw refuse("types that are alike have different numbers");
		});
		for (const index of taken) {
			const node = nodes.get(this.#outline.classOf(functions[index] as number));
			if (node === undefined) continue;
			const callee = this.direct(index);
			this.#within(callee, node);
			if (this.firstOf(callee) > this.firstOf(node))
				throw refuse(`function ${callee} takes longer to compile than is promised of what may call it`);
		}
	}

	/** Whoever is called as `node` may come to `callee`. */
	#within(callee: number, node: number): void {
		const holds =
			this.groupOf(callee) <= this.groupOf(node) &&
			this.headOf(callee) <= this.headOf(node) &&
			this.throughOf(callee) <= this.throughOf(node) &&
			this.tailOf(callee) <= this.tailOf(node) &&
			// Of another group it is its tail: a check is passed in each call of it that comes back with one
			(this.groupOf(callee) < this.groupOf(node) || this.returnsOf(callee) <= this.returnsOf(node));
		if (!holds) throw refuse(`function ${callee} runs longer than is promised of what may call it`);
	}
}

function known(numbers: Uint32Array | Int32Array, at: number): number {
	const number = numbers[at];
	if (number === undefined) throw refuse("something is called of which nothing is promised");
	return number;
}
