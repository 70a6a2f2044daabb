/** The core binary format, as far as components need it: preamble, sections, types as text, imports, exports and names. */
export {
	decodeModuleInterface,
	type ModuleExport,
	type ModuleImport,
	type ModuleInterface,
	moduleTypeOf,
} from "./interface.ts";
export { matchCoreExternType, matchCoreModuleType } from "./match.ts";
export { decodeNames, type ModuleNames } from "./names.ts";
export { isComponent, isCoreModule, isWasm } from "./preamble.ts";
export { decodeProducers, type Producer } from "./producers.ts";
export { decodeSection, finishSection, type Section } from "./sections.ts";
export { decodeCoreValueType, decodeExternType, decodeRecType } from "./syntax.ts";
export { CoreTypeSpace } from "./type-space.ts";
export type { CoreExternType, CoreFunctionType, CoreModuleType, CustomSection, SectionInfo } from "./types.ts";
