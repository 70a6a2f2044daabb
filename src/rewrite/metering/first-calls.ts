import type { Code } from "../../wasm/mod.ts";
import { FIRST_CALL_BYTE, MOST_FIRST_CALL } from "./costs.ts";

/**
 * What V8 takes for each body to compile it when it is first called, beside what `FIRST_CALL` is for. Whoever calls it has to have so much left: it
 * goes by before a check at its beginning.
 */
export function costsOfFirstCalls({ starts, ends }: Code): Int32Array {
	return Int32Array.from(starts, (start, body) =>
		Math.min(FIRST_CALL_BYTE * ((ends[body] as number) - start), MOST_FIRST_CALL),
	);
}
