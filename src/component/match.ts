import { matchCoreModuleType } from "../wasm/mod.ts";
import type {
	ComponentType,
	DefinedType,
	ExternType,
	FunctionType,
	InstanceType,
	ResourceType,
	ValueType,
} from "./types.ts";

/**
 * What the abstract resources of a type stand for. A bindable resource takes the resource that the other side supplies where
 * its type import or export is matched; every other resource stands for itself.
 */
export class ResourceBindings {
	readonly #bindable: Set<ResourceType>;
	readonly #bound = new Map<ResourceType, ResourceType>();
	readonly #outer: ResourceBindings | undefined;
	/** The definitions (see `validate/identity.ts`) that were matched: of the type, to what was supplied for each. */
	readonly definitions: Map<object, object>;

	/** What is matched under its own quantifier (a type of instances, a component) must not share its definitions with the outside. */
	constructor(
		bindable: Iterable<ResourceType> = [],
		outer?: ResourceBindings,
		definitions: Map<object, object> = outer?.definitions ?? new Map(),
	) {
		this.#bindable = new Set(bindable);
		this.#outer = outer;
		this.definitions = definitions;
	}

	/** What has been bound so far. */
	get bound(): ReadonlyMap<ResourceType, ResourceType> {
		return this.#bound;
	}

	resolve(resource: ResourceType): ResourceType {
		return this.#bound.get(resource) ?? this.#outer?.resolve(resource) ?? resource;
	}

	/** Binds a bindable resource that is not bound yet; says whether it did. */
	bind(resource: ResourceType, to: ResourceType): boolean {
		if (!this.#bindable.delete(resource)) return this.#outer?.bind(resource, to) ?? false;
		this.#bound.set(resource, to);
		return true;
	}
}

/** Called with the number of types that matching is about to look at. */
type Visit = (count: number) => void;

/**
 * Whether an item of type `actual` may be given where `expected` is asked for: `null`, or the first difference in words, with
 * its path.
 *
 * @param bindings the resources of `expected` that `actual` supplies; what they were bound to is in it afterwards.
 */
export function matchExternType(
	actual: ExternType,
	expected: ExternType,
	bindings: ResourceBindings = new ResourceBindings(),
	visit: Visit = () => {},
): string | null {
	return new Matcher(new ResourceBindings(), bindings, visit).extern(actual, expected);
}

const TITLES: { readonly [K in ExternType["kind"]]: string } = {
	"core module": "module",
	func: "func",
	value: "value",
	type: "type",
	component: "component",
	instance: "instance",
};

function titleOf(type: DefinedType): string {
	return type.kind === "value" ? "defined type" : type.kind;
}

class Matcher {
	readonly #actual: ResourceBindings;
	readonly #expected: ResourceBindings;
	readonly #visit: Visit;

	constructor(actual: ResourceBindings, expected: ResourceBindings, visit: Visit) {
		this.#actual = actual;
		this.#expected = expected;
		this.#visit = visit;
	}

	extern(actual: ExternType, expected: ExternType): string | null {
		this.#visit(1);
		if (actual.kind === "core module" && expected.kind === "core module") {
			this.#visit(actual.type.imports.length + expected.type.imports.length + expected.type.exports.size);
			return matchCoreModuleType(actual.type, expected.type);
		}
		if (actual.kind === "func" && expected.kind === "func") return this.#func(actual.type, expected.type);
		if (actual.kind === "value" && expected.kind === "value") return this.#value(actual.type, expected.type);
		if (actual.kind === "type" && expected.kind === "type") return this.#defined(actual.type, expected.type);
		if (actual.kind === "component" && expected.kind === "component") {
			return this.#component(actual.type, expected.type);
		}
		if (actual.kind === "instance" && expected.kind === "instance") return this.#instance(actual.type, expected.type);
		return `expected ${TITLES[expected.kind]}, found ${TITLES[actual.kind]}`;
	}

