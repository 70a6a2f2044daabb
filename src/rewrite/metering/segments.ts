import { type CodeReader, OP, type OpName } from "../../wasm/mod.ts";
import {
	BLOCK,
	BR,
	BR_IF,
	BR_TABLE,
	CALL,
	CATCH,
	DELEGATE,
	ELSE,
	END,
	FLOW,
	IF,
	labelsOf,
	LOOP,
	RETURN,
	THROW,
	TRY,
	UNREACHABLE,
} from "./control.ts";

/** What is not counted: it only says where blocks begin and end, or does nothing. `unreachable` and `return` are of these as well. */
const FREE_NAMES: readonly OpName[] = [
	"nop",
	"drop",
	"block",
	"loop",
	"try",
	"try_table",
	"else",
	"catch",
	"catch_all",
	"delegate",
	"end",
	"return",
	"unreachable",
];

/** 1 for each operator that costs nothing. Everything else costs one. */
const FREE = new Uint8Array(FLOW.length);
for (const name of FREE_NAMES) FREE[OP[name]] = 1;

/** What a call of each function costs beside itself: what it has run then and does not pay for by itself. Imports are counted. */
type Prepaid = (callee: number) => number;

const isDirectCall = (op: number): boolean => op === OP.call || op === OP.return_call;

export interface Segments {
	/** As pairs of numbers: where each is paid, in `code.bytes`, and what it costs. */
	readonly pairs: Uint32Array;
	/** What is given back at branches out of loops, by where they begin: it was paid for what they leave out. */
	readonly refunds: ReadonlyMap<number, number>;
}

/** Instructions that are paid for together, at a place that is passed exactly as often as each of them. */
interface Segment {
	/** Where it is paid, in `code.bytes`. */
	readonly position: number;
	cost: number;
}

/** The type of a block that has neither parameters nor results. */
const EMPTY = 0x40;

/** How many blocks are around a branch, in the loop that it leaves, and how many such branches a body has: others end segments. */
const MAX_WITHIN = 8;
const MAX_EXITS = 10_000;

/** Of what never runs. */
const DEAD: Segment = { position: -1, cost: 0 };

/** A branch out of a loop, and how much of what is paid for has run there, by segment. */
interface Exit {
	readonly position: number;
	readonly run: ReadonlyMap<Segment, number>;
}

interface Frame {
	readonly flow: number;
	/** Whether branches to it carry nothing. */
	readonly isEmpty: boolean;
	/** The segment in which it begins. */
	readonly before: Segment;
	/**
	 * The outermost of the blocks that something in it may leave, by its number from the outside; what is further in is left as well.
	 * Blocks within pass theirs on when they end, so that a branch costs the same however deep it stands.
	 */
	left: number;
	/** Whether a branch leads behind it. */
	reached: boolean;
	/** The first segments of the arms of an `if`. */
	readonly taken: Segment | undefined;
	otherwise: Segment | undefined;
}

/**
 * The segments of the body that the reader has entered, in their order.
 *
 * What follows a block is paid with what precedes it when nothing in the block can go on elsewhere: then it runs as often, unless a
 * trap ends it all. What both arms of an `if` cost at least is paid before it. A branch out of a loop ends no segment of that: what was paid
 * for the rest of the turn is given back where it is taken, which is less often than that it is not.
 * @param throws whether the module knows exceptions: then whatever may throw ends a segment, so that a handler finds paid what has run
 */
export function findSegments(reader: CodeReader, throws: boolean, prepaid: Prepaid): Segments {
	return new SegmentFinder(reader, throws, prepaid).find();
}

class SegmentFinder {
	readonly #reader: CodeReader;
	readonly #throws: boolean;
	readonly #prepaid: Prepaid;
	readonly #segments: Segment[] = [];
	readonly #frames: Frame[] = [];
	readonly #exits: Exit[] = [];
	#current: Segment = DEAD;

	constructor(reader: CodeReader, throws: boolean, prepaid: Prepaid) {
		this.#reader = reader;
		this.#throws = throws;
		this.#prepaid = prepaid;
	}

	find(): Segments {
		const reader = this.#reader;
		this.#current = this.#begin(reader.codeStart);
		this.#push(BLOCK);
		while (reader.next()) {
			this.#current.cost += 1 - (FREE[reader.op] ?? 0);
			if (isDirectCall(reader.op)) this.#current.cost += this.#prepaid(reader.first);
			const flow = FLOW[reader.op] ?? 0;
			if (flow !== 0) this.#step(flow);
			DEAD.cost = 0;
		}
		const pairs = new Uint32Array(2 * this.#segments.length);
		this.#segments.forEach(({ position, cost }, i) => pairs.set([position, cost], 2 * i));
		const refunds = new Map<number, number>();
		for (const { position, run } of this.#exits) {
			let amount = 0;
			for (const [segment, cost] of run) amount += segment.cost - cost;
			if (amount > 0) refunds.set(position, amount);
		}
		return { pairs, refunds };
	}

	#begin(position: number): Segment {
		const segment = { position, cost: 0 };
		this.#segments.push(segment);
		return segment;
	}

