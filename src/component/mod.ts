/** The component binary format: decode, validate, types, names and WIT. Knows nothing of instances or of V8. */
export type { CoreExternType, CoreFunctionType, CoreModuleType, CustomSection, SectionInfo } from "../wasm/mod.ts";
export type {
	AliasDefinition,
	BuiltinCanon,
	Canon,
	CanonOptions,
	Component,
	CoreSort,
	Declaration,
	DefinedTypeExpr,
	Definition,
	ExternDesc,
	ExternName,
	FunctionTypeExpr,
	PrimitiveKind,
	Sort,
	TypeExpr,
	ValueTypeRef,
} from "./ast.ts";
export { containsKind } from "./contains-kind.ts";
export { decodeComponent } from "./decode.ts";
export {
	flattenAsyncLower,
	flattenFunctionType,
	flattenTaskReturn,
	flattenType,
	type FlatType,
	MAX_FLAT_ASYNC_PARAMS,
	MAX_FLAT_PARAMS,
	MAX_FLAT_RESULTS,
} from "./flatten.ts";
export { Instantiation, resourcesOf } from "./instantiation.ts";
export { matchExternType, ResourceBindings } from "./match.ts";
export {
	type InterfaceName,
	isCompatible,
	parseExternName,
	type NameFault,
	type ParsedName,
	parseInterfaceName,
} from "./names.ts";
export { resolveDefinedType, resolveFunctionType, resolveValueType, toCamelCase, type TypeSpace } from "./resolve.ts";
export type {
	ComponentType,
	DefinedType,
	ExternType,
	FunctionType,
	InstanceType,
	ResourceType,
	ValueType,
} from "./types.ts";
export { builtinSignature } from "./validate/builtins.ts";
export { validateComponent } from "./validate.ts";
export { printWit, type WitOptions } from "./wit/print.ts";
