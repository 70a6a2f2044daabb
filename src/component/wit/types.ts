import type { DefinedType, FunctionType, ValueType } from "../types.ts";
import { printName } from "./names.ts";
import type { WitScope } from "./scope.ts";

/** A type where it is used: its name, or what it is made of where it has none. */
export function printType(type: ValueType, scope: WitScope): string {
	switch (type.kind) {
		case "own":
			return scope.resourceName(type);
		case "borrow":
			return `borrow<${scope.resourceName(type)}>`;
		default:
			return scope.nameOf(type) ?? printStructure(type, scope);
	}
}

/** `name<a, b>`, without the brackets where there is nothing to put in. */
function generic(name: string, args: readonly string[]): string {
	return args.length === 0 ? name : `${name}<${args.join(", ")}>`;
}

function printStructure(type: ValueType, scope: WitScope): string {
	const print = (item: ValueType): string => printType(item, scope);
	switch (type.kind) {
		case "list":
			return generic(
				"list",
				type.length === undefined ? [print(type.element)] : [print(type.element), `${type.length}`],
			);
		case "map":
			return generic("map", [print(type.key), print(type.value)]);
		case "tuple":
			return generic("tuple", type.elements.map(print));
		case "option":
			return generic("option", [print(type.element)]);
		case "result": {
			if (type.err !== null) return generic("result", [type.ok === null ? "_" : print(type.ok), print(type.err)]);
			return generic("result", type.ok === null ? [] : [print(type.ok)]);
		}
		case "stream":
		case "future":
			return generic(type.kind, type.element === null ? [] : [print(type.element)]);
		case "record":
		case "variant":
		case "flags":
		case "enum":
			// Has no name that can be seen from here, which no import or export of a component can show
			return `${type.kind} { ${membersOf(type, scope).join(" ")} }`;
		case "own":
		case "borrow":
			return printType(type, scope);
		default:
			return type.kind;
	}
}

type Nominal = Extract<ValueType, { kind: "record" | "variant" | "flags" | "enum" }>;

function membersOf(type: Nominal, scope: WitScope): readonly string[] {
	switch (type.kind) {
		case "record":
			return type.fields.map((field) => `${printName(field.name)}: ${printType(field.type, scope)},`);
		case "variant":
			return type.cases.map((item) =>
				item.type === null ? `${printName(item.name)},` : `${printName(item.name)}(${printType(item.type, scope)}),`,
			);
		case "flags":
		case "enum":
			return type.names.map((name) => `${printName(name)},`);
	}
}

/** The definition of a type that has no other home. Resources are printed with their functions: see `items.ts`. */
export function printDefinition(name: string, type: DefinedType, scope: WitScope): readonly string[] {
	if (type.kind !== "value") return [`// ${printName(name)}: the type of a ${type.kind}, which WIT has no form for`];
	const { type: value } = type;
	switch (value.kind) {
		case "record":
		case "variant":
		case "flags":
		case "enum":
			return [`${value.kind} ${printName(name)} {`, ...membersOf(value, scope).map((line) => `  ${line}`), "}"];
		default: {
			const handle = value.kind === "own" || value.kind === "borrow";
			return [`type ${printName(name)} = ${handle ? printType(value, scope) : printStructure(value, scope)};`];
		}
	}
}

/** `func(a: u8) -> string`, with `async` and what else stands before it. `skip` leaves out that many parameters. */
export function printFunction(type: FunctionType, scope: WitScope, prefix = "", skip = 0): string {
	const result = type.result === null ? "" : ` -> ${printType(type.result, scope)}`;
	return `${prefix}${type.async ? "async " : ""}func${printParameters(type, scope, skip)}${result}`;
}

export function printParameters(type: FunctionType, scope: WitScope, skip = 0): string {
	const params = type.params.slice(skip).map((param) => `${printName(param.name)}: ${printType(param.type, scope)}`);
	return `(${params.join(", ")})`;
}
