import { MAX_VALIDATION_WORK } from "../limits.ts";
import { overLimit } from "./invalid.ts";

/** Counts the type nodes that one validation visits, so that small hostile input cannot keep it busy. */
export class Work {
	#steps = 0;
	/** Offset of the definition being validated. */
	offset = 0;

	step(count = 1): void {
		this.#steps += count;
		if (this.#steps > MAX_VALIDATION_WORK) {
			throw overLimit("validating the component takes too much work: its types are too large", this.offset);
		}
	}
}
