import type {
	ComponentType,
	DefinedType,
	ExternType,
	FunctionType,
	InstanceType,
	ResourceType,
	ValueType,
} from "../types.ts";
import { copyOrigin, definitionOf, type ResourceDefinition, setDefinitionOf } from "./identity.ts";
import type { Work } from "./work.ts";

/**
 * Replaces resources in types. One substitution makes one copy of each object, so that what was shared stays shared and the
 * identity of definitions (`identity.ts`) carries over; what mentions no replaced resource is not copied.
 */
export class Substitution {
	readonly #replace: (resource: ResourceType) => ResourceType | undefined;
	readonly #copies: Map<object, object>;
	readonly #work: Work;

	/**
	 * @param replace gives `undefined` for a resource that stays.
	 * @param definitions definitions that are replaced as a whole, by equal ones.
	 */
	constructor(
		replace: (resource: ResourceType) => ResourceType | undefined,
		work: Work,
		definitions: ReadonlyMap<object, object> = new Map(),
	) {
		this.#copies = new Map(definitions);
		this.#replace = replace;
		this.#work = work;
	}

	extern(type: ExternType): ExternType {
		return this.#memo(type, () => this.#extern(type));
	}

	exports(types: ReadonlyMap<string, ExternType>): ReadonlyMap<string, ExternType> {
		let changed = false;
		const copy = new Map<string, ExternType>();
		for (const [name, type] of types) {
			const item = this.extern(type);
			changed ||= item !== type;
			copy.set(name, item);
		}
		return changed ? copy : types;
	}

	#memo<T extends object>(original: T, make: () => T): T {
		const known = this.#copies.get(original) as T | undefined;
		if (known !== undefined) return known;
		this.#work.step();
		const copy = make();
		this.#copies.set(original, copy);
		if (copy !== original) copyOrigin(copy, original, (origin) => this.#copies.get(origin) ?? origin);
		return copy;
	}

	#extern(type: ExternType): ExternType {
		switch (type.kind) {
			case "core module":
				return type;
			case "func": {
				const copy = this.#func(type.type);
				return copy === type.type ? type : { kind: "func", type: copy };
			}
			case "value": {
				const copy = this.#value(type.type);
				return copy === type.type ? type : { kind: "value", type: copy };
			}
			case "type": {
				const copy = this.#defined(type.type);
				return copy === type.type ? type : { kind: "type", type: copy };
			}
			case "component": {
				const copy = this.#component(type.type);
				return copy === type.type ? type : { kind: "component", type: copy };
			}
			case "instance": {
				const copy = this.#instance(type.type);
				return copy === type.type ? type : { kind: "instance", type: copy };
			}
		}
	}

	#defined(type: DefinedType): DefinedType {
		return this.#memo(type, (): DefinedType => {
			switch (type.kind) {
				case "value": {
					const copy = this.#value(type.type);
					return copy === type.type ? type : { kind: "value", type: copy };
				}
				case "resource": {
					const resource = this.#replace(type.resource);
					return resource === undefined ? type : { kind: "resource", resource };
				}
				case "func":
					return this.#func(type);
				case "component": {
					const copy = this.#component(type.type);
					return copy === type.type ? type : { kind: "component", type: copy };
				}
				case "instance": {
					const copy = this.#instance(type.type);
					return copy === type.type ? type : { kind: "instance", type: copy };
				}
			}
		});
	}

	/** The resources that a type binds itself are other objects than those replaced, so nothing can be captured. */
	#instance(type: InstanceType): InstanceType {
		return this.#memo(type, () => {
			const exports = this.exports(type.exports);
			return exports === type.exports ? type : { ...type, exports };
		});
	}

	#component(type: ComponentType): ComponentType {
		return this.#memo(type, () => {
			const imports = this.exports(type.imports);
			const exports = this.exports(type.exports);
			return imports === type.imports && exports === type.exports ? type : { ...type, imports, exports };
		});
	}

	#func(type: FunctionType): FunctionType {
		return this.#memo(type, () => {
			const params = this.#each(
				type.params,
				(param) => param.type,
				(param, copy) => ({ name: param.name, type: copy }),
			);
			const result = this.#optional(type.result);
			return params === type.params && result === type.result ? type : { ...type, params, result };
		});
	}

	#optional(type: ValueType | null): ValueType | null {
		return type === null ? null : this.#value(type);
	}

	/** Copies items of which some type changes; the same array where none does. */
	#each<T>(
		items: readonly T[],
		typeOf: (item: T) => ValueType | null,
		make: (item: T, type: ValueType) => T,
	): readonly T[] {
		let changed = false;
		const copies = items.map((item) => {
			const type = typeOf(item);
			if (type === null) return item;
			const copy = this.#value(type);
			if (copy === type) return item;
			changed = true;
			return make(item, copy);
		});
		return changed ? copies : items;
	}

	#value(type: ValueType): ValueType {
		return this.#memo(type, (): ValueType => {
			switch (type.kind) {
				case "record": {
					const fields = this.#each(
						type.fields,
						(field) => field.type,
						(field, copy) => ({ ...field, type: copy }),
					);
					return fields === type.fields ? type : { kind: "record", fields };
				}
				case "variant": {
					const cases = this.#each(
						type.cases,
						(item) => item.type,
						(item, copy) => ({ ...item, type: copy }),
					);
					return cases === type.cases ? type : { kind: "variant", cases };
				}
				case "tuple": {
					const elements = this.#each(
						type.elements,
						(item) => item,
						(_, copy) => copy,
					);
					return elements === type.elements ? type : { kind: "tuple", elements };
				}
				case "list":
				case "option": {
					const element = this.#value(type.element);
					return element === type.element ? type : { ...type, element };
				}
				case "map": {
					const value = this.#value(type.value);
					return value === type.value ? type : { ...type, value };
				}
				case "result": {
					const ok = this.#optional(type.ok);
					const err = this.#optional(type.err);
					return ok === type.ok && err === type.err ? type : { kind: "result", ok, err };
				}
				case "stream":
				case "future": {
					const element = this.#optional(type.element);
					return element === type.element ? type : { ...type, element };
				}
				case "own":
				case "borrow":
					return this.#handle(type);
				default:
					return type;
			}
		});
	}

	#handle(type: Extract<ValueType, { kind: "own" | "borrow" }>): ValueType {
		const definition = definitionOf(type);
		const renamed = definition === undefined ? undefined : (this.#defined(definition) as ResourceDefinition);
		const resource = this.#replace(type.resource);
		if (resource === undefined && renamed === definition) return type;
		const copy = { kind: type.kind, resource: resource ?? type.resource };
		if (renamed !== undefined) setDefinitionOf(copy, renamed);
		return copy;
	}
}
