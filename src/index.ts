export {
	Component,
	ComponentError,
	Engine,
	type EngineOptions,
	type ExportedFunction,
	type Exports,
	type Grants,
	type GuestResource,
	type ImportedClass,
	type ImportedFunction,
	type ImportedInterface,
	type Imports,
	type InstantiateOptions,
	type LoadOptions,
	Sandbox,
	type Source,
} from "./embed/mod.ts";
export { type Code, type Place, SkerryError, type SourceLine, Trap, type TrapFrame } from "./fault/mod.ts";
