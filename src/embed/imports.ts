import { GuestResource } from "../abi/mod.ts";
import { type ExternType, type FunctionType, type InstanceType, toCamelCase } from "../component/mod.ts";
import { nearest } from "../fault/mod.ts";
import type { HostFunction, HostInterface, HostResource } from "../link/mod.ts";

/**
 * What an embedder gives to a component: per import name an object with functions and classes, or a function.
 * Names may leave the version out. Functions and methods are in camelCase; a resource is a class in PascalCase.
 *
 * - a function whose WIT result is `result<T, E>` returns the `T`, or throws a `ComponentError` with the `E`
 * - a resource is a class: its constructor, methods and static methods are the resource's; `[Symbol.dispose]` is called when the
 *   guest drops its last handle
 * - a promise makes the guest wait
 */
export type Imports = Readonly<Record<string, ImportedInterface | ImportedFunction>>;
export type ImportedFunction = (...args: any[]) => unknown;
export type ImportedInterface = Readonly<Record<string, ImportedFunction | ImportedClass>>;
export type ImportedClass = new (...args: any[]) => object;

/** The `err` case of a WIT `result`, thrown by what returns one. */
export class ComponentError extends Error {
	override readonly name = "ComponentError";
	/** The value of the `err` case. */
	readonly payload: unknown;

	constructor(payload: unknown) {
		super(typeof payload === "string" ? payload : `the call returned an error: ${describe(payload)}`);
		this.payload = payload;
	}
}

function describe(value: unknown): string {
	if (value instanceof GuestResource) return `resource ${value.type.name}`;
	try {
		return JSON.stringify(value, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v)) ?? "nothing";
	} catch {
		return String(value);
	}
}

/** `[method]fields.get` → `{ kind: "method", resource: "fields", name: "get" }`. */
function parseMember(member: string): { kind: string; resource: string; name: string } | undefined {
	const match = /^\[(constructor|method|static)\]([^.]+)(?:\.(.+))?$/.exec(member);
	if (match === null) return undefined;
	return { kind: match[1] ?? "", resource: match[2] ?? "", name: match[3] ?? "" };
}

function toPascalCase(name: string): string {
	const camel = toCamelCase(name);
	return camel.slice(0, 1).toUpperCase() + camel.slice(1);
}

/**
 * One of an embedder's interfaces as the linker takes it, made to the shape that the component wants of it.
 * What the embedder's object lacks is left out: the linker lists it.
 */
export function toHostInterface(name: string, wanted: InstanceType, given: ImportedInterface): HostInterface<unknown> {
	const functions: Record<string, HostFunction<unknown>> = {};
	const resources: Record<string, HostResource<unknown>> = {};
	for (const [member, type] of wanted.exports) {
		if (type.kind === "func") {
			const fn = memberFunction(member, given);
			if (fn !== undefined) functions[member] = toHostFunction(type.type, fn);
		} else if (isResource(type) && typeof given[toPascalCase(member)] === "function") {
			resources[member] = { drop: (_, rep: Partial<Disposable>) => rep[Symbol.dispose]?.() };
		}
	}
	return { name, functions, resources };
}

function isResource(type: ExternType): boolean {
	return type.kind === "type" && type.type.kind === "resource";
}

function memberFunction(member: string, given: ImportedInterface): ImportedFunction | undefined {
	const parsed = parseMember(member);
	if (parsed === undefined) {
		const found = given[toCamelCase(member)] ?? given[member];
		return found === undefined ? undefined : (...args) => (found as ImportedFunction).apply(given, args);
	}
	const owner = given[toPascalCase(parsed.resource)] as ImportedClass | undefined;
	if (typeof owner !== "function") return undefined;
	const key = toCamelCase(parsed.name);
	switch (parsed.kind) {
		case "constructor":
			return (...args) => new owner(...args);
		case "static": {
			const statics = owner as unknown as Record<string, ImportedFunction>;
			return typeof statics[key] === "function" ? (...args) => statics[key]?.(...args) : undefined;
		}
		default: {
			const { prototype } = owner as { prototype: Record<string, unknown> };
			return typeof prototype[key] === "function"
				? (self: Record<string, ImportedFunction>, ...args) => self[key]?.(...args)
				: undefined;
		}
	}
}

/** A function in JavaScript's manner (values or exceptions) as the linker takes it (explicit results). */
export function toHostFunction(type: FunctionType, fn: ImportedFunction): HostFunction<unknown> {
	if (type.result?.kind !== "result") return (_, ...args) => fn(...args);
	return (_, ...args) => {
		try {
			const value = fn(...args);
			if (value instanceof Promise) return value.then(ok, err);
			return ok(value);
		} catch (error) {
			return err(error);
		}
	};
}

function ok(val: unknown): unknown {
	return { tag: "ok", val };
}

function err(error: unknown): unknown {
	if (error instanceof ComponentError) return { tag: "err", val: error.payload };
	throw error;
}

/** The name under which the embedder gave an import: exact, without its version, or (for the linker's message) the nearest. */
export function givenName(wanted: string, imports: Imports): string | undefined {
	if (wanted in imports) return wanted;
	const base = wanted.replace(/@.*$/, "");
	return base in imports ? base : undefined;
}

/** Names among `imports` that the component does not import, each with the nearest that it does. */
export function strayImports(imports: Imports, used: ReadonlySet<string>, wanted: Iterable<string>): string[] {
	const names = [...wanted];
	return Object.keys(imports)
		.filter((name) => !used.has(name))
		.map((name) => {
			const near = nearest(name, names);
			return near === undefined ? name : `${name} (did you mean ${near}?)`;
		});
}
