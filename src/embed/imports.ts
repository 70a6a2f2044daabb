import { GuestResource } from "../abi/mod.ts";
import { type ExternType, type FunctionType, type InstanceType, isCompatible, toCamelCase } from "../component/mod.ts";
import { isErrorOf, nearest, SkerryError } from "../fault/mod.ts";
import type { HostFunction, HostImports, HostInterface, HostResource } from "../link/mod.ts";
import { dress, needsDress } from "./dress.ts";
import { runInside } from "./inside.ts";
import { parseMember, toPascalCase } from "./names.ts";
import { PLAIN } from "./streams.ts";

/**
 * What an embedder gives to a component or core module: per import name an object with functions and classes; what the world imports directly,
 * a function or a class. Interfaces may leave the version out. Functions and methods are in camelCase, or named as in the binary;
 * a resource is a class in PascalCase.
 *
 * - a function whose WIT result is `result<T, E>` returns the `T`, or throws a `ComponentError` with the `E`
 * - a resource is a class: its constructor, methods and static methods are the resource's; `[Symbol.dispose]` is called when the
 *   guest drops its last handle
 * - a promise makes the guest wait; of an async function it is cancelled when the guest no longer wants it, where it has a method `cancel`
 * - a stream comes as a `ReadableStream`; one is given as a `ReadableStream`, an (async) iterable, or an array of all elements
 * - a future comes as a `GuestFuture`; one is given as a promise, or the value
 *
 * To a core module: per module of its imports an object with functions, named as in the binary. They take and give numbers (i64 as
 * bigint); `this` is the `Guest` that calls, with its memory.
 */
export type Imports = Readonly<Record<string, ImportedInterface | ImportedFunction | ImportedClass>>;
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
	if (GuestResource.is(value)) return `resource ${GuestResource.typeOf(value).name}`;
	try {
		return JSON.stringify(value, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v)) ?? "nothing";
	} catch {
		return String(value);
	}
}

/**
 * One of an embedder's interfaces as the linker takes it, made to the shape that the component wants of it.
 * What the embedder's object lacks is left out: the linker lists it.
 */
function toHostInterface(
	name: string,
	wanted: InstanceType,
	given: ImportedInterface,
	guarded: boolean,
): HostInterface<unknown> {
	const functions: Record<string, HostFunction<unknown>> = {};
	const resources: Record<string, HostResource<unknown>> = {};
	for (const [member, type] of wanted.exports) {
		if (type.kind === "func") {
			const fn = memberFunction(member, given);
			const path = guarded ? `${name}#${member}` : undefined;
			if (fn !== undefined) functions[member] = toHostFunction(type.type, fn, path);
		} else if (isResource(type) && isClass(propertyOf(given, toPascalCase(member)))) {
			resources[member] = DISPOSED;
		}
	}
	return { name, functions, resources };
}

const DISPOSED: HostResource<unknown> = { drop: (_, rep: Partial<Disposable>) => rep[Symbol.dispose]?.() };

/**
 * All that a component imports, out of what the embedder gives. `stray` are the names that it does not import, each with the
 * nearest that it does.
 * @param guarded whether calls into a sandbox may wait for one another, so that a function that calls the one which waits for it is to be found
 */
export function toHostImports(
	wanted: ReadonlyMap<string, ExternType>,
	imports: Imports,
	guarded: boolean,
): { readonly host: HostImports; readonly stray: readonly string[] } {
	const interfaces: HostInterface<unknown>[] = [];
	const functions: Record<string, HostFunction<unknown>> = {};
	const resources: Record<string, HostResource<unknown>> = {};
	const used = new Set<string>();
	for (const [name, type] of wanted) {
		const given = givenName(name, type, imports);
		if (given === undefined) continue;
		used.add(given);
		if (type.kind === "instance") {
			interfaces.push(toHostInterface(name, type.type, imports[given] as ImportedInterface, guarded));
		} else if (type.kind === "func") {
			const fn = memberFunction(name, imports as ImportedInterface);
			if (fn !== undefined) functions[name] = toHostFunction(type.type, fn, guarded ? name : undefined);
		} else if (typeof imports[given] === "function") resources[name] = DISPOSED;
	}
	return { host: { interfaces, functions, resources }, stray: strayNames(imports, used, wanted.keys()) };
}

