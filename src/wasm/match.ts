import type { CoreExternType, CoreFunctionType, CoreModuleType } from "./types.ts";

/** A reference type taken apart: `(ref null func)` is `funcref`. */
interface Reference {
	readonly nullable: boolean;
	readonly heap: string;
}

const NULL_REFERENCES = new Map<string, string>([
	["nullref", "none"],
	["nullfuncref", "nofunc"],
	["nullexternref", "noextern"],
	["nullexnref", "noexn"],
	["nullcontref", "nocont"],
]);

/** The abstract heap types above each; concrete types are classified by their text. */
const SUPERTYPES = new Map<string, readonly string[]>([
	["none", ["i31", "struct", "array", "eq", "any"]],
	["i31", ["eq", "any"]],
	["struct", ["eq", "any"]],
	["array", ["eq", "any"]],
	["eq", ["any"]],
	["nofunc", ["func"]],
	["noextern", ["extern"]],
	["noexn", ["exn"]],
	["nocont", ["cont"]],
]);

function toReference(text: string): Reference | undefined {
	const none = NULL_REFERENCES.get(text);
	if (none !== undefined) return { nullable: true, heap: none };
	if (text.startsWith("(ref null ")) return { nullable: true, heap: text.slice(10, -1) };
	if (text.startsWith("(ref ")) return { nullable: false, heap: text.slice(5, -1) };
	return text.endsWith("ref") ? { nullable: true, heap: text.slice(0, -3) } : undefined;
}

/** Whether a value of core type `actual` may stand where `expected` is due. Both as canonical text. */
function isCoreSubtype(actual: string, expected: string): boolean {
	if (actual === expected) return true;
	const a = toReference(actual);
	const e = toReference(expected);
	if (a === undefined || e === undefined || (a.nullable && !e.nullable)) return false;
	if (a.heap === e.heap || (SUPERTYPES.get(a.heap)?.includes(e.heap) ?? false)) return true;
	// A concrete type: what it is stands in its text. Declared supertypes are V8's to check when it instantiates
	if (!a.heap.startsWith("(")) return false;
	if (a.heap.includes("(sub ")) return true;
	const [, kind = ""] = /^\((func|struct|array)/.exec(a.heap) ?? [];
	return e.heap === kind || (SUPERTYPES.get(kind)?.includes(e.heap) ?? false);
}

function printCoreFunctionType(type: CoreFunctionType): string {
	const params = type.params.length === 0 ? "" : ` (param ${type.params.join(" ")})`;
	const results = type.results.length === 0 ? "" : ` (result ${type.results.join(" ")})`;
	return `(func${params}${results})`;
}

interface Bounds {
	readonly minimum: bigint;
	readonly maximum?: bigint;
}

function fits(actual: Bounds, expected: Bounds): boolean {
	if (actual.minimum < expected.minimum) return false;
	if (expected.maximum === undefined) return true;
	return actual.maximum !== undefined && actual.maximum <= expected.maximum;
}

/** Core specification, Matching: `null` where `actual` matches, otherwise the first difference in words. */
export function matchCoreExternType(actual: CoreExternType, expected: CoreExternType): string | null {
	if (actual.kind === "func" && expected.kind === "func") return matchFunction(actual.type, expected.type);
	if (actual.kind === "tag" && expected.kind === "tag") return matchFunction(actual.type, expected.type);
	if (actual.kind === "table" && expected.kind === "table") {
		if (actual.element !== expected.element) {
			return `expected table element type ${expected.element}, found ${actual.element}`;
		}
		if (actual.index !== expected.index) return "mismatch in index type used for tables";
		return fits(actual, expected) ? null : "mismatch in table limits";
	}
	if (actual.kind === "memory" && expected.kind === "memory") {
		if (actual.shared !== expected.shared) return "mismatch in the shared flag for memories";
		if (actual.index !== expected.index) return "mismatch in index type used for memories";
		if ((actual.pageSizeLog2 ?? 16) !== (expected.pageSizeLog2 ?? 16)) return "mismatch in the page size for memories";
		return fits(actual, expected) ? null : "mismatch in memory limits";
	}
	if (actual.kind === "global" && expected.kind === "global") {
		if (actual.mutable !== expected.mutable) return "global types differ in mutability";
		const same = expected.mutable ? actual.type === expected.type : isCoreSubtype(actual.type, expected.type);
		return same ? null : `expected global type ${expected.type}, found ${actual.type}`;
	}
	return `expected ${expected.kind}, found ${actual.kind}`;
}

function matchFunction(actual: CoreFunctionType, expected: CoreFunctionType): string | null {
	const a = printCoreFunctionType(actual);
	const e = printCoreFunctionType(expected);
	return a === e ? null : `expected: ${e}, found: ${a}`;
}

/** A module that imports less and exports more matches. `null`, or the first difference in words. */
export function matchCoreModuleType(actual: CoreModuleType, expected: CoreModuleType): string | null {
	const offered = new Map(expected.imports.map((item) => [JSON.stringify([item.module, item.name]), item.type]));
	for (const { module, name, type } of actual.imports) {
		const offer = offered.get(JSON.stringify([module, name]));
		if (offer === undefined) return `missing expected import \`${module}::${name}\``;
		const mismatch = matchCoreExternType(offer, type);
		if (mismatch !== null) return `type mismatch in import \`${module}::${name}\`: ${mismatch}`;
	}
	for (const [name, type] of expected.exports) {
		const found = actual.exports.get(name);
		if (found === undefined) return `missing expected export \`${name}\``;
		const mismatch = matchCoreExternType(found, type);
		if (mismatch !== null) return `type mismatch in export \`${name}\`: ${mismatch}`;
	}
	return null;
}
