import type { CodeReader } from "../../wasm/mod.ts";
import { type Arc, chooseArcs } from "./branching.ts";
import { NOWHERE, type Prepaid, type Run, Runs, type Way } from "./runs.ts";

export interface Segments {
	/** As pairs of numbers: where something is paid, in `code.bytes`, and how much; less than nothing where it is given back. */
	readonly pairs: Float64Array;
	/** The same for branches, by where they begin: what is paid when they are taken. */
	readonly branches: ReadonlyMap<number, number>;
}

/** How often a loop is supposed to come around, and how many times less often it is left than gone on with. */
const TURNS = 8;

/** How many times at most it is gone through a body for what must run from each place on. */
const MAX_ROUNDS = 8;

/**
 * Where the body that the reader has entered is paid, and how much.
 *
 * At each place an amount is paid ahead, which is the same on all ways to it; a run of instructions has to pay what it costs, and what is
 * paid ahead behind it less what is before it. The amounts are free, but at the ends of the function: chosen so that from each place one run or branch
 * that leads on from it has nothing to pay, and follows the one before it to an end (`chooseArcs`), which are those in loops first of all. They are never less than nothing.
 *
 * Where someone looks at the fuel no more is paid ahead than what will certainly run: nobody is ended for what it would be given back. Where all ways
 * end in a trap nothing has to be right but that all is paid that runs; what else is paid ahead is lost there.
 * @param throws whether the module knows exceptions: then nothing is paid ahead wherever something may throw, so that a handler finds paid what has run
 * @param sites where the fuel is looked at, but for the heads of loops
 */
export function findSegments(
	reader: CodeReader,
	throws: boolean,
	prepaid: Prepaid,
	sites: readonly number[] = [],
): Segments {
	const { all, ways } = new Runs(reader, throws, prepaid, sites);
	if (all.length === 1) {
		const [only] = all as [Run];
		return { pairs: Float64Array.of(only.position, only.cost), branches: new Map() };
	}
	const { often, trapped, depth } = survey(all, ways, throws);
	const places = new Places(all.length);
	/** Branches at which something may be paid. */
	const leaving: Way[] = [];
	for (const way of ways) {
		const { from, to, branch } = way;
		if (to !== NOWHERE && trapped[to] === 1) continue;
		if (branch >= 0 && (depth[to] as number) < (depth[from] as number)) leaving.push(way);
		else places.unite(from === NOWHERE ? 0 : places.behind(from), to === NOWHERE ? 0 : places.before(to));
	}
	const arcs: (Arc & { readonly cost: number })[] = [];
	all.forEach((run, i) => {
		if (trapped[i] === 1) return;
		const from = places.find(places.before(i));
		const to = places.find(places.behind(i));
		// Callers pay for the first one, where they can: it is chosen last
		const weight = i === 0 ? 0 : (often[i] as number);
		arcs.push({ from, to, weight, cost: run.cost });
	});
	const runs = arcs.length;
	for (const { from, to } of leaving)
		arcs.push({
			from: places.find(places.behind(from)),
			to: places.find(places.before(to)),
			weight: (often[from] as number) / TURNS,
			cost: 0,
		});
	const ahead = findAhead(places.count, arcs, () => {
		const seen = new Set<number>();
		all.forEach(({ isHead, isSeen }, i) => {
			if (isHead) seen.add(places.find(places.before(i)));
			// Callers count on it that all runs which they pay for
			if (isSeen || i === 0) seen.add(places.find(places.behind(i)));
		});
		return seen;
	});
	const due = ({ from, to, cost }: Arc & { readonly cost: number }): number =>
		cost + (ahead[to] as number) - (ahead[from] as number);
	const pairs = new Float64Array(2 * all.length);
	let next = 0;
	all.forEach(({ position, cost }, i) => {
		pairs[2 * i] = position;
		pairs[2 * i + 1] = trapped[i] === 1 ? cost : due(arcs[next++] as (typeof arcs)[number]);
	});
	const branches = new Map<number, number>();
	leaving.forEach(({ branch }, i) => {
		const amount = due(arcs[runs + i] as (typeof arcs)[number]);
		if (amount !== 0) branches.set(branch, amount);
	});
	return { pairs, branches };
}

interface Findings {
	/** How often each run is supposed to run in a call. */
	readonly often: Float64Array;
	/** 1 for each that leads to traps only. */
	readonly trapped: Uint8Array;
	/** In how many loops it may come around again. */
	readonly depth: Int32Array;
}

