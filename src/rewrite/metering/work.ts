import { type CodeReader, type Module, OP } from "../../wasm/mod.ts";
import type { Survey } from "../survey.ts";
import { type CallGraph, findCalls } from "./call-graph.ts";
import { countParams } from "./control.ts";
import {
	costOfEntry,
	FEW_FIRST_CALLS,
	FIRST_CALL,
	FOREIGN,
	FOREIGN_TAIL,
	HEAD,
	OFTEN,
	SHORT,
	TAIL,
	UP,
} from "./costs.ts";
import { costsOfFirstCalls } from "./first-calls.ts";
import { type Callee, type PathRules, PathWalk } from "./path-costs.ts";
import { findLatches } from "./latches.ts";
import { MOST_SHORT } from "./short-loops.ts";
import { findStrips, mayHaveLarge, type Strip } from "./strips.ts";
import { findTurns } from "./turns.ts";
import { Values } from "./values.ts";

/**
 * What is promised of each function, for whoever calls it and for the proof. Functions are counted with the imports; behind them are
 * the outside, and the types that are called through.
 */
export interface Contracts {
	/** The group of each: calls lead into the same or a lower one. */
	readonly groups: Uint32Array;
	/** The most that runs before its first check, or to its end. */
	readonly heads: Int32Array;
	/** The most that runs on a way through it without a check; -1 where there is no such way. */
	readonly through: Int32Array;
	/** By group: the most that runs from a check in it until it is left; -1 where it has none. */
	readonly tails: Int32Array;
	/** For whoever is in the same group: the most that has run since its last check where it comes back; 0 where that is little in each frame. */
	readonly returns: Int32Array;
	/** What it may take to compile what is called: for functions, and for the types that they are called through. */
	readonly firsts: Int32Array;
	/** For each type the number of what is called through it. */
	readonly typeNodes: Uint32Array;
	/** Whether tables may come to hold what they did not at the start, and whether calls may throw. */
	readonly changesTables: boolean;
	readonly throws: boolean;
}

/** Where bodies are to be checked besides their loops, and why that is enough. */
export interface CheckPlan {
	/** Ascending positions in `code.bytes`, between two instructions, by body; `undefined` for none. */
	readonly sites: readonly (readonly number[] | undefined)[];
	/** 1 for each loop that needs no check of its own, by body; `undefined` where all do. */
	readonly bare: readonly (Uint8Array | undefined)[];
	/** The loops that have one check for many turns, by their number, by body. */
	readonly strips: readonly (ReadonlyMap<number, Strip> | undefined)[];
	readonly contracts: Contracts;
}

/** Not for cycles; where it is entered; before it calls what closes a cycle. */
const NONE = 0;
const EARLY = 1;
const LATE = 2;

/** What closes a cycle and is called behind a check: nothing else of it is known yet. */
const UNKNOWN: Callee = { head: 0, through: -1, tail: -1, closes: true, returns: 0, first: 0 };

const OPEN = 1;
const DONE = 2;

const NO_STRIPS: ReadonlyMap<number, Strip> = new Map();
const NONE_COUNTED: ReadonlyMap<number, number> = new Map();

/**
 * Bounds what runs between two checks, wherever the guest goes: `BOUND` on every way through calls, and `UP` more for each frame of a
 * recursion that is returned to. Each cycle has a function whose frames run no more than that on their way back, or pass a check; of the
 * others those who call them know what they have run. A function that is in a cycle is checked before it calls what is in it: where it is entered, or if the
 * ways without such a call are short, on those with one alone.
 *
 * Functions are taken in the order in which they are called, the called first. What costs little in all needs no look at its ways: no
 * way runs an instruction twice without a check, as each turn of a loop has one.
 * @param metering with a slow path checks may stand behind the entry, as what they call makes them dearer there; with fuel all loops have their own
 */
export function planChecks(
	module: Module,
	survey: Survey,
	reader: CodeReader,
	metering: "trap" | "yield" | "fuel",
): CheckPlan {
	return new Planner(module, survey, reader, metering).plan();
}

