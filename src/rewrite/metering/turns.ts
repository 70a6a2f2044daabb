import type { CodeReader } from "../../wasm/mod.ts";
import {
	BLOCK,
	BR,
	BR_IF,
	BR_TABLE,
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

/** More rounds than loops are nested in practice; what is not settled then keeps its check. */
const MAX_ROUNDS = 8;

/**
 * The loops of the body that the reader is to enter of which every turn passes the check of another loop within: 1 for each of these, in
 * their order. They need none of their own.
 */
export function findTurns(reader: CodeReader, body: number, loops: number): Uint8Array {
	const without = new Uint8Array(loops).fill(1);
	for (let round = 0; round < MAX_ROUNDS; round++) {
		reader.enter(body);
		const found = walk(reader, without);
		if (found === "settled") return without;
		if (found === "unfit") break;
	}
	return without.fill(0);
}

interface Frame {
	readonly flow: number;
	/** The innermost loop that it is or stands in, by its number; -1 for none. */
	readonly loop: number;
	/** Whether a check was passed where it begins; `undefined`: it is never reached. */
	readonly start: boolean | undefined;
	/** The same behind it. */
	end: boolean | undefined;
	hasElse: boolean;
}

/** Takes from `without` loops to which a turn comes back without a check, the innermost first: with theirs those around may need none. */
function walk(reader: CodeReader, without: Uint8Array): "settled" | "changed" | "unfit" {
	const frames: Frame[] = [];
	const bare = new Set<number>();
	/** For each loop the one around it, or -1. */
	const around: number[] = [];
	/** Whether a check was passed since the head of the last loop that has none; `undefined` where nothing runs. */
	let passed: boolean | undefined = false;
	const push = (flow: number, loop: number): void => {
		frames.push({ flow, loop, start: passed, end: undefined, hasElse: false });
	};
	const join = (frame: Frame | undefined, with_: boolean | undefined): void => {
		if (frame !== undefined && with_ !== undefined) frame.end = with_ && (frame.end ?? true);
	};
	const keep = (loop: number): void => {
		if (without[loop] === 1) bare.add(loop);
	};
	const branch = (label: number): void => {
		const frame = frames.at(-1 - label);
		if (frame === undefined || passed === undefined) return;
		if (frame.flow !== LOOP) join(frame, passed);
		else if (!passed) keep(frame.loop);
	};
	push(BLOCK, -1);
	while (reader.next()) {
		const flow = FLOW[reader.op] ?? 0;
		switch (flow) {
			case TRY:
				return "unfit";
			case LOOP: {
				const loop = around.length;
				around.push(frames.at(-1)?.loop ?? -1);
				if (passed === undefined) keep(loop);
				else passed = without[loop] !== 1;
				push(flow, loop);
				break;
			}
			case BLOCK:
			case IF:
				push(flow, frames.at(-1)?.loop ?? -1);
				break;
			case ELSE: {
				const frame = frames.at(-1);
				if (frame === undefined) break;
				join(frame, passed);
				frame.hasElse = true;
				passed = frame.start;
				break;
			}
			case END:
			case DELEGATE: {
				const frame = frames.pop();
				if (frame === undefined) break;
				join(frame, passed);
				if (frame.flow === IF && !frame.hasElse) join(frame, frame.start);
				passed = frame.end;
				break;
			}
			case BR_IF:
			case BR:
			case BR_TABLE:
				for (const label of labelsOf(reader)) branch(label);
				if (flow !== BR_IF) passed = undefined;
				break;
			case RETURN:
			case THROW:
			case UNREACHABLE:
				passed = undefined;
		}
	}
	const outer = new Set<number>();
	for (const loop of bare) {
		for (let at = around[loop] ?? -1; at >= 0 && !outer.has(at); at = around[at] ?? -1) outer.add(at);
	}
	for (const loop of bare) if (!outer.has(loop)) without[loop] = 0;
	return bare.size > 0 ? "changed" : "settled";
}
