/** The embedding API: load a component or core module, call it, each call in a sandbox of its own. */
export type { GuestResource } from "../abi/mod.ts";
export type { Growth } from "../engine/mod.ts";
export type { Features, GuestMemory } from "../link/mod.ts";
export type { Composition, CompositionEdge, CompositionExport } from "./compose.ts";
export type { Guest } from "./core-imports.ts";
export { Component } from "./component.ts";
export { GuestExit } from "../wasi/mod.ts";
export { Engine } from "./engine.ts";
export { Sandbox, type Usage } from "./sandbox.ts";
export type { CallOptions, EngineOptions, InstantiateOptions, LoadOptions, World } from "./options.ts";
export type { Source } from "./source.ts";
export type { ExportedFunction, Exports, SyncExports } from "./exports.ts";
export {
	ComponentError,
	type ImportedClass,
	type ImportedFunction,
	type ImportedInterface,
	type Imports,
} from "./imports.ts";
export type { GuestFuture, GuestStream } from "./streams.ts";
export type { Grants, GrantedPath } from "./grants.ts";
