import type { FunctionType } from "../../component/mod.ts";
import type { BriefCalls } from "../interpret-lift.ts";
import { signatureOf } from "../signature.ts";
import type { Emitter } from "./emitter.ts";
import { LiftEmitter } from "./lift.ts";
import { isPlainNumber, writeArguments } from "./lift-function.ts";
import { writeChecks } from "./pack.ts";
import { FlatPlace } from "./places.ts";

/** Whether there is code for such calls: only of numbers and the like, which need no memory, and are in order whatever the guest gives. */
export function isBrief({ params, result }: FunctionType): boolean {
	return (
		params.every(({ type }) => isPlainNumber(type)) &&
		(result === null || (isPlainNumber(result) && result.kind !== "char"))
	);
}

/**
 * How a task returns with nobody told: what calls it writes the number of a built-in that may do that into the word `state`, and finds
 * `taken` there once it has been called; what it was given is at `word` or, where it has 64 bits or is no integer, at `wide`.
 */
export interface Returns {
	readonly words: Int32Array;
	readonly floats: Float64Array;
	readonly wides: BigInt64Array;
	/** Indices of words. */
	readonly state: number;
	readonly word: number;
	/** An index of what has 64 bits. */
	readonly wide: number;
	/** In place of a number: no built-in may. */
	readonly nobody: number;
	readonly taken: number;
}

/** A function whose calls go by untold. */
export interface BriefKind {
	readonly type: FunctionType;
	/** Whether it returns through a built-in, and not by its result. */
	readonly returns: boolean;
	/** Whether its instance is in no other. */
	readonly alone: boolean;
}

/**
 * Writes what calls the function of a task that goes by untold, and what reads the value it has returned: see `AtOnceCalls`. Numbers that
 * are the same for all are written out: V8 puts only what is short into its callers.
 */
export function writeBrief(out: Emitter, { type, returns, alone }: BriefKind, calls: BriefCalls, at: Returns): string {
	const { entry, call, seen, attentive, shift, most } = calls;
	const signature = signatureOf({ ...type, async: false });
	const { elements } = signature.params;
	const args = elements.map((_, i) => `arg${i}`);
	const checks = writeChecks(out, elements, args);
	const lowering = writeArguments(out, signature, args, "host");
	const flat = signature.paramSlots.map((_, i) => `flat${i}`).join(", ");
	const [slot] = signature.resultSlots;
	const given = returns ? returnedIn(slot, at) : "code";
	const place = new FlatPlace(out, "ret", signature.resultSlots);
	const { result } = type;
	const value =
		result === null ? "undefined" : out.define(new LiftEmitter(out, result, false, false).lift(result, place));
	const lifting = result === null ? "" : `const ret0 = ${given};\n${out.take()}`;
	const all = args.join(", ");
	return `${checks}
function read(code) {
	${lifting}
	return ${value};
}
function brief(${all}) {
	const { thread } = state;
	const before = words[${call}];
	if (thread === null || !checks(${all}) || (before - lease.last - 1) >>> 0 >= ${most} || words[${attentive}] !== lease.attended) return null;
	const number = 1 - before;
	words[${entry}] = number << ${shift};
	words[${call}] = number;
	let code;
	try {
		scheduler.enter(thread);
		${alone ? "instance.entered = true;" : "enterInstances(entered);"}
		${type.async ? "" : "own.syncCalls++;"}
		${lowering}
		${returns ? `returned[${at.state}] = state.number;` : ""}
		code = core(${flat});
	} catch (error) {
		return aside(failed, [error]);
	}
	if (${returns ? `returned[${at.state}] !== ${at.taken} || code !== ${EXIT} || ` : ""}words[${call}] !== number || words[${seen}] === number) return aside(surface, [code]);
	${type.async ? "" : "own.syncCalls--;"}
	${alone ? "instance.entered = false;" : "leaveInstances(entered);"}
	scheduler.exit();
	words[${call}] = -number;
	${lifting}
	return ${value};
}
return { brief, read };`;
}

/** What a task returns whose function is done with it. */
const EXIT = 0;

function returnedIn(slot: string | undefined, { word, wide }: Returns): string {
	return slot === "i32" ? `returned[${word}]` : slot === "i64" ? `wides[${wide}]` : `floats[${wide}]`;
}
