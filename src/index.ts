export {
	Component,
	ComponentError,
	Engine,
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
export { type Code, LimitExceeded, type LimitName, type Limits, type Place, SkerryError, Trap } from "./fault/mod.ts";
