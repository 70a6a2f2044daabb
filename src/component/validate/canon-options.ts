import type { CoreFunctionType } from "../../wasm/mod.ts";
import type { CanonOptions } from "../ast.ts";
import { unsupported } from "./gates.ts";
import { invalid } from "./invalid.ts";
import type { Scope } from "./scope.ts";

/** What the lifting and lowering of one canonical definition needs, and which options it may have. */
export interface OptionUse {
	/** Values pass through linear memory. */
	readonly memory: boolean;
	/** Values are lowered into memory that the guest allocates. */
	readonly realloc: boolean;
	/** Options beyond string-encoding, memory and realloc that may be given. */
	readonly allows: ReadonlySet<"async" | "callback" | "post-return">;
	/** As in `cannot be specified for lowerings`. */
	readonly title: string;
	/** Whether realloc, where it has no use, is refused. */
	readonly refusesRealloc?: boolean;
}

export function sameSignature(type: CoreFunctionType, params: readonly string[], results: readonly string[]): boolean {
	return type.params.join() === params.join() && type.results.join() === results.join();
}

/** CanonicalABI.md, `canonopt` validation. The signature of `post-return` depends on the lifted function: see `canon.ts`. */
export function checkOptions(scope: Scope, options: CanonOptions, use: OptionUse, offset: number): void {
	if (options.gc || options.coreType !== null) throw unsupported("gc", offset);
	const given = {
		async: options.async,
		callback: options.callback !== null,
		"post-return": options.postReturn !== null,
	};
	for (const name of ["async", "callback", "post-return"] as const) {
		if (given[name] && !use.allows.has(name)) {
			throw invalid(`canonical option \`${name}\` cannot be specified for ${use.title}`, offset);
		}
	}
	if (options.memory !== null) checkMemory(scope, options.memory, offset);
	if (options.realloc !== null) {
		if (use.refusesRealloc === true) {
			throw invalid(`canonical option \`realloc\` cannot be specified for ${use.title}`, offset);
		}
		const type = scope.coreFuncs.get(options.realloc, offset).type;
		if (options.memory === null) {
			throw invalid("canonical option `realloc` requires `memory` to also be specified", offset);
		}
		if (!sameSignature(type, ["i32", "i32", "i32", "i32"], ["i32"])) throw wrongSignature("realloc", offset);
	}
	if (options.callback !== null) {
		if (!options.async) throw invalid("canonical option `callback` requires `async` to also be specified", offset);
		const type = scope.coreFuncs.get(options.callback, offset).type;
		if (!sameSignature(type, ["i32", "i32", "i32"], ["i32"])) throw wrongSignature("callback", offset);
	}
	if (use.memory && options.memory === null) throw invalid("canonical option `memory` is required", offset);
	if (use.realloc && options.realloc === null) throw invalid("canonical option `realloc` is required", offset);
}

export function checkMemory(scope: Scope, index: number, offset: number): void {
	const memory = scope.coreMemories.get(index, offset);
	if (memory.index === "i64") throw unsupported("memory64", offset);
	if (memory.shared) throw invalid("canonical option `memory` cannot be a shared memory", offset);
}

export function wrongSignature(option: string, offset: number): Error {
	return invalid(`canonical option \`${option}\` uses a core function with an incorrect signature`, offset);
}
