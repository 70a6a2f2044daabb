import {
	type ComponentType,
	type ExternType,
	isCompatible,
	matchExternType,
	ResourceBindings,
	type ResourceType,
} from "../component/mod.ts";
import { nearest, SkerryError } from "../fault/mod.ts";
import type { HostFunction, HostInterface, HostResource } from "./host.ts";
import type { HostFunctionSlot } from "./plan/plan.ts";

/** What the host offers to a component. */
export interface HostImports {
	/** Found by exact name first, then by a compatible version; one without a version serves every version. */
	readonly interfaces: readonly HostInterface<any>[];
	/** Functions imported directly by the world, methods of its resources among them. */
	readonly functions?: Readonly<Record<string, HostFunction<any>>>;
	/** Resources imported directly by the world. */
	readonly resources?: Readonly<Record<string, HostResource<any>>>;
	/** Why a whole import cannot be had here, where there is more to say than its name. */
	readonly explain?: (name: string) => string | undefined;
}

export interface Binding {
	/** The host's resources among the imports. */
	readonly resources: ReadonlyMap<ResourceType, HostResource<any>>;
	function(slot: HostFunctionSlot): HostFunction<any>;
}

/**
 * Binds the imports of a component to what the host offers.
 * @throws SkerryError `link/missing-imports`, listing every import that is missing or of another type, with the nearest name
 */
export function bindImports(component: ComponentType, host: HostImports): Binding {
	const binder = new Binder(host, component.importedResources ?? []);
	for (const [name, type] of component.imports) binder.import(name, type);
	binder.check();
	return binder;
}

class Binder implements Binding {
	readonly resources = new Map<ResourceType, HostResource<any>>();
	readonly #host: HostImports;
	readonly #problems: string[] = [];
	readonly #interfaces = new Map<string, HostInterface<any>>();
	/** Which of the host's resource types each of the component's stands for. */
	readonly #bindings: ResourceBindings;

	constructor(host: HostImports, resources: Iterable<ResourceType>) {
		this.#host = host;
		this.#bindings = new ResourceBindings(resources);
	}

	import(name: string, type: ExternType): void {
		if (type.kind === "func") {
			if (this.#host.functions?.[name] === undefined) this.#missing(name, Object.keys(this.#host.functions ?? {}));
			return;
		}
		if (type.kind === "type" && type.type.kind === "resource") {
			const found = this.#host.resources?.[name];
			if (found === undefined) this.#missing(name, Object.keys(this.#host.resources ?? {}));
			else this.resources.set(type.type.resource, found);
			return;
		}
		if (type.kind !== "instance") return;
		const found = this.#find(name);
		if (found === undefined) {
			// An interface of nothing but types asks for nothing.
			if (needsNothing(type)) return;
			this.#missing(
				name,
				this.#host.interfaces.map((i) => i.name),
			);
			return;
		}
		this.#interfaces.set(name, found);
		for (const [member, memberType] of type.type.exports) this.#member(name, found, member, memberType);
	}

	#find(name: string): HostInterface<any> | undefined {
		const exact = this.#host.interfaces.find((i) => i.name === name);
		if (exact !== undefined) return exact;
		const base = name.replace(/@.*$/, "");
		return this.#host.interfaces.find((i) => isCompatible(name, i.name) || i.name === base);
	}

	#missing(name: string, offered: readonly string[]): void {
		const why = this.#host.explain?.(name);
		const near = nearest(name, offered);
		const text = why ?? (near === undefined ? "nothing provides it" : `nothing provides it; the nearest is ${near}`);
		this.#problems.push(`${name}: ${text}`);
	}

	#member(name: string, host: HostInterface<any>, member: string, type: ExternType): void {
		if (type.kind === "type") {
			if (type.type.kind === "resource") this.#resource(name, host, member, type.type.resource);
			return;
		}
		if (type.kind !== "func") {
			this.#problems.push(`${name}#${member}: a ${type.kind} cannot be given by the host`);
			return;
		}
		if (host.functions[member] === undefined) {
			const near = nearest(member, Object.keys(host.functions));
			const hint = near === undefined ? "" : `; the nearest is ${near}`;
			this.#problems.push(`${name}#${member}: ${host.name} has no such function${hint}`);
			return;
		}
		const own = host.type?.exports.get(member);
		if (own === undefined) return;
		const mismatch = matchExternType(own, type, this.#bindings);
		if (mismatch !== null) this.#problems.push(`${name}#${member}: of another type than in ${host.name}: ${mismatch}`);
	}

	#resource(name: string, host: HostInterface<any>, member: string, resource: ResourceType): void {
		const own = host.type?.exports.get(member);
		if (own !== undefined) {
			const mismatch = matchExternType(own, { kind: "type", type: { kind: "resource", resource } }, this.#bindings);
			if (mismatch !== null)
				this.#problems.push(`${name}#${member}: of another type than in ${host.name}: ${mismatch}`);
		}
		if (this.resources.has(resource)) return;
		const found = host.resources[member];
		if (found !== undefined) {
			this.resources.set(resource, found);
			return;
		}
		const near = nearest(member, Object.keys(host.resources));
		const hint = near === undefined ? "" : `; the nearest is ${near}`;
		this.#problems.push(`${name}#${member}: ${host.name} has no such resource${hint}`);
	}

	function({ path }: HostFunctionSlot): HostFunction<any> {
		const [first = "", second] = path;
		const found = second === undefined ? this.#host.functions?.[first] : this.#interfaces.get(first)?.functions[second];
		if (found === undefined) throw new Error(`the import ${path.join("#")} was not bound`);
		return found;
	}

	check(): void {
		const count = this.#problems.length;
		if (count === 0) return;
		const what = count === 1 ? "one import is" : `${count} imports are`;
		throw new SkerryError(
			"link/missing-imports",
			`Cannot link the component: ${what} missing or mistyped\n${this.#problems.map((p) => `  - ${p}`).join("\n")}`,
		);
	}
}

function needsNothing(type: ExternType): boolean {
	if (type.kind !== "instance") return type.kind === "type" && type.type.kind !== "resource";
	return [...type.type.exports.values()].every(needsNothing);
}
