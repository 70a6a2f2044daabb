import { SkerryError } from "../fault/mod.ts";
import { countImports, decodeModule, encodeModule, type Module } from "../wasm/mod.ts";
import { type EngineImports, type Metering, meterModule } from "./metering/meter.ts";
import { exportState, type ModuleState } from "./state.ts";
import { surveyCode } from "./survey.ts";
import { verifyRewriting } from "./verify/verify.ts";

export interface RewriteOptions {
	/** How guests are stopped that hold the thread; `off` leaves the code as it is. */
	readonly metering: Metering | "off";
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
	/** What the engine finds in it beside the guest's own exports. */
	readonly exports: {
		/** The table of `HOST_FUNCTIONS`, which is filled before any code runs. */
		readonly host?: string;
	};
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
	const { metering } = options;
	const metered = metering === "off" ? undefined : meterModule(module, survey, metering, undefined);
	if (metered !== undefined) checkMemories(original, offset);
	const changed = metered?.module ?? module;
	if (changed === original) return { bytes, state, imports: undefined, exports: {} };
	const rewritten = encodeModule(changed);
	if (options.verify) verifyRewriting(bytes, rewritten, { metering: metered === undefined ? "off" : metering });
	const exports = metered?.host === undefined ? {} : { host: metered.host.name };
	return { bytes: rewritten, state, imports: metered?.imports, exports };
}

/**
 * Metering alone, without the other passes: what it costs can be measured so.
 * @returns `undefined` for a module of which nothing is to be stopped or counted
 * @throws SkerryError `binary/*`, `core/invalid`
 */
export function meterBinary(
	bytes: Uint8Array,
	metering: Metering,
): { readonly bytes: Uint8Array; readonly imports: EngineImports } | undefined {
	const module = decodeModule(bytes);
	const metered = meterModule(module, surveyCode(module), metering, undefined);
	return metered === undefined ? undefined : { bytes: encodeModule(metered.module), imports: metered.imports };
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
