import type { CodeReader } from "../../wasm/mod.ts";
import { BLOCK, BR, BR_IF, BR_TABLE, CALL, FLOW, IF, isCall, labelsOf, LOOP, TRY } from "./control.ts";
import { Paths } from "./paths.ts";

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
	const paths = new Paths<undefined>();
	let loop = 0;
	reader.enter(body);
	/** Where the instructions begin that run together with the current one. */
	let begins = reader.codeStart;
	paths.push(BLOCK, undefined);
	while (reader.next()) {
		if (isCall(reader.op) && paths.passed === false && closes()) {
			sites.push(begins);
			paths.passed = true;
		}
		const flow = FLOW[reader.op] ?? 0;
		if (flow === 0 || flow === CALL) continue;
		switch (flow) {
			case LOOP:
				paths.push(flow, undefined);
				if (isChecked(loop++) && paths.passed !== undefined) paths.passed = true;
				break;
			case TRY:
				paths.push(flow, undefined);
				for (const label of labelsOf(reader)) paths.join(paths.at(label + 1));
				break;
			case BLOCK:
			case IF:
				paths.push(flow, undefined);
				break;
			case BR_IF:
			case BR:
			case BR_TABLE:
				for (const label of labelsOf(reader)) {
					const frame = paths.at(label);
					if (frame?.flow !== LOOP) paths.join(frame);
				}
				if (flow !== BR_IF) paths.passed = undefined;
				break;
			default:
				paths.leave(flow);
		}
		begins = reader.end;
	}
	return sites;
}
