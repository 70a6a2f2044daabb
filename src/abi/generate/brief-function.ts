import type { FunctionType } from "../../component/mod.ts";
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
 * Writes what calls the function of a task that goes by untold, and what reads the value it has returned: see `AtOnceCalls`.
 * @param returns whether it does so through a built-in, and not by its result
 */
export function writeBrief(out: Emitter, type: FunctionType, returns: boolean): string {
	// Calls by which it is lowered and lifted are the same for all
	const signature = signatureOf({ ...type, async: false });
	const { elements } = signature.params;
	const args = elements.map((_, i) => `arg${i}`);
	const checks = writeChecks(out, elements, args);
	const lowering = writeArguments(out, signature, args, "host");
	const flat = signature.paramSlots.map((_, i) => `flat${i}`).join(", ");
	const [slot] = signature.resultSlots;
	const given = returns
		? slot === "i32"
			? "returned[word]"
			: slot === "i64"
				? "wides[wide]"
				: "floats[wide]"
		: "code";
	const place = new FlatPlace(out, "ret", signature.resultSlots);
	const { result } = type;
	const value = result === null ? "undefined" : out.define(new LiftEmitter(out, false, false).lift(result, place));
	const lifting = result === null ? "" : `const ret0 = ${given};\n${out.take()}`;
	const all = args.join(", ");
	return `${checks}
const only = entered.length === 1;
function read(code) {
	${lifting}
	return ${value};
}
function brief(${all}) {
	const { thread } = state;
	if (thread === null || !checks(${all})) return null;
	const before = words[callWord];
	if ((before - lease.last - 1) >>> 0 >= mostLeased || words[attentiveWord] !== lease.attended) return null;
	const number = 1 - before;
	words[entryWord] = number << numberShift;
	words[callWord] = number;
	let code;
	try {
		scheduler.enter(thread);
		if (only) instance.entered = true; else enterInstances(entered);
		${type.async ? "" : "own.syncCalls++;"}
		${lowering}
		${returns ? "returned[returnState] = state.number;" : ""}
		code = core(${flat});
	} catch (error) {
		return aside(failed, [error]);
	}
	if (${returns ? "returned[returnState] !== taken || code !== 0 || " : ""}words[callWord] !== number || words[seenWord] === number) return aside(surface, [code]);
	${type.async ? "" : "own.syncCalls--;"}
	if (only) instance.entered = false; else leaveInstances(entered);
	scheduler.exit();
	words[callWord] = -number;
	${lifting}
	return ${value};
}
return { brief, read };`;
}
