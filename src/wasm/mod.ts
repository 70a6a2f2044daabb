/** The core binary format: decode, encode, walk and edit modules of WebAssembly 3.0; types as text and interfaces for components. */
export {
	BRANCH_HINTS,
	type BranchHint,
	type BranchHints,
	decodeBranchHints,
	encodeBranchHints,
} from "./branch-hints.ts";
export { checkCode } from "./code-check.ts";
export { CodeReader, type LocalRun } from "./code-reader.ts";
export { encodeSites, isPutIn, originOf } from "./code-sites.ts";
export { CodeWriter } from "./code-writer.ts";
export { decodeModule, encodeModule } from "./codec.ts";
export type { ConstExpr } from "./const-expr.ts";
export type { BlockType, CatchClause, ImmediateValue, MemArg } from "./immediates.ts";
export { encodeHeapType, encodeValueType } from "./encode-types.ts";
export type { Instruction } from "./instruction.ts";
export {
	decodeModuleInterface,
	type ModuleExport,
	type ModuleImport,
	type ModuleInterface,
	moduleTypeOf,
} from "./interface.ts";
export { matchCoreExternType, matchCoreModuleType } from "./match.ts";
export { countImports, type Module, type ModuleCustom } from "./module.ts";
export { namedFunctions } from "./named-functions.ts";
export {
	decodeNames,
	decodeNameSection,
	encodeNameSection,
	type IndirectNameMap,
	type ModuleNames,
	type NameMap,
	type NameSection,
} from "./names.ts";
export type { IndexSpace } from "./opcode-row.ts";
export { encodeOperator, OP, type OpName, type Operator, operatorOf } from "./operators.ts";
export { isComponent, isCoreModule, isWasm } from "./preamble.ts";
export { decodeProducers, type Producer } from "./producers.ts";
export type { Code } from "./section/code.ts";
export type { GlobalDefinition, TableDefinition } from "./section/definitions.ts";
export type { ExportSyntax, ImportSyntax } from "./section/externs.ts";
export type { DataSegment, ElementItems, ElementMode, ElementSegment } from "./section/segments.ts";
export { defineSkim, type Skim } from "./skim.ts";
export { decodeSection, finishSection, type Section } from "./sections.ts";
export {
	decodeCoreValueType,
	decodeExternType,
	decodeRecType,
	type ExternTypeSyntax,
	type GlobalTypeSyntax,
	type HeapTypeSyntax,
	type LimitsSyntax,
	type MemoryTypeSyntax,
	type RecTypeSyntax,
	type CompositeTypeSyntax,
	type SubTypeSyntax,
	type TableTypeSyntax,
	type TagTypeSyntax,
	type ValueTypeSyntax,
} from "./syntax.ts";
export { CoreTypeSpace } from "./type-space.ts";
export type { CoreExternType, CoreFunctionType, CoreModuleType, CustomSection, SectionInfo } from "./types.ts";
