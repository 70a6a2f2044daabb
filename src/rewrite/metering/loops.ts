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
	labelsOf,
	LOOP,
	RETURN,
	THROW,
	TRY,
	UNREACHABLE,
} from "./control.ts";

/** Its check has the slow path outside of the loop. */
export const OUTLINED = 1;

/** How many instructions such a loop has at most: in a larger one a call hardly costs more, and the blocks around it are not for nothing. */
const MAX_OUTLINED = 120;

const SEEN_CALL = 1;
const SEEN_LOOP = 2;
const UNFIT = 4;
/** It has labels that are not moved, and so have the loops that it stands in. */
const UNMOVABLE = 8;

/** Of what is passed over, how many there are is counted. */
const COUNTED = defineSkim((op) => FLOW[op] !== 0 || op === OP["memory.grow"], new Uint16Array(256).fill(1));

/** What of a loop cannot be outlined besides handlers: labels in it that are not moved. */
const UNMOVED: ReadonlySet<number> = new Set([OP.br_on_cast, OP.br_on_cast_fail]);

/** An instruction with which ways of control part or meet, or that calls. */
interface Event {
	readonly flow: number;
	/** Where it leads. */
	readonly labels: readonly number[];
	/** How many instructions there are up to the event before. */
	readonly size: number;
	/** The loop that begins here, or the block's that ends here; -1 for none. */
	readonly loop: number;
	/** The loops that are open behind it, as a set. */
	readonly open: number;
}

/** A loop that is nested deeper than there are bits leads to all that are around it. */
const bitOf = (depth: number): number => (depth < 31 ? 1 << depth : ALL);
const ALL = 0x7fff_ffff;

/** The loop of each set that is furthest in. */
const innermost = (loops: number): number => 31 - Math.clz32(loops);

const NONE: readonly number[] = [];

/**
 * Finds the loops of a body that are better checked with the slow path outside of them. A call in a loop makes V8 reload the base and size of
 * memories, and keeps it from unrolling the loop, so it is kept out of those that have none. What only stands within a loop, but never
 * comes back to its head, is not in it: compilers put there what follows.
 *
 * A loop with parameters begins with operands on the stack, which a branch to its outside would lose.
 */
export class LoopFinder {
	readonly #params: readonly number[];
	/** Whether the body that was looked at last has something that is paid by its length. */
	isBulk = false;
	#events: Event[] = [];
	#seen: number[] = [];
	#sizes: number[] = [];
	#hasHandlers = false;

	/** @param params how many parameters each type has */
	constructor(params: readonly number[]) {
		this.#params = params;
	}

