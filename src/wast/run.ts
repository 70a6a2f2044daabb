import { createLinuxPageMapper } from "../engine/mod.ts";
import { type MeteringMode, SkerryError } from "../fault/mod.ts";
import { toRewriteOptions } from "../link/mod.ts";
import { runComponentScript } from "./component-runner.ts";
import { type ResetCounts, runCoreScript } from "./core-runner.ts";
import { prepareScript } from "./core-script.ts";
import type { Outcome } from "./outcome.ts";
import { parseScript } from "./script.ts";

export interface WastOptions {
	readonly metering?: MeteringMode | undefined;
	/** `fresh`: core instances as they were made; the others use each one up and put it back first, where its state can be. */
	readonly strategy?: "fresh" | "copy" | "cow" | undefined;
}

export interface WastResult {
	/** In the order of the commands. */
	readonly outcomes: readonly Outcome[];
	/** What became of instances that were to be put back. */
	readonly resets: ResetCounts;
}

/**
 * Runs a script of the WebAssembly test suites, of core modules or of components, through the engine as guests are run.
 * @throws SkerryError `wast/malformed`, `build/tool-missing`, `engine/unsupported-platform` (no `cow` here)
 */
export async function runWast(text: string, options: WastOptions = {}): Promise<WastResult> {
	const { metering = "trap", strategy = "fresh" } = options;
	const resets: ResetCounts = { reset: 0, discarded: 0, mapped: 0 };
	if (isComponentScript(text)) return { outcomes: await runComponentScript(text, { metering }), resets };
	const mode = {
		rewrite: true,
		metering: toRewriteOptions({ metering }).metering,
		...(strategy === "fresh" ? {} : { reset: { mapper: strategy === "cow" ? pageMapper() : undefined } }),
	};
	return { outcomes: await runCoreScript(await prepareScript(text), mode, resets), resets };
}

function isComponentScript(text: string): boolean {
	return parseScript(text).some((command) => "unit" in command && command.unit.sort === "component");
}

function pageMapper(): Exclude<ReturnType<typeof createLinuxPageMapper>, string> {
	const mapper = createLinuxPageMapper();
	if (typeof mapper !== "string") return mapper;
	throw new SkerryError("engine/unsupported-platform", `Cannot map memories copy-on-write: ${mapper}`, {
		hint: "--strategy copy needs nothing of the system",
	});
}
