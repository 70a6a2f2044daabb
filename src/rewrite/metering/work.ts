/** How many bytes of code may run from the entry of a function to its end or its first check, with all that it calls. The proof allows twice as much. */
const BOUND = 100_000;

/**
 * The same of all that one function calls behind its own checks, each call counted, though hardly ever all of them are on one way: a few
 * milliseconds. Less would put checks into every third function of a JavaScript engine.
 */
const BOUND_OF_CALLS = 16_000_000;

interface CallNodes {
	/** Calls as edges, one for each place; the bodies begin at `imported`, and what is called indirectly stands behind them. */
	readonly edges: readonly (readonly number[] | undefined)[];
	readonly component: Uint32Array;
	readonly imported: number;
	readonly nodes: number;
	readonly sizes: Uint32Array;
	/** 1 for each body that passes a check before it calls what is in its own component. */
	readonly entries: Uint8Array;
}

/**
 * Calls that close no cycle need no check, but each level of them may multiply what they do: sixty functions of which each calls the
 * next twice run for ever. A loop counts once, as each turn is checked.
 * @returns 1 for each body that is to be checked where it is entered, so that the bound holds
 */
export function boundWork(graph: CallNodes): Uint8Array {
	const { edges, component, imported, nodes, sizes, entries } = graph;
	const bodies = entries.length;
	const forced = new Uint8Array(bodies);
	const cost = new Float64Array(nodes);
	const isBody = (node: number): boolean => node >= imported && node < imported + bodies;
	const targetsOf = (node: number): readonly number[] => edges[node] ?? [];
	const force = (node: number): void => {
		forced[node - imported] = 1;
		cost[node] = 0;
	};
	/** No function behind the node costs more than this: a power of two, so that a node is gone through a few times at most. */
	const limit = (node: number, most: number): void => {
		if ((cost[node] as number) <= most) return;
		if (isBody(node)) {
			force(node);
			return;
		}
		let highest = 0;
		for (const target of targetsOf(node)) {
			if (isBody(target) && (cost[target] as number) > most) force(target);
			highest = Math.max(highest, cost[target] as number);
		}
		cost[node] = highest;
	};
	const sumOf = (targets: readonly number[]): number => {
		let sum = 0;
		for (const target of targets) sum += cost[target] as number;
		return sum;
	};
	const relieve = (targets: readonly number[]): void => {
		if (sumOf(targets) <= BOUND_OF_CALLS) return;
		const most = 2 ** Math.floor(Math.log2(BOUND_OF_CALLS / targets.length));
		for (const target of targets) limit(target, most);
	};
	const finish = (node: number): void => {
		const targets = targetsOf(node);
		if (!isBody(node)) {
			for (const target of targets) cost[node] = Math.max(cost[node] as number, cost[target] as number);
			return;
		}
		relieve(targets);
		const early = entries[node - imported] === 1 ? targets.filter((to) => component[to] !== component[node]) : targets;
		cost[node] = (sizes[node - imported] ?? 0) + sumOf(early);
		if (cost[node] > BOUND) force(node);
	};
	const follows = (node: number, target: number): boolean =>
		!isBody(node) || entries[node - imported] !== 1 || component[target] !== component[node];
	walkUp(nodes, targetsOf, follows, finish);
	// Behind their checks functions call what came later than they
	for (let body = 0; body < bodies; body++) if (entries[body] === 1) relieve(targetsOf(imported + body));
	return forced;
}

/** Visits what is called before what calls it, along edges that form no cycle. */
function walkUp(
	nodes: number,
	targetsOf: (node: number) => readonly number[],
	follows: (node: number, target: number) => boolean,
	finish: (node: number) => void,
): void {
	const seen = new Uint8Array(nodes);
	const next = new Uint32Array(nodes);
	const path: number[] = [];
	for (let root = 0; root < nodes; root++) {
		if (seen[root] === 1) continue;
		seen[root] = 1;
		path.push(root);
		for (let node = path.at(-1); node !== undefined; node = path.at(-1)) {
			const at = next[node] as number;
			const target = targetsOf(node)[at];
			if (target === undefined) {
				finish(node);
				path.pop();
				continue;
			}
			next[node] = at + 1;
			if (seen[target] === 1 || !follows(node, target)) continue;
			seen[target] = 1;
			path.push(target);
		}
	}
}