	/** The loops of the body that the reader has entered, in their order: 0 or `OUTLINED`. */
	find(reader: CodeReader, loops: number[]): void {
		this.#read(reader);
		this.#walkBack();
		loops.length = 0;
		this.#seen.forEach((bits, loop) =>
			loops.push(bits === 0 && (this.#sizes[loop] as number) <= MAX_OUTLINED ? OUTLINED : 0),
		);
	}

	/** How many instructions the loop has, of the body that was looked at last. */
	sizeOf(loop: number): number {
		return this.#sizes[loop] as number;
	}

	#read(reader: CodeReader): void {
		this.#events = [];
		this.#seen = [];
		this.#sizes = [];
		this.#hasHandlers = this.isBulk = false;
		/** Of each open block: its loop, or -1, and the loops that are open around it. */
		const blocks: number[] = [-1];
		const around: number[] = [0];
		const nesting: number[] = [];
		let open = 0;
		let size = 0;
		const push = (flow: number, labels: readonly number[], loop = -1): void => {
			this.#events.push({ flow, labels, size, loop, open });
			size = 0;
		};
		const unfit = (): void => {
			const loop = nesting.at(-1);
			if (loop !== undefined) this.#mark(loop, UNMOVABLE);
		};
		while (reader.nextOf(COUNTED)) {
			size += reader.passed + 1;
			const { op } = reader;
			const flow = FLOW[op] as number;
			switch (flow) {
				case 0:
					if (op === OP["memory.grow"]) push(CALL, NONE);
					else if (BULK[op] !== 0) this.isBulk = true;
					break;
				case LOOP: {
					const loop = this.#seen.length;
					const { first } = reader;
					this.#seen.push((first >= 0 && this.#params[first] !== 0) || nesting.length > 30 ? UNFIT : 0);
					this.#sizes.push(0);
					blocks.push(loop);
					around.push(open);
					open |= bitOf(nesting.length);
					nesting.push(loop);
					push(LOOP, NONE, loop);
					break;
				}
				case TRY:
				case BLOCK:
				case IF:
					if (flow === TRY) {
						this.#hasHandlers = true;
						unfit();
					}
					blocks.push(-1);
					around.push(open);
					push(flow, NONE);
					break;
				case END:
				case DELEGATE: {
					const loop = blocks.pop() ?? -1;
					open = around.pop() ?? 0;
					if (loop >= 0) {
						nesting.pop();
						if (((this.#seen[loop] as number) & UNMOVABLE) !== 0) unfit();
					}
					push(END, NONE, loop);
					break;
				}
				case BR:
				case BR_IF:
				case BR_TABLE:
					if (UNMOVED.has(op)) unfit();
					push(flow, labelsOf(reader));
					break;
				default:
					push(flow, NONE);
			}
		}
	}

	/** From the end to the beginning: the loops to whose heads ways lead from here, and in which each instruction is. */
	#walkBack(): void {
		const events = this.#events;
		/** Of each open block the way behind it, or its loop's head; and of its second arm. */
		const behind: number[] = [];
		const targets: number[] = [];
		const otherwise: (number | undefined)[] = [];
		const loopAt: number[] = [];
		let reach = 0;
		for (let at = events.length - 1; at >= 0; at--) {
			const { flow, labels, size, loop, open } = events[at] as Event;
			const target = (label: number): number => targets.at(-1 - label) ?? 0;
			let depth: number;
			switch (flow) {
				case END:
					behind.push(reach);
					otherwise.push(undefined);
					if (loop >= 0) loopAt.push(loop);
					targets.push(loop < 0 ? reach : bitOf(loopAt.length - 1));
					break;
				case ELSE:
				case CATCH:
					otherwise[otherwise.length - 1] = reach;
					reach = behind.at(-1) ?? 0;
					break;
				case LOOP: {
					const isLoop = (reach & bitOf(loopAt.length - 1)) !== 0;
					loopAt.pop();
					if (loopAt.length < 31) reach &= (1 << loopAt.length) - 1;
					depth = innermost(reach);
					if (depth >= 0) this.#mark(loopAt[depth] as number, (this.#seen[loop] as number) & SEEN_CALL);
					if (!isLoop) this.#mark(loop, UNFIT);
					else if (depth >= 0) this.#mark(loopAt[depth] as number, SEEN_LOOP);
					behind.pop();
					targets.pop();
					otherwise.pop();
					break;
				}
				case BLOCK:
				case TRY:
					behind.pop();
					targets.pop();
					otherwise.pop();
					break;
				case IF:
					reach |= otherwise.pop() ?? behind.at(-1) ?? 0;
					behind.pop();
					targets.pop();
					break;
				case BR:
				case BR_TABLE:
					reach = 0;
					for (const label of labels) reach |= target(label);
					break;
				case BR_IF:
					for (const label of labels) reach |= target(label);
					break;
				case RETURN:
				case THROW:
				case UNREACHABLE:
					reach = 0;
					break;
				case CALL:
					if (this.#hasHandlers) reach = open;
					depth = innermost(reach);
					if (depth >= 0) this.#mark(loopAt[depth] as number, SEEN_CALL);
			}
			// An exception goes on in a handler: then all that stands in a loop may come back
			if (this.#hasHandlers) reach = at > 0 ? (events[at - 1] as Event).open : 0;
			depth = innermost(reach);
			if (depth >= 0) this.#sizes[loopAt[depth] as number]! += size;
		}
	}

	#mark(loop: number, bits: number): void {
		this.#seen[loop] = (this.#seen[loop] as number) | bits;
	}
}
