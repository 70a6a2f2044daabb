import { type CodeReader, defineSkim, OP } from "../../wasm/mod.ts";
import {
	BLOCK,
	BR,
	BR_IF,
	BR_TABLE,
	BULK,
	CALL,
	CATCH,
	DELEGATE,
	ELSE,
	END,
	FLOW,
	IF,
	isCall,
	labelsOf,
	LOOP,
	RETURN,
	THROW,
	TRY,
} from "./control.ts";
import { COST, TURN } from "./costs.ts";
import { LongestWay } from "./longest-way.ts";
import {
	comparesWithNumber,
	countTurns,
	findConstants,
	followsNumber,
	MOST_SHORT,
	NO_CONSTANTS,
} from "./short-loops.ts";
import type { Values } from "./values.ts";

/** What a strip may run at most: of that much that it adds behind a check, and so often that a check is of no account. */
const BUDGET = 60_000;
const MOST_TURNS = 1024;
const LEAST_TURNS = 8;
/**
 * What a turn costs at least if the loop may be left from within: what searches by short turns is mostly over after so few of them that setting
 * a limit costs more than their checks.
 */
const LEAST_LEFT = 1000;

/** How many bytes of code a loop has at least for which it matters in what turns there is no check that is a load alone. */
const LARGE = 512;

/** What a step is at most, as the logarithm, where it must be a power of two. */
const MOST_SHIFT = 8;

/** A number that is the same in each turn. */
export interface Invariant {
	readonly isLocal: boolean;
	/** The local's index, or the number. */
	readonly value: number;
}

/**
 * A loop whose one way back is `(br_if $loop (compare (local.tee v (i32.add (local.get v) step)) bound))`. It needs no check in each turn, but one for
 * so many turns: the local `limit` says where that is, or the bound if it comes first. There may be loops in it, which have checks of their own, if not
 * every turn passes one of these: then it has none (`findTurns`).
 */
export interface Strip {
	readonly variable: number;
	readonly step: Invariant;
	readonly bound: Invariant;
	/** One of `COMPARES`. */
	readonly compare: number;
	/** Whether the comparison is left out: it goes on while the variable is not 0. */
	readonly isShort: boolean;
	/** Where the comparison begins, behind `local.tee`, and where the branch begins. */
	readonly test: number;
	readonly branch: number;
	/** How many turns there are at most without a check. */
	readonly turns: number;
	/** What may run between the check before it and the next: of a strip with loops in it, what has run since one of theirs, as well. */
	readonly cost: number;
	/** How deep loops are nested in it: 0 or 1. */
	readonly height: number;
}

/** How many strips run within each other at most. */
const MAX_NESTED = 2;

const COMPARES: ReadonlySet<number> = new Set([
	OP["i32.ne"],
	OP["i32.lt_s"],
	OP["i32.lt_u"],
	OP["i32.gt_s"],
	OP["i32.gt_u"],
]);

/** How many instructions are looked back at from a branch. */
const WINDOW = 8;

/** A loop with nothing in it that calls. */
interface Candidate {
	readonly loop: number;
	/** Where it begins. */
	readonly start: number;
	/** How many blocks are around it. */
	readonly depth: number;
	/** Whether it may still be one, and whether what it stands in may. */
	isFit: boolean;
	/** Whether it is left elsewhere than behind its end. */
	isLeft: boolean;
	height: number;
	/** What has run at most where it begins, and what a turn runs at most. */
	readonly before: number;
	cost: number;
	/** How many branches lead back. */
	backs: number;
	latch: Latch | undefined;
	/** How often each local is set. */
	readonly sets: Map<number, number>;
	/** The numbers that locals have where it is entered, as far as they are known. */
	readonly initial: ReadonlyMap<number, number>;
	/** Whether it has neither parameters nor results. */
	readonly isEmpty: boolean;
}

type Latch = Omit<Strip, "turns" | "cost" | "height">;

/**
 * The loops of the body that the reader is to enter that can be run in strips, by their number.
 * @param isLarge whether only those with much code are asked for, that have no loops in them
 * @param values of a body in which they cost something
 * @param short gets the loops of which it is known how many turns they make, and what all of these cost; where that is little, they are no strips
 */
