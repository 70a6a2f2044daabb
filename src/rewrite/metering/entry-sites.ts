import type { CodeReader } from "../../wasm/mod.ts";
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
	isCall,
	labelsOf,
	LOOP,
	RETURN,
	THROW,
	TRY,
	UNREACHABLE,
} from "./control.ts";

interface Frame {
	readonly flow: number;
	/** Whether a check was passed where it begins; `undefined`: it is never reached. */
	readonly start: boolean | undefined;
	/** The same behind it. */
	end: boolean | undefined;
	hasElse: boolean;
}

/**
 * Where a body is to be checked instead of at its entry, ascending: so that every way from there to a call that closes a cycle passes
 * a check, and ways without such calls pass none. That is where many calls end, those of the leaves of a recursion above all.
 * @param closes whether the current instruction, a call, may close a cycle of calls
 * @param isChecked whether a loop, by its number in the body, has a check at its head
 */
export function findEntrySites(
	reader: CodeReader,
	body: number,
	closes: () => boolean,
	isChecked: (loop: number) => boolean,
): number[] {
	const sites: number[] = [];
	const frames: Frame[] = [];
	let passed: boolean | undefined = false;
	let loop = 0;
	reader.enter(body);
	/** Where the instructions begin that run together with the current one. */
	let begins = reader.codeStart;
	const push = (flow: number): void => {
		frames.push({ flow, start: passed, end: undefined, hasElse: false });
	};
	const join = (frame: Frame | undefined, other: boolean | undefined): void => {
		if (frame !== undefined && other !== undefined) frame.end = other && (frame.end ?? true);
	};
	push(BLOCK);
	while (reader.next()) {
		if (isCall(reader.op) && passed === false && closes()) {
			sites.push(begins);
			passed = true;
		}
		const flow = FLOW[reader.op] ?? 0;
		if (flow === 0 || flow === CALL) continue;
		switch (flow) {
			case LOOP:
				push(flow);
				if (isChecked(loop++) && passed !== undefined) passed = true;
				break;
			case TRY:
				push(flow);
				for (const label of labelsOf(reader)) join(frames.at(-2 - label), passed);
				break;
			case BLOCK:
			case IF:
				push(flow);
				break;
			case ELSE:
			case CATCH: {
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
				for (const label of labelsOf(reader)) {
					const frame = frames.at(-1 - label);
					if (frame?.flow !== LOOP) join(frame, passed);
				}
				if (flow !== BR_IF) passed = undefined;
				break;
			case RETURN:
			case THROW:
			case UNREACHABLE:
				passed = undefined;
		}
		begins = reader.end;
	}
	return sites;
}
