import { type Code, type CodeWriter, OP } from "../../wasm/mod.ts";

/**
 * The fewer of a module's functions are small, the less V8 inlines: it takes that for a sign that others have done so before
 * (`BudgetScaleFactor` in V8's `inlining-tree.h`). Below a quarter of them nothing becomes less any more, and from one half on nothing more.
 */
const LEAST = 1 / 4;
const MOST = 1 / 2;

/** Bytes of a function that is not small any more. */
const SMALL = 50;

/** Not more functions than that, if only for this. */
const MAX_FUNCTIONS = 900_000;

/**
 * Checks make functions longer: as many of the smallest kind are added as it takes for V8 to see the same share of small ones as before. Nobody can
 * call them: `(func unreachable)`, which is of any type.
 * @param code the functions as they were
 * @param writer with all that is left of them
 * @returns how many were added
 */
export function writeFillers(code: Code, writer: CodeWriter): number {
	const bodies = code.starts.length;
	let small = 0;
	for (let i = 0; i < bodies; i++) if ((code.ends[i] as number) - (code.starts[i] as number) < SMALL) small++;
	const share = Math.min(small / bodies, MOST);
	const missing = share * writer.bodies - writer.countBelow(SMALL);
	if (share <= LEAST || missing <= 0) return 0;
	const count = Math.min(Math.ceil(missing / (1 - share)), Math.max(0, MAX_FUNCTIONS - writer.bodies));
	for (let i = 0; i < count; i++) {
		writer.begin(0).out.u8(0).u8(OP.unreachable).u8(OP.end);
		writer.finishBody(0);
	}
	return count;
}