export function findStrips(
	reader: CodeReader,
	body: number,
	params: readonly number[],
	isLarge = false,
	values?: Values,
	short?: Map<number, number>,
): ReadonlyMap<number, Strip> {
	const strips = new Map<number, Strip>();
	const ops = new Int32Array(WINDOW);
	const firsts = new Int32Array(WINDOW);
	const starts = new Int32Array(WINDOW);
	let count = 0;
	let loop = 0;
	let depth = 0;
	/** The loops that are open. */
	const open: Candidate[] = [];
	const way = new LongestWay();
	/** An instruction that was passed, 1 for the last. */
	const op = (back: number): number => (back > count ? -1 : (ops[(count - back) % WINDOW] as number));
	const first = (back: number): number => firsts[(count - back) % WINDOW] as number;
	const invariant = (back: number): Invariant | undefined => {
		const isLocal = op(back) === OP["local.get"];
		return isLocal || op(back) === OP["i32.const"] ? { isLocal, value: first(back) } : undefined;
	};
	const matchLatch = (): Latch | undefined => {
		const isShort = op(1) === OP["local.tee"];
		const tee = isShort ? 1 : 3;
		const compare = isShort ? OP["i32.ne"] : op(1);
		const bound = isShort ? { isLocal: false, value: 0 } : invariant(2);
		if (op(tee) !== OP["local.tee"] || !COMPARES.has(compare) || bound === undefined) return undefined;
		const variable = first(tee);
		const isSum = op(tee + 1) === OP["i32.add"];
		if (!isSum && op(tee + 1) !== OP["i32.sub"]) return undefined;
		const [left, right] = [invariant(tee + 3), invariant(tee + 2)];
		const isVariable = (side: Invariant | undefined): boolean => side?.isLocal === true && side.value === variable;
		const step = isVariable(left) ? right : isSum && isVariable(right) && left?.isLocal === true ? left : undefined;
		if (step === undefined || isVariable(step) || isVariable(bound) || (!isSum && step.isLocal)) return undefined;
		return {
			variable,
			step: isSum ? step : { isLocal: false, value: -step.value | 0 },
			bound,
			compare,
			isShort,
			test: isShort ? reader.start : (starts[(count - 2) % WINDOW] as number),
			branch: reader.start,
		};
	};
	reader.enter(body);
	values?.enter(body);
	/** Where control came together last. */
	let merge = reader.codeStart;
	for (;;) {
		const candidate = open.at(-1);
		const isFit = candidate?.isFit === true;
		if (!(isFit ? reader.next() : reader.nextOf(OF_FLOW_WITH_COSTS))) break;
		if (!isFit) way.add(reader.passed);
		const flow = FLOW[reader.op] as number;
		if (!NO_CODE.has(reader.op)) way.add(COST[reader.op] as number);
		if (values !== undefined) way.add(values.step(reader));
		if (candidate !== undefined) {
			if (reader.op === OP["local.set"] || reader.op === OP["local.tee"])
				candidate.sets.set(reader.first, (candidate.sets.get(reader.first) ?? 0) + 1);
			if (isCall(reader.op) || reader.op === OP["memory.grow"] || BULK[reader.op] !== 0) candidate.isFit = false;
		}
		switch (flow) {
			case LOOP: {
				depth++;
				const { first: type, start } = reader;
				open.push({
					loop,
					start,
					depth,
					isFit: way.isAlive && (type < 0 || params[type] === 0),
					isLeft: false,
					height: 0,
					before: way.cost,
					cost: 0,
					backs: 0,
					latch: undefined,
					sets: new Map(),
					initial: short === undefined ? NO_CONSTANTS : findConstants(reader, merge),
					isEmpty: reader.code.bytes[start + 1] === EMPTY,
				});
				loop++;
				break;
			}
			case TRY:
			case CATCH:
			case THROW:
				if (candidate !== undefined) candidate.isFit = false;
				if (flow === TRY) depth++;
				break;
			case END:
			case DELEGATE:
				if (candidate?.depth === depth) {
					const cost = short === undefined ? 0 : costOfTurns(candidate);
					if (cost > 0) {
						short?.set(candidate.loop, cost);
						way.add(cost);
					}
					const isAsked = !isLarge || (candidate.height === 0 && reader.start - candidate.start >= LARGE);
					const strip =
						candidate.isFit && isAsked && (cost === 0 || cost > MOST_SHORT) ? toStrip(candidate) : undefined;
					if (strip !== undefined) strips.set(candidate.loop, strip);
					open.pop();
					const around = open.at(-1);
					if (around !== undefined) include(around, candidate);
				}
				depth--;
				break;
			case BR:
			case BR_IF:
			case BR_TABLE:
				if (candidate?.isFit !== true) break;
				// Casts have labels that are not moved
				if (flow === BR_IF && reader.op >= 0x100) candidate.isFit = false;
				else {
					const labels = labelsOf(reader);
					for (const around of open.slice(-MAX_NESTED)) {
						if (labels.some((label) => label > depth - around.depth)) around.isLeft = true;
						if (!labels.includes(depth - around.depth)) continue;
						around.backs++;
						around.cost = way.cost - around.before;
						around.latch = reader.op === OP.br_if && around === candidate ? matchLatch() : undefined;
					}
				}
				break;
			case RETURN:
				for (const around of open.slice(-MAX_NESTED)) around.isLeft = true;
				break;
			default:
				if (OPENS.has(reader.op)) depth++;
		}
		if (MEETS.has(flow)) merge = reader.end;
		way.step(flow, flow === BR || flow === BR_IF || flow === BR_TABLE ? labelsOf(reader) : NONE);
		const place = count++ % WINDOW;
		ops[place] = reader.op;
		firsts[place] = reader.first;
		starts[place] = reader.start;
	}
	return strips;
}

