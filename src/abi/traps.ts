import { SkerryError, Trap } from "../fault/mod.ts";

/** Ends the guest. Messages hold the wording that the specification's tests match. */
export function trap(message: string): never {
	throw new Trap(message);
}

/**
 * What a core call threw, as the caller sees it: traps and exceptions of core code become a `Trap` (CanonicalABI.md,
 * `call_and_trap_on_throw`); what a host function threw stays as it is.
 */
export function asTrap(error: unknown): unknown {
	if (error instanceof SkerryError) return error;
	// Told by their tags: the WebAssembly namespace belongs to the engine.
	if (Object.prototype.toString.call(error) === "[object WebAssembly.Exception]") {
		return new Trap("uncaught exception left a lifted function", { cause: error });
	}
	if (error instanceof Error && error.name === "RuntimeError") return new Trap(error.message, { cause: error });
	// Core code that recurses too deeply gets JavaScript's error for it.
	if (error instanceof RangeError && error.message === "Maximum call stack size exceeded") {
		return new Trap("call stack exhausted", { cause: error });
	}
	return error;
}
