import type { DefinedType, ValueType } from "../types.ts";
import { definitionOf, originOf } from "../validate/identity.ts";
import { printName, type TypeHome, type TypeHomes } from "./names.ts";

/** The names that one interface, or the world, can use: those of its own types, and of types that it takes from others. */
export class WitScope {
	readonly #owner: string | null;
	readonly #homes: TypeHomes;
	readonly #local = new Map<object, string>();
	readonly #taken = new Set<string>();
	/** By owner: the name there, and the name here. */
	readonly #uses = new Map<string, Map<string, string>>();

	constructor(owner: string | null, homes: TypeHomes) {
		this.#owner = owner;
		this.#homes = homes;
	}

	/** Takes a type that this scope names. Gives what it is another name of, where it is. */
	define(type: DefinedType, name: string): TypeHome | undefined {
		const definition = toDefinition(type);
		this.#taken.add(name);
		this.#local.set(definition, printName(name));
		const home = this.#homeOf(definition);
		if (home === undefined) {
			this.#homes.set(definition, { owner: this.#owner, name });
			if (type.kind === "resource") this.#homes.set(type.resource, { owner: this.#owner, name });
			return undefined;
		}
		if (home.owner !== null && home.owner !== this.#owner) this.#use(home.owner, home.name, name);
		return home;
	}

	/** Whether a type is defined in this scope. */
	isOwn(home: TypeHome): boolean {
		return home.owner === this.#owner;
	}

	/** A type as an earlier definition names it: by itself, by what it was made from, or by its resource. */
	#homeOf(definition: object): TypeHome | undefined {
		for (let at: object | undefined = definition; at !== undefined; at = originOf(at)) {
			const home = this.#homes.get(at);
			if (home !== undefined) return home;
		}
		return "resource" in definition ? this.#homes.get(definition.resource as object) : undefined;
	}

	#use(owner: string, name: string, local: string): void {
		let uses = this.#uses.get(owner);
		if (uses === undefined) this.#uses.set(owner, (uses = new Map()));
		uses.set(name, local);
	}

	/** The name of a definition here; `undefined` for one that has none. */
	nameOf(definition: object): string | undefined {
		const local = this.#local.get(definition);
		if (local !== undefined) return local;
		const home = this.#homeOf(definition);
		if (home?.owner === undefined || home.owner === null || home.owner === this.#owner) {
			return home === undefined ? undefined : printName(home.name);
		}
		const name = this.#taken.has(home.name) ? `${home.name}-${this.#taken.size}` : home.name;
		this.#taken.add(name);
		this.#local.set(definition, printName(name));
		this.#use(home.owner, home.name, name);
		return printName(name);
	}

	resourceName(handle: Extract<ValueType, { kind: "own" | "borrow" }>): string {
		const name = this.nameOf(definitionOf(handle) ?? handle.resource) ?? this.nameOf(handle.resource);
		return name ?? printName(handle.resource.name === "" ? "resource" : handle.resource.name);
	}

	/** `use` lines, to be asked for when all else has been printed. */
	uses(): readonly string[] {
		return [...this.#uses].map(([owner, names]) => {
			const items = [...names].map(([name, local]) =>
				name === local ? printName(name) : `${printName(name)} as ${printName(local)}`,
			);
			return `use ${shorten(owner, this.#owner)}.{${items.join(", ")}};`;
		});
	}
}

/** The object that stands for a type's definition (`validate/identity.ts`). */
function toDefinition(type: DefinedType): object {
	return type.kind === "value" ? type.type : type;
}

/** An interface of the same package is named without it. */
function shorten(owner: string, from: string | null): string {
	const own = packageOf(owner);
	return from !== null && own !== null && own === packageOf(from) ? owner.replace(/^.*\/|@.*$/g, "") : owner;
}

/** `ns:pkg@version` of `ns:pkg/interface@version`. */
export function packageOf(name: string): string | null {
	const slash = name.indexOf("/");
	if (slash === -1) return null;
	const at = name.indexOf("@");
	return name.slice(0, slash) + (at === -1 ? "" : name.slice(at));
}
