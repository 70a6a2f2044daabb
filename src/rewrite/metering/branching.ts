/** From one node to another. */
export interface Arc {
	readonly from: number;
	readonly to: number;
	/** How much it is worth that it is chosen. */
	readonly weight: number;
}

/** None, as an index of arcs, or as a node. */
const NONE = -1;

/**
 * Chooses at most one arc out of each node, so that they close no cycle: as many as there can be, and of these those that weigh most. None
 * leaves node 0.
 *
 * That is Edmonds' way, with Tarjan's heaps: arcs that close a cycle make one node of it, out of which an arc may lead from any of its nodes.
 * It is worth so much less as what it takes the place of. In the end a cycle is cut where such an arc begins, or where it was closed.
 * @returns the index of the arc that was chosen for each node, or -1
 */
export function chooseArcs(nodes: number, arcs: readonly Arc[]): Int32Array {
	return new Branching(nodes, arcs).choose();
}

class Branching {
	readonly #arcs: readonly Arc[];
	readonly #nodes: number;
	/** Of each node, and behind these of each cycle: what is chosen out of it, and the cycle that it is in. */
	readonly #out: Int32Array;
	readonly #around: Int32Array;
	/** Of each cycle: its nodes, and which of them loses least if nothing leads out of it, and how much. */
	readonly #members: (readonly number[])[] = [];
	readonly #lightest: number[] = [];
	readonly #least: number[] = [];
	/** Two forests with shortened paths: outermost cycles, and what is connected. */
	readonly #outermost: Int32Array;
	readonly #connected: Int32Array;
	/** The arcs out of each. */
	readonly #tops: Int32Array;
	readonly #heaps: Heaps;
	#count: number;

	constructor(nodes: number, arcs: readonly Arc[]) {
		this.#arcs = arcs;
		this.#nodes = this.#count = nodes;
		const most = 2 * nodes;
		this.#out = new Int32Array(most).fill(NONE);
		this.#around = new Int32Array(most).fill(NONE);
		this.#outermost = Int32Array.from({ length: most }, (_, i) => i);
		this.#connected = Int32Array.from({ length: most }, (_, i) => i);
		this.#heaps = new Heaps(arcs);
		this.#tops = new Int32Array(most).fill(NONE);
		arcs.forEach(({ from }, i) => (this.#tops[from] = this.#heaps.meld(this.#tops[from] as number, i)));
	}

	choose(): Int32Array {
		const arcs = this.#arcs;
		for (let node = 1; node < this.#nodes; node++)
			for (let next: number = node; next !== NONE;) next = this.#connect(next);
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
			const lightest = this.#lightest[node - this.#nodes];
			const cut = arc === NONE ? lightest : this.#memberOf(node, (arcs[arc] as Arc).from);
			for (const member of members) rest.push([member, member === cut ? arc : (this.#out[member] as number)]);
		}
		return chosen;
	}

	/** Chooses an arc for an outermost node. @returns the cycle that it closes, or none */
	#connect(source: number): number {
		for (;;) {
			const index = this.#tops[source] as number;
			if (index === NONE) return NONE;
			this.#tops[source] = this.#heaps.rest(index);
			const target = find(this.#outermost, (this.#arcs[index] as Arc).to);
			if (source === target) continue;
			this.#out[source] = index;
			const [from, to] = [find(this.#connected, source), find(this.#connected, target)];
			// What is connected leads to the one node that has no way out
			if (from === to) return this.#contract(source, target);
			this.#connected[from] = to;
			return NONE;
		}
	}

	/** Makes a node of the cycle that a node closes by an arc to a target. */
	#contract(source: number, target: number): number {
		const members = [source];
		for (let node = target; node !== source; node = this.#next(node)) members.push(node);
		const cycle = this.#count++;
		this.#members.push(members);
		let top = NONE;
		let [lightest, least] = [source, Infinity];
		for (const member of members) {
			this.#around[member] = this.#outermost[member] = cycle;
			const others = this.#tops[member] as number;
			const key = this.#heaps.keyOf(this.#out[member] as number);
			this.#heaps.lower(others, key);
			top = this.#heaps.meld(top, others);
			const loss = key + (member < this.#nodes ? 0 : (this.#least[member - this.#nodes] as number));
			if (loss < least) [lightest, least] = [member, loss];
		}
		this.#lightest.push(lightest);
		this.#least.push(least);
		this.#tops[cycle] = top;
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

/** Arcs in heaps that can be melded, the heaviest first: leftist trees, each named by its first arc. */
class Heaps {
	readonly #keys: Float64Array;
	/** By how much all below each arc are to be lowered. */
	readonly #due: Float64Array;
	readonly #left: Int32Array;
	readonly #right: Int32Array;
	/** How long the way to the right is. */
	readonly #ranks: Uint8Array;

	constructor(arcs: readonly Arc[]) {
		this.#keys = Float64Array.from(arcs, ({ weight }) => weight);
		this.#due = new Float64Array(arcs.length);
		this.#left = new Int32Array(arcs.length).fill(NONE);
		this.#right = new Int32Array(arcs.length).fill(NONE);
		this.#ranks = new Uint8Array(arcs.length).fill(1);
	}

	/** Of an arc that is, or was, the first of a heap. */
	keyOf(arc: number): number {
		return this.#keys[arc] as number;
	}

	/** Lowers all of a heap. */
	lower(top: number, by: number): void {
		if (top === NONE) return;
		this.#keys[top]! -= by;
		this.#due[top]! += by;
	}

	meld(one: number, other: number): number {
		if (one === NONE) return other;
		if (other === NONE) return one;
		const isOrdered = this.keyOf(one) > this.keyOf(other) || (this.keyOf(one) === this.keyOf(other) && one < other);
		const [top, below] = isOrdered ? [one, other] : [other, one];
		this.#settle(top);
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
		this.#settle(top);
		return this.meld(this.#left[top] as number, this.#right[top] as number);
	}

	#settle(top: number): void {
		const due = this.#due[top] as number;
		if (due === 0) return;
		this.#due[top] = 0;
		this.lower(this.#left[top] as number, due);
		this.lower(this.#right[top] as number, due);
	}

	#rankOf(top: number): number {
		return top === NONE ? 0 : (this.#ranks[top] as number);
	}
}
