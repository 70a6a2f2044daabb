import { type CodeReader, countImports, type Module, OP } from "../../wasm/mod.ts";
import type { Survey } from "../survey.ts";
import { addressTaken } from "./call-graph.ts";
import { BULK, isCall } from "./control.ts";
import { findSegments, type Segments } from "./segments.ts";
import { findThreaded } from "./threaded.ts";

/** What callers do for functions that only they can call. Bodies are counted from 0. */
export interface FuelLedger {
	/** What whoever calls each body has paid for it: some or all of its first segment. */
	readonly prepaid: Uint32Array;
	/** 1 for each body that does nothing with the fuel, and calls nothing that does: its callers keep what they have in the local. */
	readonly pure: Uint8Array;
	/** 1 for each body that is given the fuel and gives it back, as a value. */
	readonly threaded: Uint8Array;
}

export interface Prepayment {
	readonly ledger: FuelLedger;
	/** The segments of a body, before what its callers have paid is taken off. */
	readonly segmentsOf: (body: number) => Segments;
}

/** What is paid for a call in advance is bounded: it is lost at a trap, and doubles with each function that calls two others. */
const MAX_PREPAID = 4096;

/** How many calls deep it is looked at what a first segment costs; what is deeper pays for itself. */
const MAX_DEPTH = 100;

const VISITING = 1;
const DONE = 2;

/**
 * Finds out what callers can pay for. A function that is called by name alone leaves its first segment to its callers, who merge it with
 * their own; where nothing is left to be paid, and nothing to be checked, it need not know of fuel at all.
 * @param throws whether the module knows exceptions: then a handler reads the cell, so that each call has to find it right
 * @param sitesOf where each body looks at the fuel, but for the heads of loops
 */
export function findPrepaid(
	module: Module,
	survey: Survey,
	reader: CodeReader,
	throws: boolean,
	sitesOf: readonly (readonly number[] | undefined)[],
): Prepayment {
	const imported = countImports(module).func;
	const bodies = module.functions.length;
	const prepaid = new Uint32Array(bodies);
	const pure = new Uint8Array(bodies);
	const state = new Uint8Array(bodies);
	const open = new Set(addressTaken(module, survey));
	for (const { kind, index } of module.exports) if (kind === "func") open.add(index);
	if (module.start !== null) open.add(module.start);

	const calleesOf = (body: number): readonly number[] => [
		...new Set(survey.calls.subarray(survey.callStarts[body], survey.callStarts[body + 1])),
	];
	/** Of bodies whose callees were all known when they were looked at: what they cost does not change. */
	const known: Segments[] = [];
	const segmentsOf = (body: number): Segments => {
		const segments = known[body];
		if (segments !== undefined) return segments;
		reader.enter(body);
		return findSegments(reader, throws, (callee) => prepaid[callee - imported] ?? 0, sitesOf[body]);
	};
	const visit = (body: number, depth: number): void => {
		state[body] = VISITING;
		let isKnown = true;
		for (const callee of calleesOf(body)) {
			const next = callee - imported;
			if (next < 0 || next >= bodies) continue;
			if (state[next] === 0 && depth < MAX_DEPTH) visit(next, depth + 1);
			isKnown &&= state[next] === DONE || open.has(callee);
		}
		// What a callee costs that is visited now, or too deep, is not known yet: it can only become more
		const segments = segmentsOf(body);
		if (isKnown) known[body] = segments;
		if (!open.has(imported + body)) prepaid[body] = Math.min(segments.pairs[1] ?? 0, MAX_PREPAID);
		state[body] = DONE;
	};
	for (let body = 0; body < bodies; body++) if (state[body] === 0) visit(body, 0);
	if (throws) return { ledger: { prepaid, pure, threaded: new Uint8Array(bodies) }, segmentsOf };

	state.fill(0);
	const isPure = (body: number, depth: number): boolean => {
		if (body < 0 || body >= bodies || depth > MAX_DEPTH || state[body] === VISITING) return false;
		if (state[body] === DONE) return pure[body] === 1;
		state[body] = VISITING;
		const loops = survey.loopStarts[body + 1] !== survey.loopStarts[body];
		const simple = sitesOf[body] === undefined && !loops && !open.has(imported + body) && !hasOtherCalls(reader, body);
		if (simple && calleesOf(body).every((callee) => isPure(callee - imported, depth + 1))) {
			const [, first, ...others] = segmentsOf(body).pairs;
			if ((first ?? 0) === prepaid[body] && others.every((cost, i) => i % 2 === 0 || cost === 0)) pure[body] = 1;
		}
		state[body] = DONE;
		return pure[body] === 1;
	};
	for (let body = 0; body < bodies; body++) isPure(body, 0);
	const isClosed = (body: number): boolean => pure[body] !== 1 && !open.has(imported + body);
	return { ledger: { prepaid, pure, threaded: findThreaded(module, reader, isClosed) }, segmentsOf };
}

/** Calls through which nobody sees, or that end the function, where callers look for the fuel in the cell; and what is paid by its length. */
function hasOtherCalls(reader: CodeReader, body: number): boolean {
	reader.enter(body);
	while (reader.next()) if ((isCall(reader.op) && reader.op !== OP.call) || BULK[reader.op] !== 0) return true;
	return false;
}