/** A property that somebody gave an object or class, and not one that all of them have, such as `toString` and `call`. */
function propertyOf(holder: unknown, key: string): unknown {
	const value = (holder as Named)[key];
	const everybodys = [Object.prototype, Function.prototype].some((all) => value === (all as unknown as Named)[key]);
	return everybodys ? undefined : value;
}

type Named = Readonly<Record<string, unknown>>;

function isClass(value: unknown): value is ImportedClass {
	return typeof value === "function";
}

function isResource(type: ExternType): boolean {
	return type.kind === "type" && type.type.kind === "resource";
}

function memberFunction(member: string, given: ImportedInterface): ImportedFunction | undefined {
	const parsed = parseMember(member);
	if (parsed === undefined) {
		const found = propertyOf(given, member) ?? propertyOf(given, toCamelCase(member));
		return typeof found === "function" ? (...args) => (found as ImportedFunction).apply(given, args) : undefined;
	}
	const owner = propertyOf(given, toPascalCase(parsed.resource));
	if (!isClass(owner)) return undefined;
	const { key } = parsed;
	switch (parsed.kind) {
		case "constructor":
			return (...args) => new owner(...args);
		case "static": {
			const statics = owner as unknown as Record<string, ImportedFunction>;
			return typeof propertyOf(owner, key) === "function" ? (...args) => statics[key]?.(...args) : undefined;
		}
		default: {
			if (typeof propertyOf(owner.prototype, key) !== "function") return undefined;
			return (self: Readonly<Record<string, ImportedFunction>> | null | undefined, ...args) => {
				const method = self?.[key];
				if (typeof method === "function") return method.apply(self, args);
				throw new SkerryError(
					"call/bad-value",
					`Cannot call ${member}: the object given for ${parsed.resource} has no ${key}`,
				);
			};
		}
	}
}

/**
 * A function in JavaScript's manner (values or exceptions) as the linker takes it (explicit results).
 * @param guarded its name, where what it calls of its sandbox is to be told apart
 */
function toHostFunction(type: FunctionType, fn: ImportedFunction, guarded?: string): HostFunction<unknown> {
	const made = toPlainFunction(type, fn);
	// While a function waits that is not async, so does all of its sandbox.
	if (guarded === undefined || type.async) return made;
	return (context, ...args) => runInside(context, guarded, () => made(context, ...args));
}

function toPlainFunction(type: FunctionType, fn: ImportedFunction): HostFunction<unknown> {
	const { params } = type;
	const call = params.some((param) => needsDress(param.type))
		? (args: readonly unknown[]) => fn(...params.map((param, i) => dress(param.type, args[i], PLAIN)))
		: (args: readonly unknown[]) => fn(...args);
	if (type.result?.kind !== "result") return (_, ...args) => call(args);
	return (_, ...args) => {
		try {
			const value = call(args);
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
	if (isErrorOf(error, ComponentError)) return { tag: "err", val: error.payload };
	throw error;
}

/** The name under which the embedder gave an import, if it did. */
function givenName(wanted: string, type: ExternType, imports: Imports): string | undefined {
	const names = [wanted];
	if (type.kind === "instance") names.push(wanted.replace(/@.*$/, ""));
	else if (isResource(type)) names.push(toPascalCase(wanted));
	else if (type.kind === "func") {
		const resource = parseMember(wanted)?.resource;
		names.push(resource === undefined ? toCamelCase(wanted) : toPascalCase(resource));
	}
	const exact = names.find((name) => Object.hasOwn(imports, name));
	if (exact !== undefined || type.kind !== "instance") return exact;
	return Object.keys(imports).find((name) => isCompatible(wanted, name));
}

/** Names among `imports` that the component does not import, each with the nearest that it does. */
export function strayNames(imports: Imports, used: ReadonlySet<string>, wanted: Iterable<string>): string[] {
	const names = [...wanted];
	return Object.keys(imports)
		.filter((name) => !used.has(name))
		.map((name) => {
			const near = nearest(name, names);
			return near === undefined ? name : `${name} (did you mean ${near}?)`;
		});
}
