import { GuestResource } from "../abi/mod.ts";
import type { ResourceType } from "../component/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import type { PlanExport } from "../link/mod.ts";
import type { Wardrobe } from "./dress.ts";
import { parseMember, toPascalCase } from "./names.ts";
import { createWardrobe } from "./streams.ts";

/** How a call finds its function: in the sandbox at hand, or in a new one. */
export type Caller = (path: readonly string[], args: readonly unknown[]) => Promise<unknown>;

/** Drops a resource that a call returned; `deferred`, not before the calls have ended that are under way, should they keep it out. */
export type Dropper = (resource: GuestResource, deferred: boolean) => Promise<void>;

/** What the guests' resources are in JavaScript, in one sandbox. */
export class ResourceClasses {
	readonly #prototypes = new Map<ResourceType, object>();
	readonly #caller: Caller;
	readonly #drop: Dropper;
	/** What parts of the values become that calls return. */
	readonly wardrobe: Wardrobe = createWardrobe((value, resource) => this.#dress(value, resource));

	constructor(caller: Caller, drop: Dropper) {
		this.#caller = caller;
		this.#drop = drop;
	}

	/**
	 * The classes of the resources that an interface, or the world, exports, by their names there. `await new Counter(1)` calls the
	 * resource's constructor; methods and static methods are those of the class.
	 */
	define(siblings: ReadonlyMap<string, PlanExport>, path: readonly string[]): Record<string, unknown> {
		const classes: Record<string, unknown> = {};
		for (const [name, item] of siblings) {
			if (item.kind === "resource") classes[toPascalCase(name)] = this.#define(name, item.resource, siblings, path);
		}
		return classes;
	}

	#define(
		resource: string,
		type: ResourceType,
		siblings: ReadonlyMap<string, PlanExport>,
		path: readonly string[],
	): unknown {
		const caller = this.#caller;
		const creator = `[constructor]${resource}`;
		const constructs = siblings.has(creator);
		const name = toPascalCase(resource);
		const made = {
			[name]: function (...args: unknown[]): unknown {
				if (constructs) return caller([...path, creator], args);
				throw new SkerryError("link/no-export", `Cannot make a ${resource}: it has no constructor`);
			},
		}[name] as unknown as { prototype: Record<string | symbol, unknown> } & Record<string, unknown>;
		// One resource exported twice has one class, under both names
		const known = this.#prototypes.get(type);
		made.prototype = (known as typeof made.prototype | undefined) ?? this.#prototype(type);
		if (known === undefined) Object.defineProperty(made.prototype, "constructor", { value: made, configurable: true });
		for (const [member, item] of siblings) {
			const parsed = parseMember(member);
			if (item.kind !== "func" || parsed?.resource !== resource) continue;
			const inner = [...path, member];
			if (parsed.kind === "static") setMember(made, parsed.key, (...args: unknown[]) => caller(inner, args));
			else if (parsed.kind === "method") {
				setMember(made.prototype, parsed.key, async function (this: unknown, ...args: unknown[]): Promise<unknown> {
					checkAlive(this, member);
					return await caller(inner, [this, ...args]);
				});
			}
		}
		return made;
	}

	#prototype(type: ResourceType): Record<string | symbol, unknown> {
		const drop = this.#drop;
		const prototype = Object.create(GuestResource.prototype) as Record<string | symbol, unknown>;
		prototype[Symbol.asyncDispose] = async function (this: GuestResource): Promise<void> {
			if (!GuestResource.isSpent(this)) await drop(this, false);
		};
		prototype[Symbol.dispose] = function (this: GuestResource): void {
			// A destructor that fails ends the sandbox: the next call says so.
			if (!GuestResource.isSpent(this)) drop(this, true).catch(() => {});
		};
		this.#prototypes.set(type, prototype);
		return prototype;
	}

	/** Gives a resource that a guest has given its class. */
	#dress(value: unknown, type: ResourceType): unknown {
		const prototype = this.#prototypes.get(type);
		if (prototype !== undefined && GuestResource.is(value)) Object.setPrototypeOf(value, prototype);
		return value;
	}
}

/**
 * Gives a class or its prototype a member, whatever its name: `name` and `length` of a function cannot be assigned. Not those that would
 * make something else of it: `prototype`, and `then`, for which whoever awaits the resource would call it. These have their binary names only.
 */
function setMember(holder: object, key: string, value: (...args: unknown[]) => unknown): void {
	if (key === "then" || key === "prototype") return;
	Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true });
}

function checkAlive(self: unknown, member: string): void {
	if (!GuestResource.is(self)) {
		throw new SkerryError("call/bad-value", `Cannot call ${member}: \`this\` is no resource of the guest`);
	}
	if (!GuestResource.isSpent(self)) return;
	const name = GuestResource.typeOf(self).name || "resource";
	throw new SkerryError("call/bad-value", `Cannot call ${member}: the ${name} was dropped or given away`);
}