	/** A segment behind the current instruction, if that was reached. */
	#split(reached: boolean): Segment {
		return (this.#current = reached ? this.#begin(this.#reader.end) : DEAD);
	}

	#push(flow: number): void {
		const before = this.#current;
		const starts = flow === IF || flow === LOOP;
		const taken = starts ? this.#split(before !== DEAD) : undefined;
		const isEmpty = this.#frames.length > 0 && this.#reader.code.bytes[this.#reader.start + 1] === EMPTY;
		this.#frames.push({ flow, isEmpty, before, left: Infinity, reached: false, taken, otherwise: undefined });
	}

	#step(flow: number): void {
		const alive = this.#current !== DEAD;
		switch (flow) {
			case TRY:
				// A handler is entered with nothing paid in advance, so nothing is where it goes on
				this.#leaveAll();
				if (alive) for (const label of labelsOf(this.#reader)) this.#branch(label);
				this.#push(flow);
				this.#leave(0);
				break;
			case BLOCK:
			case IF:
			case LOOP:
				this.#push(flow);
				break;
			case ELSE:
			case CATCH: {
				const frame = this.#frames.at(-1);
				if (frame === undefined) break;
				frame.reached ||= alive;
				const segment = this.#split(frame.before !== DEAD);
				if (flow === ELSE) frame.otherwise = segment;
				else this.#leave(0);
				break;
			}
			case END:
			case DELEGATE:
				this.#end(alive);
				break;
			case BR_IF:
				if (!alive || this.#exit()) break;
				this.#branch(this.#labels()[0] ?? 0);
				this.#split(true);
				break;
			case BR:
			case BR_TABLE:
				if (alive && !this.#exit()) for (const label of this.#labels()) this.#branch(label);
				this.#current = DEAD;
				break;
			case RETURN:
			case THROW:
				if (alive) this.#leaveAll();
				this.#current = DEAD;
				break;
			case UNREACHABLE:
				this.#current = DEAD;
				break;
			case CALL:
				if (!this.#throws || !alive) break;
				this.#leaveAll();
				this.#split(true);
		}
	}

	/** A branch out of a loop that carries nothing, with which no segment of the loop's ends. */
	#exit(): boolean {
		const { op, start, first } = this.#reader;
		const target = this.#frames.at(-1 - first);
		if (this.#throws || this.#exits.length === MAX_EXITS) return false;
		if ((op !== OP.br && op !== OP.br_if) || target?.isEmpty !== true || target.flow === LOOP) return false;
		const run = new Map([[this.#current, this.#current.cost]]);
		const furthest = this.#frames.length - Math.min(first, MAX_WITHIN + 1);
		for (let i = this.#frames.length - 1; i >= furthest; i--) {
			const frame = this.#frames[i] as Frame;
			if (frame.flow === LOOP) {
				// The loop is left, and what is around it up to the target
				frame.left = Math.min(frame.left, this.#frames.length - first);
				target.reached = true;
				this.#exits.push({ position: start, run });
				return true;
			}
			for (const segment of [frame.before, frame.otherwise ?? frame.taken])
				if (segment !== undefined) run.set(segment, segment.cost);
		}
		return false;
	}

	#labels(): readonly number[] {
		return labelsOf(this.#reader);
	}

	#branch(depth: number): void {
		if (depth > 0) this.#leave(depth - 1);
		const target = this.#frames.at(-1 - depth);
		if (target !== undefined && target.flow !== LOOP) target.reached = true;
	}

	/** The innermost block is left, and those around it up to this depth. */
	#leave(depth: number): void {
		const frame = this.#frames.at(-1);
		if (frame !== undefined) frame.left = Math.min(frame.left, Math.max(0, this.#frames.length - 1 - depth));
	}

	#leaveAll(): void {
		this.#leave(this.#frames.length - 1);
	}

	#end(alive: boolean): void {
		const frame = this.#frames.pop();
		if (frame === undefined || this.#frames.length === 0) return;
		const { before, taken, otherwise, left } = frame;
		const around = this.#frames.at(-1);
		if (around !== undefined) around.left = Math.min(around.left, left);
		if (taken !== undefined && otherwise !== undefined && before !== DEAD) {
			const common = Math.min(taken.cost, otherwise.cost);
			before.cost += common;
			taken.cost -= common;
			otherwise.cost -= common;
		}
		const skipped = frame.flow === IF && otherwise === undefined && before !== DEAD;
		const reached = alive || frame.reached || skipped;
		if (reached && left > this.#frames.length) this.#current = before;
		else this.#split(reached);
	}
}
