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
	/** The loop of each open block, or -1, and the outermost block to which branches within lead. */
	const blocks: number[] = [-1];
	const reach: number[] = [0];
	let loop = 0;
	/** The loop to which the `br_if` leads back that was seen last, and where that ends. */
	let latched = -1;
	let behind = 0;
	const unfit = (index: number | undefined): void => {
		if (index !== undefined && index >= 0) fit[index] = 0;
	};
	const lead = (target: number): void => {
		const last = reach.length - 1;
		if (target < (reach[last] as number)) reach[last] = target;
	};
	const push = (index: number): void => {
		blocks.push(index);
		reach.push(blocks.length - 1);
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
				push(loop++);
				break;
			case BLOCK:
			case IF:
				push(-1);
				break;
			case BR_IF:
			case BR:
			case BR_TABLE:
				for (const label of labelsOf(reader)) {
					const target = blocks.length - 1 - label;
					lead(target);
					if (label === 0 && reader.op === OP.br_if) latched = blocks[target] ?? -1;
					else unfit(blocks[target]);
				}
				behind = reader.end;
				break;
			case RETURN:
				lead(-1);
				break;
			case END:
			case DELEGATE: {
				const ended = blocks.pop() ?? -1;
				const target = reach.pop() ?? 0;
				if (ended !== before || target < blocks.length) unfit(ended);
				if (reach.length > 0) lead(target);
			}
		}
	}
	for (let i = 0; i < fit.length; i++) if (fit[i] === 1) found[i] = 1;
}