	#defined(actual: DefinedType, expected: DefinedType): string | null {
		if (actual.kind === "resource" && expected.kind === "resource") {
			this.#expected.definitions.set(expected, actual);
			const resource = this.#actual.resolve(actual.resource);
			if (this.#expected.bind(expected.resource, resource)) return null;
			return this.#expected.resolve(expected.resource) === resource ? null : "resource types are not the same";
		}
		if (actual.kind === "value" && expected.kind === "value") {
			this.#expected.definitions.set(expected.type, actual.type);
			return this.#value(actual.type, expected.type);
		}
		if (actual.kind === "func" && expected.kind === "func") return this.#func(actual, expected);
		if (actual.kind === "component" && expected.kind === "component") {
			return this.#component(actual.type, expected.type);
		}
		if (actual.kind === "instance" && expected.kind === "instance") return this.#instance(actual.type, expected.type);
		return `expected ${titleOf(expected)}, found ${titleOf(actual)}`;
	}

	#instance(actual: InstanceType, expected: InstanceType): string | null {
		// A type of instances (not an instance) introduces resources: each side's stand for one another
		const bindings =
			expected.resources === undefined
				? this.#expected
				: new ResourceBindings(expected.resources, this.#expected, new Map());
		const inner = new Matcher(this.#actual, bindings, this.#visit);
		return inner.#exports(actual.exports, expected.exports, "instance export");
	}

	#exports(
		actual: ReadonlyMap<string, ExternType>,
		expected: ReadonlyMap<string, ExternType>,
		what: string,
	): string | null {
		for (const [name, type] of expected) {
			const found = actual.get(name);
			if (found === undefined) return `missing expected export \`${name}\``;
			const mismatch = this.extern(found, type);
			if (mismatch !== null) return `type mismatch in ${what} \`${name}\`: ${mismatch}`;
		}
		return null;
	}

	#component(actual: ComponentType, expected: ComponentType): string | null {
		// The other way round for imports: what is expected to be imported supplies what is imported
		const supplied = new ResourceBindings(actual.importedResources, this.#actual, new Map());
		const imports = new Matcher(this.#expected, supplied, this.#visit);
		for (const [name, type] of actual.imports) {
			const offer = expected.imports.get(name);
			if (offer === undefined) return `missing expected import \`${name}\``;
			const mismatch = imports.extern(offer, type);
			if (mismatch !== null) return `type mismatch in import \`${name}\`: ${mismatch}`;
		}
		const created = new ResourceBindings(expected.createdResources, this.#expected, new Map());
		return new Matcher(supplied, created, this.#visit).#exports(actual.exports, expected.exports, "export");
	}

	#func(actual: FunctionType, expected: FunctionType): string | null {
		this.#visit(1);
		if (actual.async !== expected.async) {
			const word = (async: boolean): string => (async ? "an async" : "a sync");
			return `expected ${word(expected.async)} function, found ${word(actual.async)} one`;
		}
		if (actual.params.length !== expected.params.length) {
			return `expected ${expected.params.length} parameters, found ${actual.params.length}`;
		}
		for (const [i, param] of expected.params.entries()) {
			const found = actual.params[i];
			if (found?.name !== param.name) return `expected parameter named \`${param.name}\`, found \`${found?.name}\``;
			const mismatch = this.#value(found.type, param.type);
			if (mismatch !== null) return `type mismatch in function parameter \`${param.name}\`: ${mismatch}`;
		}
		if (expected.result === null) {
			return actual.result === null ? null : "function result: expected no result, found one";
		}
		if (actual.result === null) return "function result: expected a result, found none";
		const mismatch = this.#value(actual.result, expected.result);
		return mismatch === null ? null : `type mismatch with result type: ${mismatch}`;
	}

	#optional(actual: ValueType | null, expected: ValueType | null, what: string, where: string): string | null {
		if (expected === null) return actual === null ? null : `expected ${what} to not be present`;
		if (actual === null) return `expected ${what}, but found none`;
		const mismatch = this.#value(actual, expected);
		return mismatch === null ? null : `type mismatch in ${where}: ${mismatch}`;
	}

	#value(actual: ValueType, expected: ValueType): string | null {
		this.#visit(1);
		const a = actual;
		const e = expected;
		if (a.kind === "record" && e.kind === "record") return this.#record(a, e);
		if (a.kind === "variant" && e.kind === "variant") return this.#variant(a, e);
		if (a.kind === "tuple" && e.kind === "tuple") {
			if (a.elements.length !== e.elements.length) {
				return `expected ${e.elements.length} types, found ${a.elements.length}`;
			}
			for (const [i, element] of e.elements.entries()) {
				const found = a.elements[i];
				const mismatch = found === undefined ? "missing" : this.#value(found, element);
				if (mismatch !== null) return `type mismatch in tuple field ${i}: ${mismatch}`;
			}
			return null;
		}
		if (a.kind === "flags" && e.kind === "flags") {
			return sameNames(a.names, e.names) ? null : "mismatch in flags elements";
		}
		if (a.kind === "enum" && e.kind === "enum") {
			return sameNames(a.names, e.names) ? null : "mismatch in enum elements";
		}
		if (a.kind === "list" && e.kind === "list") {
			if (a.length !== e.length) return `expected a list of length ${e.length ?? "any"}, found ${a.length ?? "any"}`;
			return this.#inside("list element", a.element, e.element);
		}
		if (a.kind === "option" && e.kind === "option") return this.#inside("option", a.element, e.element);
		if (a.kind === "map" && e.kind === "map") {
			return this.#inside("map key", a.key, e.key) ?? this.#inside("map value", a.value, e.value);
		}
		if (a.kind === "result" && e.kind === "result") {
			return (
				this.#optional(a.ok, e.ok, "ok type", "ok variant") ?? this.#optional(a.err, e.err, "err type", "err variant")
			);
		}
		if ((a.kind === "stream" && e.kind === "stream") || (a.kind === "future" && e.kind === "future")) {
			return this.#optional(a.element, e.element, `a type in ${e.kind}`, e.kind);
		}
		if ((a.kind === "own" && e.kind === "own") || (a.kind === "borrow" && e.kind === "borrow")) {
			const same = this.#actual.resolve(a.resource) === this.#expected.resolve(e.resource);
			return same ? null : "resource types are not the same";
		}
		return a.kind === e.kind ? null : `expected ${e.kind}, found ${a.kind}`;
	}