/**
 * Whether `findStrips` may find something in the body that the reader is to enter, asked for what is large or counted: a loop without calls and loops
 * in it, with a `br_if` back, that has much code, or begins and ends at a number. By this most code is passed soon.
 */
export function mayHaveLarge(reader: CodeReader, body: number): boolean {
	/** Where the innermost loop begins, if it is such a one so far, and the blocks that are open in it. */
	let start = Infinity;
	let depth = 0;
	let comesBack = false;
	let beginsAtNumber = false;
	let endsAtNumber = false;
	reader.enter(body);
	while (reader.nextOf(OF_FLOW)) {
		const flow = FLOW[reader.op];
		if (flow === LOOP) {
			start = reader.start;
			depth = 0;
			comesBack = endsAtNumber = false;
			beginsAtNumber = followsNumber(reader);
		} else if (start === Infinity) continue;
		else if (flow === CALL || flow === TRY) start = Infinity;
		else if (flow === BLOCK || flow === IF) depth++;
		else if (flow === BR_IF && reader.first === depth) {
			comesBack = true;
			endsAtNumber = beginsAtNumber && comparesWithNumber(reader);
		} else if (flow === END && depth-- === 0) {
			if (endsAtNumber || (comesBack && reader.start - start >= LARGE)) return true;
			start = Infinity;
		}
	}
	return false;
}

const OF_FLOW = defineSkim((op) => FLOW[op] !== 0);
const OF_FLOW_WITH_COSTS = defineSkim((op) => FLOW[op] !== 0, COST);

/** V8 makes nothing of them. Before a large table there are thousands. */
const NO_CODE: ReadonlySet<number> = new Set([OP.block, OP.end]);

const NONE: readonly number[] = [];

/** What control may come to from elsewhere. */
const MEETS: ReadonlySet<number> = new Set([LOOP, END, ELSE, CATCH, DELEGATE]);

/** The type of a block that has neither parameters nor results. */
const EMPTY = 0x40;

const OPENS: ReadonlySet<number> = new Set([OP.block, OP.if]);

/** A loop stands in another. What is not to be in the one is not to be in the other; and what is nested too deep is not looked at. */
function include(around: Candidate, { isFit, height, sets }: Candidate): void {
	around.height = Math.max(around.height, height + 1);
	if (!isFit || around.height >= MAX_NESTED) around.isFit = false;
	if (!around.isFit) return;
	for (const [local, times] of sets) around.sets.set(local, (around.sets.get(local) ?? 0) + times);
}

/** What all turns of a loop cost, if it begins at a number, steps by a number and ends at a number; 0 where it does not, or turns too often. */
function costOfTurns({ isFit, isEmpty, height, latch, backs, sets, initial, cost }: Candidate): number {
	if (!isFit || !isEmpty || height > 0 || latch === undefined || backs !== 1) return 0;
	const { variable, step, bound, compare } = latch;
	const from = initial.get(variable);
	if (from === undefined || sets.get(variable) !== 1 || step.isLocal || bound.isLocal) return 0;
	if (compare === OP["i32.ne"] && shiftOf(step.value) < 0) return 0;
	return countTurns(from, step.value, bound.value, compare) * cost;
}

function toStrip({ latch, backs, isLeft, height, sets, cost }: Candidate): Strip | undefined {
	if (latch === undefined || (isLeft && cost < LEAST_LEFT) || backs !== 1 || sets.get(latch.variable) !== 1)
		return undefined;
	const { step, bound, compare } = latch;
	if ((step.isLocal && sets.has(step.value)) || (bound.isLocal && sets.has(bound.value))) return undefined;
	// It never ends, and how far so many turns lead says nothing of how many they were
	if (!step.isLocal && step.value === 0) return undefined;
	// What is met exactly must be met: by steps that go on through all numbers of their kind
	if (compare === OP["i32.ne"] && (step.isLocal || shiftOf(step.value) < 0)) return undefined;
	const turns = Math.min(MOST_TURNS, Math.floor(BUDGET / cost));
	if (turns < LEAST_TURNS) return undefined;
	// A turn that passed a check within may end that long behind it, and the others may pass none
	const before = height === 0 ? 0 : TURN + cost;
	return { ...latch, turns, cost: turns * cost + before, height };
}

/** The logarithm of a step; -1 where it is no small power of two. */
export function shiftOf(step: number): number {
	const size = Math.abs(step);
	const shift = 31 - Math.clz32(size);
	return size > 0 && shift <= MOST_SHIFT && size === 1 << shift ? shift : -1;
}
