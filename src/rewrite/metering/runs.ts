import { type CodeReader, OP, type OpName } from "../../wasm/mod.ts";
import {
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
export type Prepaid = (callee: number) => number;

/** Instructions of which all run when the first does, unless a trap ends it all. */
export interface Run {
	/** Where it begins, in `code.bytes`. */
	readonly position: number;
	/** How many loops are around it. */
	readonly depth: number;
	/** Whether it is the head of a loop. */
	readonly isHead: boolean;
	cost: number;
	/** Whether something is called, or looks at the fuel, in it. */
	isSeen: boolean;
}

/** For the number of a run: where the function begins and ends, and what a handler may find. There, nothing is paid ahead. */
export const NOWHERE = -1;

/** How control goes from one run to another. */
export interface Way {
	readonly from: number;
	readonly to: number;
	/** Where the branch begins, if something can be paid, or given back, when it is taken; else -1. */
	readonly branch: number;
	/** How many labels of a table lead there; 1 for all else. */
	readonly share: number;
}

/** The type of a block that has neither parameters nor results. */
const EMPTY = 0x40;

/** How many branches of a body can be paid at. */
const MAX_BRANCHES = 10_000;

interface Frame {
	readonly flow: number;
	/** Whether branches to it carry nothing. */
	readonly isEmpty: boolean;
	/** The run in which it begins: the one before an `if`, the head of a loop. */
	readonly before: number | undefined;
	/** What leads behind it. */
	readonly ends: Omit<Way, "to">[];
	hasElse: boolean;
}

/** The runs of a body, in their order, and the ways between them. */
export class Runs {
	readonly all: Run[] = [];
	readonly ways: Way[] = [];
	readonly #reader: CodeReader;
	readonly #throws: boolean;
	readonly #prepaid: Prepaid;
	readonly #frames: Frame[] = [];
	/** `undefined` where nothing runs. */
	#current: number | undefined;
	#depth = 0;
	#branches = 0;

	/**
	 * Of the body that the reader has entered.
	 * @param throws whether the module knows exceptions: then whatever may throw ends a run, and a handler may look behind it
	 * @param sites where the fuel is looked at, but for the heads of loops
	 */
	constructor(reader: CodeReader, throws: boolean, prepaid: Prepaid, sites: readonly number[]) {
		this.#reader = reader;
		this.#throws = throws;
		this.#prepaid = prepaid;
		this.#begin(reader.codeStart, [{ from: NOWHERE, branch: -1, share: 1 }]);
		this.#frames.push({ flow: 0, isEmpty: false, before: undefined, ends: [], hasElse: false });
		let site = 0;
		while (reader.next()) {
			const { op } = reader;
			const run = this.#current === undefined ? undefined : this.all[this.#current];
			if (run !== undefined) {
				run.cost += 1 - (FREE[op] as number);
				if (op === OP.call || op === OP.return_call) run.cost += this.#prepaid(reader.first);
			}
			const flow = FLOW[op] as number;
			while (site < sites.length && (sites[site] as number) <= reader.end) {
				if (run !== undefined) run.isSeen = true;
				site++;
			}
			if (flow !== 0) this.#step(flow, run);
		}
	}

	#begin(position: number, from: readonly Omit<Way, "to">[], isHead = false): void {
		const to = this.all.length;
		this.all.push({ position, depth: this.#depth, isHead, cost: 0, isSeen: false });
		for (const way of from) this.ways.push({ ...way, to });
		this.#current = to;
	}

	/** A run begins behind the current instruction, where only that one leads. */
	#split(from: number | undefined, isHead = false): void {
		if (from === undefined) this.#current = undefined;
		else this.#begin(this.#reader.end, [{ from, branch: -1, share: 1 }], isHead);
	}

	#step(flow: number, run: Run | undefined): void {
		const current = this.#current;
		switch (flow) {
			case ELSE:
			case CATCH: {
				const frame = this.#frames.at(-1);
				if (frame === undefined) break;
				if (current !== undefined) frame.ends.push({ from: current, branch: -1, share: 1 });
				frame.hasElse = true;
				this.#split(frame.before === undefined ? undefined : flow === ELSE ? frame.before : NOWHERE);
				break;
			}
			case END:
			case DELEGATE:
				this.#end();
				break;
			case BR_IF:
				if (current === undefined) break;
				this.#branch();
				this.#split(current);
				break;
			case BR:
			case BR_TABLE:
				if (current !== undefined) this.#branch();
				this.#current = undefined;
				break;
			case RETURN:
			case THROW:
				if (current !== undefined) this.ways.push({ from: current, to: NOWHERE, branch: -1, share: 1 });
				this.#current = undefined;
				break;
			case UNREACHABLE:
				this.#current = undefined;
				break;
			case CALL:
				if (run === undefined || current === undefined) break;
				run.isSeen = true;
				if (!this.#throws) break;
				this.ways.push({ from: current, to: NOWHERE, branch: -1, share: 1 });
				this.#split(NOWHERE);
				break;
			default:
				this.#push(flow, current);
		}
	}

	#push(flow: number, current: number | undefined): void {
		const { code, start } = this.#reader;
		if (flow === TRY && current !== undefined)
			for (const label of labelsOf(this.#reader)) this.#lead(label, NOWHERE, -1);
		let before = current;
		if (flow === LOOP) {
			this.#depth++;
			this.#split(current, true);
			before = this.#current;
		} else if (flow === IF) this.#split(current);
		const isEmpty = flow !== LOOP && code.bytes[start + 1] === EMPTY;
		this.#frames.push({ flow, isEmpty, before, ends: [], hasElse: false });
	}

	/** The current instruction is a branch. */
	#branch(): void {
		const { op, start } = this.#reader;
		const labels = labelsOf(this.#reader);
		const branch = op === OP.br_if && !this.#throws && this.#branches < MAX_BRANCHES ? start : -1;
		const from = this.#current as number;
		if (labels.length === 1) {
			this.#lead(labels[0] as number, from, branch);
			return;
		}
		const shares = new Map<number, number>();
		for (const label of labels) shares.set(label, (shares.get(label) ?? 0) + 1);
		for (const [label, share] of shares) this.#lead(label, from, branch, share);
	}

	#lead(label: number, from: number, branch: number, share = 1): void {
		const frame = this.#frames.at(-1 - label);
		if (frame === undefined) return;
		if (frame.flow === LOOP) {
			if (frame.before !== undefined) this.ways.push({ from, to: frame.before, branch: -1, share });
		} else if (frame.isEmpty && branch >= 0) {
			this.#branches++;
			frame.ends.push({ from, branch, share });
		} else frame.ends.push({ from, branch: -1, share });
	}

	#end(): void {
		const frame = this.#frames.pop();
		if (frame === undefined) return;
		const { flow, before, ends, hasElse } = frame;
		if (flow === LOOP) this.#depth--;
		const current = this.#current;
		if (flow === IF && !hasElse && before !== undefined) ends.push({ from: before, branch: -1, share: 1 });
		if (this.#frames.length === 0) {
			if (current !== undefined) ends.push({ from: current, branch: -1, share: 1 });
			for (const way of ends) this.ways.push({ ...way, to: NOWHERE });
		} else if (ends.length > 0) {
			if (current !== undefined) ends.push({ from: current, branch: -1, share: 1 });
			this.#begin(this.#reader.end, ends);
		}
	}
}
