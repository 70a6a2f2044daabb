import { matchExternType, ResourceBindings } from "./match.ts";
import type { ComponentType, ExternType, ResourceType } from "./types.ts";
import { createResource } from "./validate/identity.ts";
import { Substitution } from "./validate/substitute.ts";
import { Work } from "./validate/work.ts";

/**
 * One instantiation of a component, as types: what its imports are given, in the order in which it imports them, and what it exports
 * then. For components that are linked outside of any component; within one, validation does the same.
 */
export class Instantiation {
	readonly #component: ComponentType;
	readonly #bindings: ResourceBindings;
	readonly #work = new Work();

	constructor(component: ComponentType) {
		this.#component = component;
		this.#bindings = new ResourceBindings(component.importedResources);
	}

	/**
	 * Gives an item of type `actual` where the component, or an instance that it imports, asks for `wanted`: `null`, or the first
	 * difference in words. The resources of `wanted` stand from now on for those of `actual`.
	 * @throws SkerryError `binary/limit` for types that are too large to be compared
	 */
	give(actual: ExternType, wanted: ExternType): string | null {
		return matchExternType(actual, wanted, this.#bindings, (count) => this.#work.step(count));
	}

	/** A new resource, for the component's own `resource` of its imports to stand for; `undefined` where it stands for one already. */
	open(resource: ResourceType): ResourceType | undefined {
		const opened = createResource(resource.name);
		return this.#bindings.bind(resource, opened) ? opened : undefined;
	}

	/** One of the component's types, with its resources replaced by what they were given. */
	outside(type: ExternType): ExternType {
		const { bound } = this.#bindings;
		return new Substitution((resource) => bound.get(resource), this.#work).extern(type);
	}

	/** The exports of the instance: the resources that the component makes are new ones, `created`. */
	instantiate(): { readonly exports: ReadonlyMap<string, ExternType>; readonly created: readonly ResourceType[] } {
		const replaced = new Map(this.#bindings.bound);
		const created = (this.#component.createdResources ?? []).map((resource) => {
			const copy = createResource(resource.name);
			replaced.set(resource, copy);
			return copy;
		});
		const substitution = new Substitution((resource) => replaced.get(resource), this.#work, this.#bindings.definitions);
		return { exports: substitution.exports(this.#component.exports), created };
	}
}

/** The resources that a type mentions. */
export function resourcesOf(type: ExternType): ReadonlySet<ResourceType> {
	const mentioned = new Set<ResourceType>();
	const probe = new Substitution((resource) => {
		mentioned.add(resource);
		return undefined;
	}, new Work());
	probe.extern(type);
	return mentioned;
}
