import { SkerryError } from "../fault/mod.ts";
import { countImports, decodeModule, encodeModule, type Module } from "../wasm/mod.ts";
import { meterTrap } from "./metering/trap.ts";
import type { RewrittenModule } from "./rewritten.ts";
import { exportState } from "./state.ts";
import { surveyCode } from "./survey.ts";
import { verifyRewriting } from "./verify/verify.ts";

export interface RewriteOptions {
	/** How guests are stopped that hold the thread: `trap` ends them at the next loop or call, `off` leaves the code as it is. */
	readonly metering: "trap" | "off";
	/** Whether the result is checked by a decoder of its own before anyone runs it. */
	readonly verify: boolean;
}

/**
 * Rewrites a core module so that the engine owns its state and can stop it.
 * @param offset where the module starts in the outermost binary, for errors
 * @throws SkerryError `binary/*`, `core/invalid`
 */
export function rewriteModule(bytes: Uint8Array, offset: number, options: RewriteOptions): RewrittenModule {
	const original = decodeModule(bytes, offset);
	const survey = surveyCode(original);
	const { module, state } = exportState(original, survey);
	const metered = options.metering === "trap" ? meterTrap(module, survey) : undefined;
	if (metered !== undefined) checkMemories(original, offset);
	const changed = metered?.module ?? module;
	if (changed === original)
		return { bytes, state, imports: undefined, exports: { pages: [] }, initial: { data: [], globals: [] } };
	const rewritten = encodeModule(changed);
	if (options.verify) verifyRewriting(bytes, rewritten, { metered: metered !== undefined });
	return {
		bytes: rewritten,
		state,
		imports: metered?.imports,
		exports: { pages: [] },
		initial: { data: [], globals: [] },
	};
}

/** What the code names was looked at by `surveyCode`; this is the rest. */
function checkMemories(module: Module, offset: number): void {
	const count = countImports(module).memory + module.memories.length;
	const named = [
		...module.exports.flatMap(({ kind, index }) => (kind === "memory" ? [index] : [])),
		...module.data.flatMap(({ target }) => (target === null ? [] : [target.memory])),
	];
	const unknown = named.find((index) => index >= count);
	if (unknown === undefined) return;
	throw new SkerryError("core/invalid", `Cannot compile a core module: unknown memory ${unknown}`, {
		place: { offset },
	});
}
