import { decodeModule, encodeModule } from "../wasm/mod.ts";
import { checkIndices } from "./index-check.ts";
import { liftModule } from "./lift/lift.ts";
import { meterTrap } from "./metering/trap.ts";
import type { RewrittenModule } from "./rewritten.ts";
import { surveyCode } from "./survey.ts";
import { verifyLift } from "./verify/verify-lift.ts";
import { verifyRewriting } from "./verify/verify.ts";

export interface RewriteOptions {
	/** How guests are stopped that hold the thread: `trap` ends them at the next loop or call, `off` leaves the code as it is. */
	readonly metering: "trap" | "off";
	/** Whether the result is checked by a decoder of its own before anyone runs it. */
	readonly verify: boolean;
}

/**
 * Rewrites a core module so that the engine owns its state and can stop it: first it is lifted, then metered, and each step has a proof
 * of its own.
 * @param offset where the module starts in the outermost binary, for errors
 * @throws SkerryError `binary/*`, `core/invalid`
 */
export function rewriteModule(bytes: Uint8Array, offset: number, options: RewriteOptions): RewrittenModule {
	const original = decodeModule(bytes, offset);
	const survey = surveyCode(original);
	checkIndices(original, offset);
	const { module, state, imports, exports, initial } = liftModule(original, survey, offset);
	const lifted = module === original ? bytes : encodeModule(module);
	if (options.verify) verifyLift(bytes, lifted, { state, imports, exports, initial });
	const rest = { state, exports, initial };
	if (options.metering === "off") return { bytes: lifted, imports, ...rest };
	// Positions in code and the calls of what was added are others.
	const again = module.code === original.code ? survey : surveyCode(module);
	const metered = meterTrap(module, again, imports);
	if (metered === undefined) return { bytes: lifted, imports, ...rest };
	const rewritten = encodeModule(metered.module);
	if (options.verify) verifyRewriting(lifted, rewritten, { metered: true, engine: imports?.module });
	return { bytes: rewritten, imports: metered.imports, ...rest };
}
