/** The embedding API: load a component, call it, each call in a sandbox of its own. */
export type { GuestResource } from "../abi/mod.ts";
export {
	Component,
	Engine,
	type EngineOptions,
	type InstantiateOptions,
	type LoadOptions,
	Sandbox,
	type Source,
} from "./engine.ts";
export type { ExportedFunction, Exports } from "./exports.ts";
export {
	ComponentError,
	type ImportedClass,
	type ImportedFunction,
	type ImportedInterface,
	type Imports,
} from "./imports.ts";
export type { Grants } from "./grants.ts";
