/** The strongly connected components of a graph. */
export interface Components {
	/** For each node the number of its component, from 1: those that can be reached from it have lower ones. */
	readonly of: Uint32Array;
	/** All nodes, by that number. */
	readonly order: Uint32Array;
}

/** By Tarjan: two nodes are in one component when each can be reached from the other. Not recursive, for call graphs are deep. */
export function findComponents(nodes: number, edges: readonly (readonly number[] | undefined)[]): Components {
	const sorted = new Uint32Array(nodes);
	let settled = 0;
	const component = new Uint32Array(nodes);
	/** Order of discovery, from 1. */
	const order = new Uint32Array(nodes);
	/** The earliest node that is reached from each. */
	const low = new Uint32Array(nodes);
	const waiting: number[] = [];
	const path: number[] = [];
	const next = new Uint32Array(nodes);
	let discovered = 0;
	let components = 0;
	const enter = (node: number): void => {
		order[node] = low[node] = ++discovered;
		waiting.push(node);
		path.push(node);
	};
	const lower = (node: number, to: number): void => {
		if (to < (low[node] as number)) low[node] = to;
	};
	for (let root = 0; root < nodes; root++) {
		if (order[root] !== 0) continue;
		enter(root);
		for (let node = path.at(-1); node !== undefined; node = path.at(-1)) {
			const targets = edges[node] ?? [];
			const at = next[node] as number;
			if (at < targets.length) {
				next[node] = at + 1;
				const target = targets[at] as number;
				if (order[target] === 0) enter(target);
				else if (component[target] === 0) lower(node, order[target] as number);
				continue;
			}
			path.pop();
			const parent = path.at(-1);
			if (parent !== undefined) lower(parent, low[node] as number);
			if (low[node] !== order[node]) continue;
			components++;
			let member: number;
			do {
				member = waiting.pop() as number;
				component[member] = components;
				sorted[settled++] = member;
			} while (member !== node);
		}
	}
	return { of: component, order: sorted };
}
