import { type CodeReader, defineSkim } from "../../wasm/mod.ts";
import { BLOCK, BR, BR_IF, BR_TABLE, FLOW, IF, labelsOf, LOOP, TRY } from "./control.ts";
import { Paths } from "./paths.ts";

const OF_FLOW = defineSkim((op) => FLOW[op] !== 0);

const NO_LOOPS: ReadonlySet<number> = new Set();

/** More rounds than loops are nested in practice; what is not settled then keeps its check. */
const MAX_ROUNDS = 8;

/**
 * The loops of the body that the reader is to enter of which every turn passes the check of another loop within: 1 for each of these, in
 * their order. They need none of their own.
 * @param short loops that have no check, and need none
 */
export function findTurns(
	reader: CodeReader,
	body: number,
	loops: number,
	short: ReadonlySet<number> = NO_LOOPS,
): Uint8Array {
	const without = new Uint8Array(loops).fill(1);
	for (const loop of short) without[loop] = 0;
	for (let round = 0; round < MAX_ROUNDS; round++) {
		reader.enter(body);
		const found = walk(reader, without, short);
		if (found === "settled") return without;
		if (found === "unfit") break;
	}
	return without.fill(0);
}

/** Takes from `without` loops to which a turn comes back without a check, the innermost first: with theirs those around may need none. */
function walk(reader: CodeReader, without: Uint8Array, short: ReadonlySet<number>): "settled" | "changed" | "unfit" {
	const bare = new Set<number>();
	/** For each loop the one around it, or -1. */
	const around: number[] = [];
	/** Since the head of the last loop that has no check; by the innermost loop that a block is or stands in, -1 for none. */
	const paths = new Paths<number>();
	const keep = (loop: number): void => {
		if (without[loop] === 1) bare.add(loop);
	};
	const branch = (label: number): void => {
		const frame = paths.at(label);
		if (frame === undefined || paths.passed === undefined) return;
		if (frame.flow !== LOOP) paths.join(frame);
		else if (!paths.passed) keep(frame.tag);
	};
	paths.push(BLOCK, -1);
	while (reader.nextOf(OF_FLOW)) {
		const flow = FLOW[reader.op] ?? 0;
		switch (flow) {
			case TRY:
				return "unfit";
			case LOOP: {
				const loop = around.length;
				around.push(paths.at(0)?.tag ?? -1);
				if (paths.passed === undefined) keep(loop);
				else if (!short.has(loop)) paths.passed = without[loop] !== 1;
				paths.push(flow, loop);
				break;
			}
			case BLOCK:
			case IF:
				paths.push(flow, paths.at(0)?.tag ?? -1);
				break;
			case BR_IF:
			case BR:
			case BR_TABLE:
				for (const label of labelsOf(reader)) branch(label);
				if (flow !== BR_IF) paths.passed = undefined;
				break;
			default:
				paths.leave(flow);
		}
	}
	const outer = new Set<number>();
	for (const loop of bare) {
		for (let at = around[loop] ?? -1; at >= 0 && !outer.has(at); at = around[at] ?? -1) outer.add(at);
	}
	for (const loop of bare) if (!outer.has(loop)) without[loop] = 0;
	return bare.size > 0 ? "changed" : "settled";
}