class Planner {
	readonly #survey: Survey;
	readonly #reader: CodeReader;
	readonly #isLate: boolean;
	/** Whether checks cost the same wherever they are: then loops are checked where they come back. */
	readonly #isPlain: boolean;
	readonly #graph: CallGraph;
	readonly #heads: Int32Array;
	readonly #through: Int32Array;
	readonly #tails: Int32Array;
	readonly #returns: Int32Array;
	readonly #firsts: Int32Array;
	/** How many places call each. */
	readonly #callers: Uint32Array;
	readonly #sites: (readonly number[] | undefined)[];
	readonly #bare: (Uint8Array | undefined)[];
	readonly #strips: (ReadonlyMap<number, Strip> | undefined)[];
	/** The loops of each body of which it is known what all their turns cost. */
	readonly #counted: (ReadonlyMap<number, number> | undefined)[];
	/** How many parameters each type has. */
	readonly #params: readonly number[];
	readonly #values: Values;
	/** How each function is checked for the cycles that it is in. */
	readonly #entries: Uint8Array;
	/** 1 for what is called from outside or through a type, in a cycle. */
	readonly #isTaken: Uint8Array;
	/** 1 for what others can call. */
	readonly #isOpen: Uint8Array;
	/** Of the search. */
	readonly #state: Uint8Array;
	readonly #next: Uint32Array;
	/** The group of the body that is looked at. */
	#group = 0;
	/** See `PathRules`. */
	#callsFew = false;

