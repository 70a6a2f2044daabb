/** From one node to another. */
export interface Arc {
	readonly from: number;
	readonly to: number;
	/** Arcs are chosen in descending order of it. */
	readonly weight: number;
}

/** None, as an index of arcs, or as a node. */
const NONE = -1;

/**
 * Chooses at most one arc out of each node, so that they close no cycle; heavy ones first, and as many as there can be. None leaves node 0.
 *
 * That is Edmonds' way: arcs that close a cycle make one node of it, out of which an arc may lead from any of its nodes; in the end a cycle
 * is cut where one does, or where it was closed. Weights are not corrected for what is cut: those of a cycle are much the same.
 * @returns the index of the arc that was chosen for each node, or -1
 */
export function chooseArcs(nodes: number, arcs: readonly Arc[]): Int32Array {
	return new Branching(nodes, arcs).choose();
}

class Branching {
	readonly #arcs: readonly Arc[];
	readonly #nodes: number;
	/** Of each node, and behind these of each cycle: what is chosen out of it, the cycle that it is in, and for cycles the node that closed it. */
	readonly #out: Int32Array;
	readonly #around: Int32Array;
	readonly #members: (readonly number[])[] = [];
	/** Two forests with shortened paths: outermost cycles, and what is connected. */
	readonly #outermost: Int32Array;
	readonly #connected: Int32Array;
	/** What was offered when something else was chosen already: it may lead out of a cycle. */
	readonly #later: Int32Array;
	readonly #heaps: Heaps;
	#count: number;

	constructor(nodes: number, arcs: readonly Arc[]) {
		this.#arcs = arcs;
		this.#nodes = this.#count = nodes;
		const most = 2 * nodes;
		this.#out = new Int32Array(most).fill(NONE);
		this.#around = new Int32Array(most).fill(NONE);
		this.#later = new Int32Array(most).fill(NONE);
		this.#outermost = Int32Array.from({ length: most }, (_, i) => i);
		this.#connected = Int32Array.from({ length: most }, (_, i) => i);
		this.#heaps = new Heaps(arcs);
	}

	choose(): Int32Array {
		const arcs = this.#arcs;
		const order = Uint32Array.from(arcs.keys()).sort((a, b) => compare(arcs, a, b));
		for (const index of order) {
			const source = find(this.#outermost, (arcs[index] as Arc).from);
			if (source === 0) continue;
			if (this.#out[source] === NONE) this.#offer(source, index);
			else this.#later[source] = this.#heaps.meld(this.#later[source] as number, index);
		}
		const chosen = new Int32Array(this.#nodes).fill(NONE);
		const rest: [node: number, arc: number][] = [];
		for (let node = 0; node < this.#count; node++)
			if (this.#around[node] === NONE) rest.push([node, this.#out[node] as number]);
		for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
			const [node, arc] = next;
			if (node < this.#nodes) {
				chosen[node] = arc;
				continue;
			}
			const members = this.#members[node - this.#nodes] as readonly number[];
			// Where nothing leads out, the cycle is cut where it was closed last
			const cut = arc === NONE ? members[0] : this.#memberOf(node, (arcs[arc] as Arc).from);
			for (const member of members) rest.push([member, member === cut ? arc : (this.#out[member] as number)]);
		}
		return chosen;
	}

	/** An arc, for an outermost node that has none. */
	#offer(first: number, offered: number): void {
		let source = first;
		for (let index = offered; index !== NONE; index = this.#nextLater(source)) {
			const target = find(this.#outermost, (this.#arcs[index] as Arc).to);
			if (source === target) continue;
			this.#out[source] = index;
			const [from, to] = [find(this.#connected, source), find(this.#connected, target)];
			if (from !== to) {
				this.#connected[from] = to;
				return;
			}
			// What is connected leads to the one node that had no way out: this one
			source = this.#contract(source, target);
		}
	}

	#nextLater(node: number): number {
		const index = this.#later[node] as number;
		if (index !== NONE) this.#later[node] = this.#heaps.rest(index);
		return index;
	}

	/** Makes a node of the cycle that a node closes by an arc to a target. */
	#contract(source: number, target: number): number {
		const members = [source];
		for (let node = target; node !== source; node = this.#next(node)) members.push(node);
		const cycle = this.#count++;
		this.#members.push(members);
		let later = NONE;
		for (const member of members) {
			this.#around[member] = this.#outermost[member] = cycle;
			later = this.#heaps.meld(later, this.#later[member] as number);
		}
		this.#later[cycle] = later;
		this.#connected[cycle] = find(this.#connected, source);
		return cycle;
	}

	/** Where the arc out of an outermost node leads. */
	#next(node: number): number {
		return find(this.#outermost, (this.#arcs[this.#out[node] as number] as Arc).to);
	}

	/** Which member of a cycle a node is in. */
	#memberOf(cycle: number, node: number): number {
		let member = node;
		while (this.#around[member] !== cycle) member = this.#around[member] as number;
		return member;
	}
}

function find(parents: Int32Array, node: number): number {
	let at = node;
	while (parents[at] !== at) at = parents[at] = parents[parents[at] as number] as number;
	return at;
}

function compare(arcs: readonly Arc[], a: number, b: number): number {
	return (arcs[b] as Arc).weight - (arcs[a] as Arc).weight || a - b;
}

/** Arcs in heaps that can be melded: leftist trees, each named by its first arc. */
class Heaps {
	readonly #arcs: readonly Arc[];
	readonly #left: Int32Array;
	readonly #right: Int32Array;
	/** How long the way to the right is. */
	readonly #ranks: Uint8Array;

	constructor(arcs: readonly Arc[]) {
		this.#arcs = arcs;
		this.#left = new Int32Array(arcs.length).fill(NONE);
		this.#right = new Int32Array(arcs.length).fill(NONE);
		this.#ranks = new Uint8Array(arcs.length).fill(1);
	}

	meld(one: number, other: number): number {
		if (one === NONE) return other;
		if (other === NONE) return one;
		const isOrdered = compare(this.#arcs, one, other) <= 0;
		const [top, below] = isOrdered ? [one, other] : [other, one];
		const right = this.meld(this.#right[top] as number, below);
		const left = this.#left[top] as number;
		const isLeftist = this.#rankOf(left) >= this.#rankOf(right);
		this.#left[top] = isLeftist ? left : right;
		this.#right[top] = isLeftist ? right : left;
		this.#ranks[top] = 1 + this.#rankOf(this.#right[top]);
		return top;
	}

	/** All but the first. */
	rest(top: number): number {
		return this.meld(this.#left[top] as number, this.#right[top] as number);
	}

	#rankOf(top: number): number {
		return top === NONE ? 0 : (this.#ranks[top] as number);
	}
}
