import type { DefinedTypeExpr, FunctionTypeExpr, ValueTypeRef } from "./ast.ts";
import type { FunctionType, ResourceType, ValueType } from "./types.ts";

/** What a resolver needs of the type index space it works in. Both throw when the index denotes something else. */
export interface TypeSpace {
	valueType(index: number): ValueType;
	resourceType(index: number): ResourceType;
}

const PRIMITIVES = new Map<string, ValueType>();

/** `incoming-request` → `incomingRequest`, `DNS-timeout` → `dnsTimeout`: the JavaScript name of a kebab-case one. */
export function toCamelCase(name: string): string {
	const words = name.split("-").map((word) => word.toLowerCase());
	return words.map((word, i) => (i === 0 ? word : word.slice(0, 1).toUpperCase() + word.slice(1))).join("");
}

export function resolveValueType(ref: ValueTypeRef, space: TypeSpace): ValueType {
	if (typeof ref === "number") return space.valueType(ref);
	let type = PRIMITIVES.get(ref);
	if (type === undefined) PRIMITIVES.set(ref, (type = { kind: ref }));
	return type;
}

function resolveOptional(ref: ValueTypeRef | null, space: TypeSpace): ValueType | null {
	return ref === null ? null : resolveValueType(ref, space);
}

export function resolveDefinedType(expr: DefinedTypeExpr, space: TypeSpace): ValueType {
	switch (expr.kind) {
		case "primitive":
			return resolveValueType(expr.primitive, space);
		case "record":
			return {
				kind: "record",
				fields: expr.fields.map((f) => ({
					name: f.name,
					key: toCamelCase(f.name),
					type: resolveValueType(f.type, space),
				})),
			};
		case "variant":
			return {
				kind: "variant",
				cases: expr.cases.map((c) => ({ name: c.name, type: resolveOptional(c.type, space) })),
			};
		case "list": {
			const element = resolveValueType(expr.element, space);
			return expr.length === undefined ? { kind: "list", element } : { kind: "list", element, length: expr.length };
		}
		case "map":
			return { kind: "map", key: resolveValueType(expr.key, space), value: resolveValueType(expr.value, space) };
		case "tuple":
			return { kind: "tuple", elements: expr.elements.map((e) => resolveValueType(e, space)) };
		case "flags":
			return { kind: "flags", names: expr.names, keys: expr.names.map(toCamelCase) };
		case "enum":
			return { kind: "enum", names: expr.names };
		case "option":
			return { kind: "option", element: resolveValueType(expr.element, space) };
		case "result":
			return { kind: "result", ok: resolveOptional(expr.ok, space), err: resolveOptional(expr.err, space) };
		case "own":
		case "borrow":
			return { kind: expr.kind, resource: space.resourceType(expr.type) };
		case "stream":
		case "future":
			return { kind: expr.kind, element: resolveOptional(expr.element, space) };
	}
}

export function resolveFunctionType(expr: FunctionTypeExpr, space: TypeSpace): FunctionType {
	return {
		kind: "func",
		async: expr.async,
		params: expr.params.map((p) => ({ name: p.name, type: resolveValueType(p.type, space) })),
		result: resolveOptional(expr.result, space),
	};
}
