import { parseExternName } from "../names.ts";
import type { DefinedType, ExternType, FunctionType } from "../types.ts";
import { printName, type TypeHome } from "./names.ts";
import type { WitScope } from "./scope.ts";
import { printDefinition, printFunction, printParameters, printType } from "./types.ts";

/** One item of an interface, as lines. Items of one line stand together, longer ones by themselves. */
export type WitItem = readonly string[];

/** The types of one interface, or of the world, that are other names of types that are defined elsewhere. */
export type Borrowed = ReadonlyMap<string, TypeHome>;

/** Takes the types of an interface into its scope, all before anything is printed: functions may mention later ones. */
export function defineTypes(types: ReadonlyMap<string, ExternType>, scope: WitScope): Borrowed {
	const borrowed = new Map<string, TypeHome>();
	for (const [name, type] of types) {
		const home = type.kind === "type" ? scope.define(type.type, name) : undefined;
		if (home !== undefined) borrowed.set(name, home);
	}
	return borrowed;
}

/** The items of an interface, in the order of the binary; the functions of a resource stand in it. */
export function printItems(
	types: ReadonlyMap<string, ExternType>,
	scope: WitScope,
	borrowed: Borrowed,
): readonly WitItem[] {
	const items: WitItem[] = [];
	for (const [name, type] of types) {
		if (type.kind === "type") {
			const item = printTypeItem(name, type.type, types, scope, borrowed);
			if (item.length > 0) items.push(item);
		} else if (type.kind === "func") {
			if (!isMember(name)) items.push([`${printName(name)}: ${printFunction(type.type, scope)};`]);
		} else {
			items.push([`// ${name}: ${type.kind}, which WIT has no form for`]);
		}
	}
	return items;
}

/** Whether a function belongs to a resource. */
export function isMember(name: string): boolean {
	return "resource" in parseExternName(name);
}

/** A type that an interface exports: nothing where a `use` line brings it. */
export function printTypeItem(
	name: string,
	type: DefinedType,
	siblings: ReadonlyMap<string, ExternType>,
	scope: WitScope,
	borrowed: Borrowed,
): WitItem {
	const home = borrowed.get(name);
	if (home !== undefined) {
		return scope.isOwn(home) && home.name !== name ? [`type ${printName(name)} = ${printName(home.name)};`] : [];
	}
	return type.kind === "resource" ? printResource(name, siblings, scope) : printDefinition(name, type, scope);
}

function printResource(resource: string, siblings: ReadonlyMap<string, ExternType>, scope: WitScope): WitItem {
	const lines: string[] = [];
	for (const [name, type] of siblings) {
		const parsed = parseExternName(name);
		if (type.kind !== "func" || !("resource" in parsed) || parsed.resource !== resource) continue;
		if (parsed.kind === "constructor") lines.push(`  ${printConstructor(type.type, scope)};`);
		else if (parsed.kind === "method") {
			lines.push(`  ${printName(parsed.label)}: ${printFunction(type.type, scope, "", 1)};`);
		} else {
			lines.push(`  ${printName(parsed.label)}: ${printFunction(type.type, scope, "static ")};`);
		}
	}
	return lines.length === 0
		? [`resource ${printName(resource)};`]
		: [`resource ${printName(resource)} {`, ...lines, "}"];
}

function printConstructor(type: FunctionType, scope: WitScope): string {
	const parameters = printParameters(type, scope);
	if (type.result?.kind !== "result") return `constructor${parameters}`;
	return `constructor${parameters} -> ${printType(type.result, scope)}`;
}

/** The lines of items with their `use` lines in front, blank lines between what belongs apart. */
export function layOut(uses: readonly string[], items: readonly WitItem[]): readonly string[] {
	const lines: string[] = [...uses];
	let previous: WitItem | undefined;
	for (const item of items) {
		const apart = previous === undefined ? uses.length > 0 : previous.length > 1 || item.length > 1;
		if (apart) lines.push("");
		lines.push(...item);
		previous = item;
	}
	return lines;
}

export function indent(lines: readonly string[]): readonly string[] {
	return lines.map((line) => (line === "" ? "" : `  ${line}`));
}
