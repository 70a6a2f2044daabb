import { decodeModule, encodeModule } from "../wasm/mod.ts";
import { findBrief } from "./brief.ts";
import { checkCompileWeight } from "./compile-weight.ts";
import { checkIndices } from "./index-check.ts";
import { liftModule } from "./lift/lift.ts";
import type { CheckKind } from "./metering/check.ts";
import { type Metering, meterModule } from "./metering/meter.ts";
import type { EngineImports, RewrittenModule } from "./rewritten.ts";
import { findSites } from "./sites.ts";
import { surveyCode, surveyLifted } from "./survey.ts";
import { verifyLift } from "./verify/verify-lift.ts";
import { verifyRewriting } from "./verify/verify.ts";

export interface RewriteOptions {
	/** How guests are stopped that hold the thread; `off` leaves the code as it is. */
	readonly metering: Metering | "off";
	/** With `trap`, what a check looks at; `flag` when left out. `page` is for processes alone that can protect it. */
	readonly check?: CheckKind | undefined;
	/** Whether the result is checked by a decoder of its own before anyone runs it. */
	readonly verify: boolean;
}

/**
 * Rewrites a core module so that the engine owns its state and can stop it: first it is lifted, then metered, and each step has a proof
 * of its own.
 * @param offset where the module starts in the outermost binary, for errors
 * @throws SkerryError `binary/*`, also for functions of which V8 would make too much, `core/invalid`
 */
export function rewriteModule(bytes: Uint8Array, offset: number, options: RewriteOptions): RewrittenModule {
	const original = decodeModule(bytes, offset);
	const survey = surveyCode(original);
	checkIndices(original, offset);
	checkCompileWeight(original);
	const { module, state, imports, exports, initial, host } = liftModule(original, survey, offset);
	const lifted = module === original ? bytes : encodeModule(module);
	if (options.verify) verifyLift(bytes, lifted, { state, imports, exports, initial });
	const { metering, check } = options;
	const names = new Set(original.exports.map(({ name }) => name));
	// Positions in code and the calls of what was added are others.
	const isSame = module.code === original.code || metering === "off";
	const again = isSame ? survey : surveyLifted(module, original, survey);
	const metered = metering === "off" ? undefined : meterModule(module, again, metering, host, imports, check);
	if (metering === "off" || metered === undefined) {
		const sites = findSites(original, offset, module, lifted);
		return { bytes: lifted, imports, state, exports, initial, brief: findBrief(module, names, false), sites };
	}
	const rewritten = encodeModule(metered.module);
	if (options.verify) {
		const { ledger, contracts } = metered;
		verifyRewriting(lifted, rewritten, {
			metering,
			check,
			engine: imports?.module,
			hostTable: host?.table,
			ledger,
			contracts,
		});
	}
	const called = metered.host === undefined ? exports : { ...exports, host: metered.host.name };
	const sites = findSites(original, offset, metered.module, rewritten);
	const brief = findBrief(metered.module, names, true);
	return { bytes: rewritten, imports: metered.imports, state, exports: called, initial, brief, sites };
}

/**
 * Metering alone, without the other passes: what it costs can be measured so.
 * @returns `undefined` for a module of which nothing is to be stopped or counted
 * @throws SkerryError `binary/*`, `core/invalid`
 */
export function meterBinary(
	bytes: Uint8Array,
	metering: Metering,
	check?: CheckKind,
): { readonly bytes: Uint8Array; readonly imports: EngineImports & { readonly flag: string } } | undefined {
	const module = decodeModule(bytes);
	const metered = meterModule(module, surveyCode(module), metering, undefined, undefined, check);
	return metered === undefined ? undefined : { bytes: encodeModule(metered.module), imports: metered.imports };
}
