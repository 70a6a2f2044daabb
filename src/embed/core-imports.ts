import type { CoreGuest, CoreHostModule, GuestMemory } from "../link/mod.ts";
import type { ModuleImport } from "../wasm/mod.ts";
import { type ImportedFunction, type Imports, strayNames } from "./imports.ts";
import type { WasiContext } from "../wasi/mod.ts";

/**
 * The guest that calls an imported function of a core module, as the function's `this`:
 * `{ env: { log(this: Guest, pointer, length) { console.log(this.memory.text(pointer, length)); } } }`.
 */
export interface Guest {
	/** What the guest exports as `memory`. Every access is checked: a place that it does not have ends the guest. */
	readonly memory: GuestMemory;
}

/** An embedder's imports as the linker takes them for a core module; what is no object of functions is left out. */
export function toCoreModules(imports: Imports): CoreHostModule<WasiContext>[] {
	return Object.entries(imports).flatMap(([module, given]) => {
		if (typeof given !== "object") return [];
		const functions: Record<string, CoreHostModule<WasiContext>["functions"][string]> = {};
		for (const [name, fn] of Object.entries(given)) {
			if (typeof fn !== "function") continue;
			const call = fn as ImportedFunction;
			functions[name] = {
				call: ({ memory }: CoreGuest<WasiContext>, ...args) =>
					call.apply({ memory } satisfies Guest, args) as ReturnType<
						CoreHostModule<WasiContext>["functions"][string]["call"]
					>,
			};
		}
		return [{ module, functions }];
	});
}

/** What is given, but not imported, each with the nearest name that is. */
export function strayCoreImports(given: Imports, imports: readonly ModuleImport[]): readonly string[] {
	const modules = new Set(imports.map(({ module }) => module));
	return strayNames(given, modules, modules);
}
