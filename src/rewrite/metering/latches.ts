import { type CodeReader, defineSkim, OP } from "../../wasm/mod.ts";
import { BLOCK, BR, BR_IF, BR_TABLE, DELEGATE, END, FLOW, IF, labelsOf, LOOP, RETURN, TRY } from "./control.ts";

const OF_FLOW = defineSkim((op) => FLOW[op] !== 0);

/**
 * Finds the loops of the body that the reader is to enter that end with their only branch back, a `br_if`, and that are left nowhere else. A check
 * before that branch is one of every turn, and of every way that leaves the loop.
 * @param found gets 1 for each of these, in their order, and keeps what it has of others
 */
export function findLatches(reader: CodeReader, body: number, found: Uint8Array): void {
	const fit = new Uint8Array(found.length).fill(1);
	/** The loop of each open block, or -1. */
	const blocks: number[] = [-1];
	let loop = 0;
	/** The loop to which the `br_if` leads back that was seen last, and where that ends. */
	let latched = -1;
	let behind = 0;
	const unfit = (index: number): void => {
		if (index >= 0) fit[index] = 0;
	};
	/** Blocks further in than that are left. */
	const leave = (target: number): void => {
		for (let at = blocks.length - 1; at > target; at--) unfit(blocks[at] as number);
	};
	reader.enter(body);
	while (reader.nextOf(OF_FLOW)) {
		const flow = FLOW[reader.op];
		const before = flow === END && reader.start === behind ? latched : -1;
		if (before < 0) unfit(latched);
		latched = -1;
		switch (flow) {
			case TRY:
				return;
			case LOOP:
				blocks.push(loop++);
				break;
			case BLOCK:
			case IF:
				blocks.push(-1);
				break;
			case BR_IF:
			case BR:
			case BR_TABLE:
				for (const label of labelsOf(reader)) {
					const target = blocks.length - 1 - label;
					leave(target);
					if (label === 0 && reader.op === OP.br_if) latched = blocks[target] ?? -1;
					else unfit(blocks[target] ?? -1);
				}
				behind = reader.end;
				break;
			case RETURN:
				leave(-1);
				break;
			case END:
			case DELEGATE: {
				const ended = blocks.pop() ?? -1;
				if (ended !== before) unfit(ended);
			}
		}
	}
	for (let i = 0; i < fit.length; i++) if (fit[i] === 1) found[i] = 1;
}
