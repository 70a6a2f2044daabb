import { parseExternName } from "../names.ts";
import type { ComponentType, ExternType, InstanceType } from "../types.ts";
import {
	type Borrowed,
	defineTypes,
	indent,
	isMember,
	layOut,
	printItems,
	printTypeItem,
	type WitItem,
} from "./items.ts";
import { printName, type TypeHomes } from "./names.ts";
import { packageOf, WitScope } from "./scope.ts";
import { printFunction } from "./types.ts";

export interface WitOptions {
	/** The name of the world; `root` unless given. */
	readonly world?: string;
	/** Print the interfaces that the world names as well, package by package. */
	readonly full?: boolean;
}

/** The imports and exports of a component as a WIT world. */
export function printWit(type: ComponentType, options: WitOptions = {}): string {
	return new WorldPrinter().print(type, options);
}

type Role = "import" | "export";

/** An interface whose types are known and which is not printed yet. */
interface OpenInterface {
	readonly scope: WitScope;
	readonly borrowed: Borrowed;
}

class WorldPrinter {
	readonly #homes: TypeHomes = new Map();
	readonly #scope = new WitScope(null, this.#homes);
	/** By role and name. */
	readonly #interfaces = new Map<string, OpenInterface>();
	/** Interfaces with a package: `package` → interface name → lines. */
	readonly #packages = new Map<string, Map<string, readonly string[]>>();

	print(type: ComponentType, options: WitOptions): string {
		const importedTypes = this.#define("import", type.imports);
		const exportedTypes = this.#define("export", type.exports);
		const imports = this.#side("import", type.imports, importedTypes);
		const exports = this.#side("export", type.exports, exportedTypes);
		const body = [...layOut(this.#scope.uses(), imports)];
		if (exports.length > 0) {
			if (body.length > 0) body.push("");
			body.push(...layOut([], exports));
		}
		const lines = [`world ${printName(options.world ?? "root")} {`, ...indent(body), "}"];
		if (options.full === true)
			for (const [name, interfaces] of this.#packages) lines.push(...printPackage(name, interfaces));
		return `${lines.join("\n")}\n`;
	}

	/** Gives every type its home, in the order of the binary, before anything is printed. */
	#define(role: Role, types: ReadonlyMap<string, ExternType>): Borrowed {
		for (const [name, type] of types) {
			if (type.kind !== "instance") continue;
			const scope = new WitScope(name, this.#homes);
			this.#interfaces.set(`${role} ${name}`, { scope, borrowed: defineTypes(type.type.exports, scope) });
		}
		return defineTypes(types, this.#scope);
	}

	#side(role: Role, types: ReadonlyMap<string, ExternType>, borrowed: Borrowed): readonly WitItem[] {
		const items: WitItem[] = [];
		for (const [name, type] of types) {
			if (type.kind === "type") {
				const item = printTypeItem(name, type.type, types, this.#scope, borrowed);
				if (item.length > 0) items.push(item);
			} else if (type.kind === "instance") {
				items.push(this.#instance(role, name, type.type));
			} else if (type.kind === "func") {
				if (!isMember(name)) items.push([`${role} ${printName(name)}: ${printFunction(type.type, this.#scope)};`]);
			} else {
				items.push([`// ${role} ${name}: ${type.kind}, which WIT has no form for`]);
			}
		}
		return items;
	}

	#instance(role: Role, name: string, type: InstanceType): WitItem {
		const open = this.#interfaces.get(`${role} ${name}`);
		if (open === undefined) return [];
		const items = printItems(type.exports, open.scope, open.borrowed);
		const lines = layOut(open.scope.uses(), items);
		if (packageOf(name) === null) return printInline(`${role} ${printName(name)}: interface`, lines);
		this.#addToPackage(name, lines);
		return [`${role} ${name};`];
	}

	#addToPackage(name: string, lines: readonly string[]): void {
		const packageName = packageOf(name) ?? "";
		let interfaces = this.#packages.get(packageName);
		if (interfaces === undefined) this.#packages.set(packageName, (interfaces = new Map()));
		const parsed = parseExternName(name);
		const key = parsed.kind === "interface" ? parsed.interface : name;
		// An interface that is both imported and exported is the same in both places
		if (!interfaces.has(key)) interfaces.set(key, lines);
	}
}

function printInline(head: string, lines: readonly string[]): WitItem {
	return lines.length === 0 ? [`${head} {}`] : [`${head} {`, ...indent(lines), "}"];
}

function printPackage(name: string, interfaces: ReadonlyMap<string, readonly string[]>): readonly string[] {
	const items = [...interfaces].map(([key, lines]) => printInline(`interface ${printName(key)}`, lines));
	return ["", `package ${name} {`, ...indent(layOut([], items)), "}"];
}
