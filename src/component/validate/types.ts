import type { Declaration, DefinedTypeExpr, FunctionTypeExpr, TypeDefinition } from "../ast.ts";
import { MAX_FLAGS } from "../limits.ts";
import { isKebabCase } from "../names.ts";
import { resolveDefinedType, resolveFunctionType } from "../resolve.ts";
import type { DefinedType, FunctionType, ValueType } from "../types.ts";
import { validateAlias } from "./aliases.ts";
import { validateCoreType } from "./core-types.ts";
import { validateExportDeclaration, validateImport } from "./externs.ts";
import { unsupported } from "./gates.ts";
import { createResource, setDefinitionOf } from "./identity.ts";
import { invalid } from "./invalid.ts";
import { checkTypeExtent, checkValueType, childrenOf, infoOf } from "./measure.ts";
import { Scope } from "./scope.ts";

export function validateType(scope: Scope, definition: TypeDefinition): void {
	scope.types.add(resolveType(scope, definition), definition.offset);
}

function resolveType(scope: Scope, { type, offset }: TypeDefinition): DefinedType {
	switch (type.kind) {
		case "defined":
			return { kind: "value", type: resolveValue(scope, type.type, offset) };
		case "func":
			return resolveFunction(scope, type, offset);
		case "component":
		case "instance":
			return resolveDeclarations(scope, type.kind, type.declarations, offset);
		case "resource": {
			if (scope.kind !== "component") {
				throw invalid("resources can only be defined within a concrete component", offset);
			}
			if (type.rep === "i64") throw unsupported("memory64", offset);
			if (type.dtor !== null) {
				const dtor = scope.coreFuncs.get(type.dtor, offset).type;
				if (dtor.params.join() !== "i32" || dtor.results.length > 0) {
					throw invalid(`core function ${type.dtor} has wrong signature for a destructor`, offset);
				}
			}
			const resource = createResource("");
			scope.localResources.add(resource);
			scope.createdResources.push(resource);
			return { kind: "resource", resource };
		}
	}
}

/** The declarations of a component or instance type, in a scope of their own. */
function resolveDeclarations(
	outer: Scope,
	kind: "component" | "instance",
	declarations: readonly Declaration[],
	offset: number,
): DefinedType {
	const scope = new Scope(kind === "component" ? "component type" : "instance type", outer, outer.work);
	for (const declaration of declarations) {
		scope.work.offset = declaration.offset;
		switch (declaration.kind) {
			case "core type":
				validateCoreType(scope, declaration);
				break;
			case "type":
				validateType(scope, declaration);
				break;
			case "alias":
				validateAlias(scope, declaration);
				break;
			case "import":
				validateImport(scope, declaration);
				break;
			case "export declaration":
				validateExportDeclaration(scope, declaration);
				break;
		}
	}
	scope.work.offset = offset;
	const { imports, exports, importedResources, createdResources } = scope;
	if (kind === "instance") {
		const type = { exports, resources: createdResources };
		checkTypeExtent(type, offset);
		return { kind, type };
	}
	const type = { imports, exports, importedResources, createdResources };
	checkTypeExtent(type, offset);
	return { kind, type };
}

function resolveValue(scope: Scope, expr: DefinedTypeExpr, offset: number): ValueType {
	checkShape(expr, offset);
	const type = resolveDefinedType(expr, scope);
	if ((expr.kind === "own" || expr.kind === "borrow") && (type.kind === "own" || type.kind === "borrow")) {
		setDefinitionOf(type, scope.resourceDefinition(expr.type));
	}
	if (type.kind === "error-context") throw unsupported("error-context", offset);
	for (const element of childrenOf(type)) {
		if (element.kind === "error-context") throw unsupported("error-context", offset);
	}
	if (type.kind === "map" && !isKeyType(type.key)) throw invalid("invalid key type of a map", offset);
	if (type.kind === "stream" || type.kind === "future") checkPayload(type.kind, type.element, offset);
	checkValueType(type, offset);
	return type;
}

const KEYS: ReadonlySet<string> = new Set([
	"bool",
	"s8",
	"u8",
	"s16",
	"u16",
	"s32",
	"u32",
	"s64",
	"u64",
	"char",
	"string",
]);

/** Binary.md `keytype`. */
function isKeyType(type: ValueType): boolean {
	return KEYS.has(type.kind);
}

function checkPayload(kind: "stream" | "future", element: ValueType | null, offset: number): void {
	if (element === null) return;
	if (kind === "stream" && element.kind === "char") throw invalid("`stream<char>` is not valid at this time", offset);
	if (infoOf(element).borrows) throw invalid(`the payload of a ${kind} cannot contain a \`borrow\` type`, offset);
}

/** What does not depend on other types: labels, and that there is something. */
function checkShape(expr: DefinedTypeExpr, offset: number): void {
	switch (expr.kind) {
		case "record":
			checkNotEmpty(expr.fields, "record type must have at least one field", offset);
			checkLabels("record field", "field", expr.fields, offset);
			break;
		case "variant":
			checkNotEmpty(expr.cases, "variant type must have at least one case", offset);
			checkLabels("variant case", "case", expr.cases, offset);
			break;
		case "tuple":
			checkNotEmpty(expr.elements, "tuple type must have at least one type", offset);
			break;
		case "flags":
			checkNotEmpty(expr.names, "flags must have at least one entry", offset);
			if (expr.names.length > MAX_FLAGS) throw invalid(`cannot have more than ${MAX_FLAGS} flags`, offset);
			checkLabels("flag", "flag", expr.names.map(toLabelled), offset);
			break;
		case "enum":
			checkNotEmpty(expr.names, "enum type must have at least one variant", offset);
			checkLabels("enum tag", "tag", expr.names.map(toLabelled), offset);
			break;
		case "list":
			if (expr.length === 0) throw invalid("fixed-length lists must have at least one element", offset);
			break;
		default:
			break;
	}
}

function toLabelled(name: string): { readonly name: string } {
	return { name };
}

function checkNotEmpty(items: readonly unknown[], message: string, offset: number): void {
	if (items.length === 0) throw invalid(message, offset);
}

function checkLabels(what: string, short: string, items: readonly { readonly name: string }[], offset: number): void {
	const seen = new Map<string, string>();
	for (const { name } of items) {
		if (name === "") throw invalid(`${what} name cannot be empty`, offset);
		if (!isKebabCase(name)) throw invalid(`${what} name \`${name}\` is not in kebab case`, offset);
		// As in JavaScript and other languages, `a-1` and `a1` are one
		const key = name.toLowerCase().replaceAll("-", "");
		const previous = seen.get(key);
		if (previous !== undefined) {
			throw invalid(`${what} name \`${name}\` conflicts with previous ${short} name \`${previous}\``, offset);
		}
		seen.set(key, name);
	}
}

function resolveFunction(scope: Scope, expr: FunctionTypeExpr, offset: number): FunctionType {
	checkLabels("function parameter", "parameter", expr.params, offset);
	const type = resolveFunctionType(expr, scope);
	for (const item of [...type.params.map((param) => param.type), type.result]) {
		if (item?.kind === "error-context") throw unsupported("error-context", offset);
	}
	if (type.result !== null && infoOf(type.result).borrows) {
		throw invalid("function result cannot contain a `borrow` type", offset);
	}
	checkTypeExtent(type, offset);
	return type;
}
