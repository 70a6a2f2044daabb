import { SkerryError } from "../fault/mod.ts";
import { countImports, decodeModule, encodeModule, type Module } from "../wasm/mod.ts";
import { type EngineImports, meterTrap } from "./metering/trap.ts";
import { findSites, type Sites } from "./sites.ts";
import { exportState, type ModuleState } from "./state.ts";
import { surveyCode } from "./survey.ts";
import { verifyRewriting } from "./verify/verify.ts";

export interface RewriteOptions {
	/** How guests are stopped that hold the thread: `trap` ends them at the next loop or call, `off` leaves the code as it is. */
	readonly metering: "trap" | "off";
	/** Whether the result is checked by a decoder of its own before anyone runs it. */
	readonly verify: boolean;
}

export interface RewrittenModule {
	/** The very same bytes when there was nothing to change. */
	readonly bytes: Uint8Array;
	/** Or why its state cannot be put back exactly. */
	readonly state: ModuleState | string;
	/** What it imports of the engine; `undefined` for nothing. */
	readonly imports: EngineImports | undefined;
	/** Where its code was in the original, for traps; `undefined` where that is not known. */
	readonly sites: Sites | undefined;
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
	if (changed === original) {
		return { bytes, state, imports: undefined, sites: findSites(original, offset, original, bytes) };
	}
	const rewritten = encodeModule(changed);
	if (options.verify) verifyRewriting(bytes, rewritten, { metered: metered !== undefined });
	const sites = findSites(original, offset, changed, rewritten);
	return { bytes: rewritten, state, imports: metered?.imports, sites };
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
