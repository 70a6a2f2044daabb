import type { DefinedType, ExternType, FunctionType, InstanceType, ValueType } from "../types.ts";
import { definitionOf } from "./identity.ts";
import { childrenOf } from "./measure.ts";
import type { Work } from "./work.ts";

/** Kinds of value types that must have a name before an import or export can mention them. */
const NAMEABLE: ReadonlySet<ValueType["kind"]> = new Set(["record", "variant", "flags", "enum"] as const);

/**
 * Explainer.md, External Visibility of Types: the definitions that imports (or imports and exports) of a component have named
 * so far.
 */
export class VisibleTypes {
	readonly #named = new Set<object>();
	readonly #outer: VisibleTypes | null;
	/** Value types all of whose parts are known to be named. Names are never lost, so this stays true. */
	readonly #checked = new Set<ValueType>();
	readonly #work: Work;

	/** @param outer names that hold here as well. */
	constructor(work: Work, outer: VisibleTypes | null = null) {
		this.#work = work;
		this.#outer = outer;
	}

	#isNamed(definition: object): boolean {
		return this.#named.has(definition) || (this.#outer !== null && this.#outer.#isNamed(definition));
	}

	/** Whether an import or export of this type mentions named definitions only; names what it introduces on the way. */
	admit(type: ExternType): boolean {
		this.#work.step();
		switch (type.kind) {
			case "func":
				return this.#func(type.type);
			case "value":
				return this.#value(type.type);
			case "type":
				return this.#admitType(type.type);
			case "instance":
				return this.#admitInstance(type.type);
			default:
				// Component types were checked when they were defined; modules mention no component types
				return true;
		}
	}

	/** Names what `type` introduces, without a check. */
	name(type: ExternType): void {
		this.#work.step();
		if (type.kind === "instance") for (const item of type.type.exports.values()) this.name(item);
		else if (type.kind === "type") this.#name(type.type);
	}

	#name(type: DefinedType): void {
		this.#named.add(type.kind === "value" ? type.type : type);
	}

	#admitType(type: DefinedType): boolean {
		if (!this.#parts(type)) return false;
		this.#name(type);
		return true;
	}

	#admitInstance(type: InstanceType): boolean {
		for (const item of type.exports.values()) if (!this.admit(item)) return false;
		return true;
	}

	/** Whether everything that a definition is made of is named; itself it need not be. */
	#parts(type: DefinedType): boolean {
		switch (type.kind) {
			case "value":
				return type.type.kind === "own" || type.type.kind === "borrow"
					? this.#value(type.type)
					: childrenOf(type.type).every((child) => this.#value(child));
			case "func":
				return this.#func(type);
			case "instance":
				// What the instances of a type export is named within the type only
				return new VisibleTypes(this.#work, this).#admitInstance(type.type);
			default:
				return true;
		}
	}

	#func(type: FunctionType): boolean {
		return type.params.every((param) => this.#value(param.type)) && (type.result === null || this.#value(type.result));
	}

	#value(type: ValueType): boolean {
		if (this.#checked.has(type)) return true;
		this.#work.step();
		if (type.kind === "own" || type.kind === "borrow") {
			const definition = definitionOf(type);
			return definition !== undefined && this.#isNamed(definition);
		}
		if (NAMEABLE.has(type.kind) && !this.#isNamed(type)) return false;
		if (!childrenOf(type).every((child) => this.#value(child))) return false;
		this.#checked.add(type);
		return true;
	}
}