	constructor(module: Module, survey: Survey, reader: CodeReader, metering: "trap" | "yield" | "fuel") {
		this.#survey = survey;
		this.#reader = reader;
		this.#isLate = metering === "yield";
		this.#isPlain = metering === "trap" && !survey.exceptions.any;
		this.#graph = findCalls(module, survey);
		const { of, order } = this.#graph.components;
		this.#heads = new Int32Array(of.length);
		this.#through = new Int32Array(of.length).fill(-1);
		this.#tails = new Int32Array(order.length + 1).fill(-1);
		this.#returns = new Int32Array(of.length);
		this.#firsts = new Int32Array(of.length);
		this.#findFirsts(module);
		this.#callers = new Uint32Array(of.length);
		for (const targets of this.#graph.edges) for (const target of targets ?? []) this.#callers[target]!++;
		this.#entries = new Uint8Array(of.length);
		this.#isTaken = new Uint8Array(of.length);
		this.#isOpen = new Uint8Array(of.length);
		this.#state = new Uint8Array(of.length);
		this.#next = new Uint32Array(of.length);
		// What other instances have is promised to be within the same bound
		this.#heads[this.#graph.outside] = this.#through[this.#graph.outside] = FOREIGN;
		for (const target of this.#targetsOf(this.#graph.outside)) this.#isOpen[target] = 1;
		this.#sites = Array.from({ length: module.functions.length });
		this.#bare = Array.from({ length: module.functions.length });
		this.#strips = Array.from({ length: module.functions.length });
		this.#counted = Array.from({ length: module.functions.length });
		this.#params = countParams(module);
		this.#values = new Values(module);
	}

	#findFirsts({ code }: Module): void {
		const { imported, outside, edges } = this.#graph;
		const firsts = this.#firsts;
		firsts.set(costsOfFirstCalls(code), imported);
		for (let node = outside + 1; node < firsts.length; node++)
			for (const target of edges[node] ?? []) firsts[node] = Math.max(firsts[node] as number, firsts[target] as number);
	}

	plan(): CheckPlan {
		const { of, order } = this.#graph.components;
		for (let from = 0, to = 0; from < order.length; from = to) {
			const group = of[order[from] as number] as number;
			while (to < order.length && of[order[to] as number] === group) to++;
			this.#planGroup(group, order.subarray(from, to));
		}
		const { typeNodes } = this.#graph;
		const { changesTables, exceptions } = this.#survey;
		const promised = {
			groups: of,
			heads: this.#heads,
			through: this.#through,
			tails: this.#tails,
			returns: this.#returns,
			firsts: this.#firsts,
		};
		return {
			sites: this.#sites,
			bare: this.#bare,
			strips: this.#strips,
			contracts: { ...promised, typeNodes, changesTables, throws: exceptions.any },
		};
	}

	#planGroup(group: number, nodes: Uint32Array): void {
		this.#group = group;
		let firsts = 0;
		for (const node of nodes) if (node < this.#graph.outside) firsts += this.#firsts[node] as number;
		this.#callsFew = firsts <= FEW_FIRST_CALLS;
		const [heads, through] = [this.#heads, this.#through];
		const sorted = this.#sort(nodes.length === 1 ? nodes : nodes.toSorted());
		for (const node of sorted) {
			if (this.#entries[node] === EARLY) this.#tryLate(node);
			if (this.#entries[node] === EARLY) this.#heads[node] = this.#costOfEntry(node);
		}
		for (const node of nodes) {
			if (node < this.#graph.outside) continue;
			for (const target of this.#targetsOf(node)) {
				heads[node] = Math.max(heads[node] as number, heads[target] as number);
				through[node] = Math.max(through[node] as number, through[target] as number);
			}
		}
		// An exception passes frames without a check, and so may the end of what is called instead of an end
		if (this.#survey.exceptions.any || !this.#planBodies(sorted, false)) this.#planBodies(sorted, true);
		for (const node of nodes) {
			if (node === this.#graph.outside) this.#leave(FOREIGN_TAIL);
			else if (node > this.#graph.outside)
				for (const target of this.#targetsOf(node)) this.#leave(this.#tails[this.#groupOf(target)] as number);
		}
	}

	/**
	 * @param areBounded whether all are bounded behind calls that close a cycle, or only one in each cycle
	 * @returns whether that is enough
	 */
	#planBodies(sorted: readonly number[], areBounded: boolean): boolean {
		this.#tails[this.#group] = -1;
		for (const node of sorted) {
			if (this.#entries[node] !== NONE) continue;
			this.#heads[node] = this.#through[node] = Math.min(this.#costOf(node, true), this.#headLimit(node));
		}
		let isFit = true;
		for (const node of sorted) if (!this.#planBody(node, areBounded)) isFit = false;
		return isFit;
	}

	/**
	 * The bodies of a group, the called first; and which of them are checked, so that every cycle has a check: where the calls through types
	 * and from outside come back into a function, and of the cycles that are left one in each, wherever a search comes back to what it is in.
	 */
	#sort(nodes: Uint32Array): readonly number[] {
		const { outside, imported } = this.#graph;
		for (const node of nodes) {
			if (node < outside) continue;
			for (const target of this.#targetsOf(node))
				if (this.#groupOf(target) === this.#group) this.#entries[target] = this.#isTaken[target] = EARLY;
		}
		const sorted: number[] = [];
		const path: number[] = [];
		const enter = (node: number): void => {
			this.#state[node] = OPEN;
			path.push(node);
		};
		for (const root of nodes) {
			if (root < imported || root >= outside || this.#state[root] !== 0) continue;
			enter(root);
			for (let node = path.at(-1); node !== undefined; node = path.at(-1)) {
				const target = this.#targetsOf(node)[this.#next[node]!++];
				if (target === undefined) {
					this.#state[node] = DONE;
					sorted.push(node);
					path.pop();
				} else if (target < outside && target >= imported && this.#groupOf(target) === this.#group) {
					if (this.#state[target] === 0) enter(target);
					else if (this.#state[target] === OPEN) this.#entries[target] = EARLY;
				}
			}
		}
		return sorted;
	}

	/**
	 * A body is better checked before its calls than at its entry where these are behind a loop's check as it is, or with a slow path in one
	 * place: if the ways without them are short, which every frame may run that made such a call. What is called through a type would make
	 * the ways longer for all that is.
	 */
	#tryLate(node: number): void {
		if (this.#isTaken[node] === 1) return;
		const body = node - this.#graph.imported;
		const { loopStarts, exceptions } = this.#survey;
		const most = this.#isLate || this.#isPlain ? 1 : 0;
		if (most === 0 && loopStarts[body] === loopStarts[body + 1]) return;
		const bare = this.#isLate ? this.#findBare(body) : undefined;
		const walk = new PathWalk(this.#reader, {
			callee: () => {
				const callee = this.#callee();
				return callee.closes ? UNKNOWN : callee;
			},
			isChecked: (loop) => bare?.[loop] !== 1,
			stripOf: this.#stripOf(body),
			shortOf: this.#shortOf(body, bare),
			values: this.#valuesOf(body),
			throws: exceptions.any,
			head: this.#headLimit(node),
			tail: this.#isOften(node) ? SHORT : TAIL,
			isBounded: true,
			callsFew: this.#callsFew,
			entry: "late",
		});
		const { head, through } = walk.run(body);
		if (through - FIRST_CALL > UP || walk.late > most) return;
		this.#entries[node] = LATE;
		this.#heads[node] = head;
		this.#through[node] = through;
	}

	#planBody(node: number, areBounded: boolean): boolean {
		const body = node - this.#graph.imported;
		const entry = this.#entries[node] as number;
		const inGroup = this.#targetsOf(node).filter((target) => this.#groupOf(target) === this.#group);
		const isShort = inGroup.every((target) => (this.#returns[target] as number) <= 0);
		const cost = this.#costOf(node, true);
		const { codeStarts, exceptions } = this.#survey;
		const bare = this.#isPlain && entry === LATE ? undefined : this.#findBare(body);
		if (
			entry !== LATE &&
			bare === undefined &&
			isShort &&
			cost <= (inGroup.length > 0 ? UP : Math.min(this.#headLimit(node), TAIL))
		) {
			if (entry === EARLY) this.#sites[body] = [codeStarts[body] as number];
			this.#leave(cost);
			this.#returns[node] = 0;
			return true;
		}
		const rules: PathRules = {
			callee: () => this.#callee(),
			isChecked: (loop) => bare?.[loop] !== 1,
			stripOf: this.#stripOf(body),
			shortOf: this.#shortOf(body, bare),
			values: this.#valuesOf(body),
			throws: exceptions.any,
			head: this.#headLimit(node),
			tail: this.#isOften(node) ? SHORT : TAIL,
			isBounded: areBounded || entry !== NONE,
			callsFew: this.#callsFew,
			entry: entry === EARLY ? "early" : entry === LATE ? "late" : "none",
		};
		const walk = new PathWalk(this.#reader, rules);
		const { head, through, tail } = walk.run(body);
		this.#sites[body] = walk.sites.length > 0 ? walk.sites : undefined;
		this.#heads[node] = head;
		this.#through[node] = through;
		this.#leave(tail);
		this.#returns[node] = rules.isBounded ? 0 : tail;
		return !walk.isUnfit;
	}

	/** Some loops have the checks of others, and without a slow path a loop's own may stand where it comes back, if it is not run in strips. */
	#findBare(body: number): Uint8Array | undefined {
		const { loopStarts } = this.#survey;
		const loops = (loopStarts[body + 1] as number) - (loopStarts[body] as number);
		if (loops === 0 || !(this.#isLate || this.#isPlain)) return undefined;
		const strips = this.#findStrips(body);
		const bare = this.#findTurns(body, loops);
		if (this.#isPlain) {
			findLatches(this.#reader, body, bare);
			for (const loop of strips.keys()) bare[loop] = 0;
		}
		for (const [loop, cost] of this.#counted[body] ?? NONE_COUNTED) bare[loop] = cost <= MOST_SHORT ? 1 : 0;
		return bare.includes(1) ? (this.#bare[body] = bare) : undefined;
	}

	/** Some loops that count have a check for many turns: without a slow path the large ones. */
	#findStrips(body: number): ReadonlyMap<number, Strip> {
		const { loopStarts } = this.#survey;
		const known = this.#strips[body];
		if (known !== undefined) return known;
		const loops = (loopStarts[body + 1] as number) - (loopStarts[body] as number);
		const mayHave = loops > 0 && (this.#isLate || (this.#isPlain && mayHaveLarge(this.#reader, body)));
		if (!mayHave) return (this.#strips[body] = NO_STRIPS);
		const counted = new Map<number, number>();
		const strips = findStrips(this.#reader, body, this.#params, this.#isPlain, this.#valuesOf(body), counted);
		if (counted.size > 0) this.#counted[body] = counted;
		if ([...strips.values()].every(({ height }) => height === 0)) return (this.#strips[body] = strips);
		// What needs no check of its own would have one then
		const bare = this.#findTurns(body, loops);
		return (this.#strips[body] = new Map([...strips].filter(([loop]) => bare[loop] !== 1)));
	}

	/** Strips have been looked for. */
	#findTurns(body: number, loops: number): Uint8Array {
		const counted = [...(this.#counted[body] ?? NONE_COUNTED)];
		const short = new Set(counted.filter(([, cost]) => cost <= MOST_SHORT).map(([loop]) => loop));
		return findTurns(this.#reader, body, loops, short);
	}

	/** @param bare the loops of the body that have no check at their heads */
	#shortOf(body: number, bare: Uint8Array | undefined): (loop: number) => number {
		this.#findStrips(body);
		const counted = this.#counted[body];
		return (loop) => (bare?.[loop] === 1 ? (counted?.get(loop) ?? 0) : 0);
	}

	#stripOf(body: number): (loop: number) => number {
		const strips = this.#findStrips(body);
		return (loop) => strips.get(loop)?.cost ?? 0;
	}

	/** Of a body in which they cost something. */
	#valuesOf(body: number): Values | undefined {
		return this.#survey.carries[body] === 1 ? this.#values : undefined;
	}

	/** What runs before the check at its beginning. */
	#costOfEntry(node: number): number {
		this.#reader.enter(node - this.#graph.imported);
		return costOfEntry(this.#reader.declared);
	}

	/** What the group is left with. */
	#leave(tail: number): void {
		if (tail > (this.#tails[this.#group] as number)) this.#tails[this.#group] = tail;
	}

	/** Who ends with a call of it has run that much since its last check, with what it gives it. */
	#headLimit(node: number): number {
		if (this.#isOpen[node] === 1) return FOREIGN;
		return this.#isOften(node) ? SHORT : Math.min(HEAD, FOREIGN_TAIL - this.#values.costOfCall(node));
	}

	#isOften(node: number): boolean {
		return (this.#callers[node] as number) > OFTEN;
	}

	#groupOf(node: number): number {
		return this.#graph.components.of[node] as number;
	}

	#targetsOf(node: number): readonly number[] {
		return this.#graph.edges[node] ?? [];
	}

	/** All of it, with what it calls; with `closing` also in its own group, as far as that is known. */
	#costOf(node: number, closing: boolean): number {
		const body = node - this.#graph.imported;
		let cost = this.#survey.costs[body] as number;
		for (const strip of this.#findStrips(body).values()) cost += strip.cost;
		for (const turns of this.#counted[body]?.values() ?? []) if (turns <= MOST_SHORT) cost += turns;
		for (const target of this.#targetsOf(node)) {
			const group = this.#groupOf(target);
			const head = this.#heads[target] as number;
			cost += this.#firsts[target] as number;
			if (group !== this.#group) cost += Math.max(head, this.#tails[group] as number);
			else if (closing) cost += head;
		}
		return cost;
	}

	#callee(): Callee {
		const { op, first, second } = this.#reader;
		const { imported, outside, typeNodes, isOpen } = this.#graph;
		if (op === OP.call || op === OP.return_call) return this.#promise(first < imported ? outside : first);
		const isReference = op === OP.call_ref || op === OP.return_call_ref;
		const callee = this.#promise(typeNodes[first] as number);
		if (!isReference && !isOpen(second)) return callee;
		const other = this.#promise(outside);
		return {
			head: Math.max(callee.head, other.head),
			through: Math.max(callee.through, other.through),
			tail: Math.max(callee.tail, other.tail),
			closes: callee.closes || other.closes,
			returns: Math.max(callee.returns, other.returns),
			first: Math.max(callee.first, other.first),
		};
	}

	#promise(node: number): Callee {
		const group = this.#groupOf(node);
		const closes = group === this.#group;
		return {
			head: this.#heads[node] as number,
			through: this.#through[node] as number,
			tail: this.#tails[group] as number,
			closes,
			returns: closes ? (this.#returns[node] as number) : -1,
			first: this.#firsts[node] as number,
		};
	}
}