	#inside(what: string, actual: ValueType, expected: ValueType): string | null {
		const mismatch = this.#value(actual, expected);
		return mismatch === null ? null : `type mismatch in ${what}: ${mismatch}`;
	}

	#record(
		actual: Extract<ValueType, { kind: "record" }>,
		expected: Extract<ValueType, { kind: "record" }>,
	): string | null {
		if (actual.fields.length !== expected.fields.length) {
			return `expected ${expected.fields.length} fields, found ${actual.fields.length}`;
		}
		for (const [i, field] of expected.fields.entries()) {
			const found = actual.fields[i];
			if (found?.name !== field.name) return `expected field name \`${field.name}\`, found \`${found?.name}\``;
			const mismatch = this.#value(found.type, field.type);
			if (mismatch !== null) return `type mismatch in record field \`${field.name}\`: ${mismatch}`;
		}
		return null;
	}

	#variant(
		actual: Extract<ValueType, { kind: "variant" }>,
		expected: Extract<ValueType, { kind: "variant" }>,
	): string | null {
		if (actual.cases.length !== expected.cases.length) {
			return `expected ${expected.cases.length} cases, found ${actual.cases.length}`;
		}
		for (const [i, item] of expected.cases.entries()) {
			const found = actual.cases[i];
			if (found?.name !== item.name) return `expected case named \`${item.name}\`, found \`${found?.name}\``;
			if (found.type === null && item.type === null) continue;
			if (found.type === null) return `expected case \`${item.name}\` to have a type, found none`;
			if (item.type === null) return `expected case \`${item.name}\` to have no type`;
			const mismatch = this.#value(found.type, item.type);
			if (mismatch !== null) return `type mismatch in variant case \`${item.name}\`: ${mismatch}`;
		}
		return null;
	}
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
	return a.length === b.length && a.every((name, i) => name === b[i]);
}