function survey(all: readonly Run[], ways: readonly Way[], throws: boolean): Findings {
	const starts = new Uint32Array(all.length + 1);
	for (const { from } of ways) if (from !== NOWHERE) starts[from + 1]!++;
	for (let i = 0; i < all.length; i++) starts[i + 1]! += starts[i] as number;
	const next = starts.slice();
	const targets = new Int32Array(ways.length);
	const shares = new Uint32Array(ways.length);
	for (const { from, to, share } of ways) {
		if (from === NOWHERE) continue;
		shares[next[from] as number] = share;
		targets[next[from]!++] = to;
	}
	const targetsOf = (i: number): Int32Array => targets.subarray(starts[i], starts[i + 1]);
	const depth = new Int32Array(all.length);
	const trapped = new Uint8Array(all.length);
	for (let i = all.length - 1; i >= 0; i--) {
		let most = 0;
		let traps = !throws;
		for (const to of targetsOf(i)) {
			const isBack = to !== NOWHERE && to <= i;
			if (to !== NOWHERE) most = Math.max(most, (isBack ? (all[to] as Run).depth : depth[to]) as number);
			traps &&= to !== NOWHERE && !isBack && trapped[to] === 1;
		}
		depth[i] = Math.min(most, (all[i] as Run).depth);
		if (traps) trapped[i] = 1;
	}
	const often = new Float64Array(all.length);
	for (let i = 0; i < all.length; i++) {
		// What stands behind a call that may throw has no way to it
		if (often[i] === 0) often[i] = i === 0 ? 1 : (often[i - 1] as number);
		if ((all[i] as Run).isHead) often[i] = Math.min((often[i] as number) * TURNS, Number.MAX_SAFE_INTEGER);
		const isStaying = (to: number): boolean =>
			to !== NOWHERE && trapped[to] === 0 && (depth[to] as number) >= (depth[i] as number);
		// What is left is gone on with: of several ways out, none is to be less worth than the one before it
		const sharesOf = shares.subarray(starts[i], starts[i + 1]);
		const staying = targetsOf(i).reduce((sum, to, way) => sum + (isStaying(to) ? (sharesOf[way] as number) : 0), 0);
		targetsOf(i).forEach((to, way) => {
			if (to <= i || trapped[to] === 1) return;
			often[to]! += (often[i] as number) * (isStaying(to) ? (sharesOf[way] as number) / staying : 1 / TURNS);
		});
	}
	return { often, trapped, depth };
}

/** Places in which the same is paid ahead: before and behind runs, where ways join them. 0 is where nothing is. */
class Places {
	readonly #parents: Int32Array;

	constructor(runs: number) {
		this.#parents = Int32Array.from({ length: 2 * runs + 1 }, (_, i) => i);
	}

	get count(): number {
		return this.#parents.length;
	}

	before(run: number): number {
		return 2 * run + 1;
	}

	behind(run: number): number {
		return 2 * run + 2;
	}

	find(place: number): number {
		const parents = this.#parents;
		let at = place;
		while (parents[at] !== at) at = parents[at] = parents[parents[at] as number] as number;
		return at;
	}

	unite(one: number, other: number): void {
		const [a, b] = [this.find(one), this.find(other)];
		this.#parents[Math.max(a, b)] = Math.min(a, b);
	}
}

/** What is paid ahead at each place. */
function findAhead(
	places: number,
	arcs: readonly (Arc & { readonly cost: number })[],
	findSeen: () => ReadonlySet<number>,
): Float64Array {
	const chosen = chooseArcs(places, arcs);
	const seen = findSeen();
	const least = seen.size > 0 ? findLeast(places, arcs) : new Float64Array();
	const ahead = new Float64Array(places).fill(-1);
	ahead[0] = 0;
	const path: number[] = [];
	for (let place = 0; place < places; place++) {
		let at = place;
		while (ahead[at] === -1) {
			path.push(at);
			const arc = chosen[at] as number;
			if (arc < 0) ahead[at] = 0;
			else at = (arcs[arc] as Arc).to;
		}
		for (let from = path.pop(); from !== undefined; from = path.pop()) {
			const arc = arcs[chosen[from] as number];
			const amount = arc === undefined ? 0 : arc.cost + (ahead[arc.to] as number);
			ahead[from] = seen.has(from) ? Math.min(amount, least[from] as number) : amount;
		}
	}
	return ahead;
}

/** What will run from each place on, at least. */
function findLeast(places: number, arcs: readonly (Arc & { readonly cost: number })[]): Float64Array {
	const least = new Float64Array(places).fill(Infinity);
	least[0] = 0;
	for (let round = 0, isDone = false; !isDone; round++) {
		if (round === MAX_ROUNDS) return new Float64Array(places);
		isDone = true;
		for (let i = arcs.length - 1; i >= 0; i--) {
			const { from, to, cost } = arcs[i] as (typeof arcs)[number];
			const amount = cost + (least[to] as number);
			if (amount >= (least[from] as number)) continue;
			least[from] = amount;
			isDone = false;
		}
	}
	return least;
}
