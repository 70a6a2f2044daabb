import { type CoreFunctionType, type FunctionType, toCamelCase } from "../component/mod.ts";
import { nearest, SkerryError } from "../fault/mod.ts";
import type { PlanExport } from "../link/mod.ts";
import { dress, needsDress, type Wardrobe } from "./dress.ts";
import { ComponentError } from "./imports.ts";
import type { ResourceClasses } from "./resources.ts";
import { PLAIN } from "./streams.ts";

/** An exported function. A WIT `result` comes back as its `ok` value, or is thrown as a `ComponentError`. */
export type ExportedFunction = (...args: any[]) => Promise<any>;

/**
 * Exports by name: functions in camelCase, interfaces as objects of functions, with their version and without. Of a sandbox that is kept also
 * the guest's resources, as classes in PascalCase: `await new Counter(1)`. What resources have of functions is there under its binary name,
 * too, such as `[method]counter.next`.
 */
export type Exports = { readonly [name: string]: any };

/** Exports whose functions return values and not promises of them; without classes. */
export type SyncExports<E extends object = Exports> = { readonly [K in keyof E]: Sync<E[K]> };

type Sync<T> = 0 extends 1 & T
	? any
	: T extends (...args: infer A) => Promise<infer R>
		? (...args: A) => R
		: T extends object
			? SyncExports<T>
			: T;

/** The type of an exported function: of a component, or of a core module. */
export type ExportType = FunctionType | CoreFunctionType;

/** The tree of exported functions, each as `bind` makes it, with the `classes` of resources where there are some. */
export function createExports(
	tree: ReadonlyMap<string, PlanExport>,
	bind: (path: readonly string[], type: ExportType) => (...args: any[]) => unknown,
	classes?: ResourceClasses,
	path: readonly string[] = [],
): Exports {
	const made: Record<string, unknown> = classes?.define(tree, path) ?? {};
	for (const [name, item] of tree) {
		const inner = [...path, name];
		if (item.kind === "func" || item.kind === "core") {
			const type = item.kind === "func" ? item.ref.type : item.type;
			const key = item.kind === "core" || name.startsWith("[") ? name : toCamelCase(name);
			// `a-1` and `a1` may stand beside each other
			made[tree.has(key) ? name : key] = bind(inner, type);
		} else if (item.kind === "instance") {
			const nested = createExports(item.exports, bind, classes, inner);
			made[name] = nested;
			const base = name.replace(/@.*$/, "");
			if (base !== name && !tree.has(base)) made[base] = nested;
		}
	}
	return made;
}

/**
 * The type of the function at `path`, names as in the binary.
 * @throws SkerryError `link/no-export`, `call/bad-value` for what is no path
 */
export function typeOf(tree: ReadonlyMap<string, PlanExport>, path: readonly string[]): ExportType {
	if (!Array.isArray(path)) throw badValue(String(path), "the path of an export is an array of names");
	let level: ReadonlyMap<string, PlanExport> | undefined = tree;
	let found: PlanExport | undefined;
	for (const name of path) {
		found = level?.get(name);
		level = found?.kind === "instance" ? found.exports : undefined;
	}
	if (found?.kind === "func") return found.ref.type;
	if (found?.kind === "core") return found.type;
	const name = path.join("#");
	const names = functionNames(tree);
	const near = names.find((full) => full.replace(/@[^#]*/, "") === name) ?? nearest(name, names);
	throw new SkerryError(
		"link/no-export",
		`Cannot call ${name}: there is no such export to be called`,
		near === undefined ? {} : { hint: `did you mean ${near}? Names are those of the binary, with the version` },
	);
}

function functionNames(tree: ReadonlyMap<string, PlanExport>, before = ""): string[] {
	return [...tree].flatMap(([name, item]) =>
		item.kind === "instance" ? functionNames(item.exports, `${before}${name}#`) : [before + name],
	);
}

/** Makes a call of a function of this type and turns a `result` into a value or an exception. */
export async function callExport(
	type: ExportType,
	name: string,
	args: readonly unknown[],
	call: (args: readonly unknown[]) => unknown,
	wardrobe: Wardrobe = PLAIN,
): Promise<unknown> {
	checkCall(type, name, args);
	return toResult(type, await call(args), wardrobe);
}

/** The same of a call that has returned. */
export function settle(type: ExportType, given: unknown, wardrobe: Wardrobe): Promise<unknown> {
	try {
		return Promise.resolve(toResult(type, given, wardrobe));
	} catch (error) {
		return Promise.reject(error);
	}
}

/**
 * The same where nothing can wait: a function that returns what the guest does. What takes numbers and the like, and needs no
 * dress, is the guest's function as it is.
 */
export function bindSync(
	type: ExportType,
	name: string,
	call: (...args: unknown[]) => unknown,
	wardrobe: Wardrobe,
): (...args: unknown[]) => unknown {
	if (!("results" in type) && isPlain(type)) return call;
	return (...args) => {
		checkCall(type, name, args);
		return toResult(type, call(...args), wardrobe);
	};
}

/** Whether what the guest returns is what the caller gets. */
export function isPlain(type: ExportType): boolean {
	if ("results" in type || type.result === null) return true;
	return type.result.kind !== "result" && !needsDress(type.result);
}

function checkCall(type: ExportType, name: string, args: readonly unknown[]): void {
	const { params } = type;
	if (!Array.isArray(args)) throw badValue(name, "its arguments are an array");
	if (args.length !== params.length) {
		const counts = `${args.length} arguments for ${params.length} parameters`;
		throw new SkerryError("call/bad-value", `Cannot call ${name}: ${counts}`);
	}
	if ("results" in type) checkNumbers(type, name, args);
}

function toResult(type: ExportType, given: unknown, wardrobe: Wardrobe): unknown {
	if ("results" in type || type.result === null) return given;
	const value: unknown = dress(type.result, given, wardrobe);
	if (type.result.kind !== "result") return value;
	const { tag, val } = value as { tag: "ok" | "err"; val?: unknown };
	if (tag === "err") throw new ComponentError(val);
	return val;
}

/** A core function takes numbers as V8 does: i64 as bigint, the others as number. */
function checkNumbers({ params, results }: CoreFunctionType, name: string, args: readonly unknown[]): void {
	const strange = results.find((type) => type === "v128");
	if (strange !== undefined) throw badValue(name, `its result of type ${strange} cannot be a value of JavaScript`);
	for (const [i, param] of params.entries()) {
		const wanted = JAVASCRIPT_TYPES[param];
		if (wanted === undefined) throw badValue(name, `a ${param} cannot be a value of JavaScript`);
		if (typeof args[i] !== wanted) throw badValue(name, `argument ${i + 1} is no ${wanted}, as ${param} needs`);
	}
}

const JAVASCRIPT_TYPES: Readonly<Record<string, "number" | "bigint">> = {
	i32: "number",
	i64: "bigint",
	f32: "number",
	f64: "number",
};

function badValue(name: string, state: string): SkerryError {
	return new SkerryError("call/bad-value", `Cannot call ${name}: ${state}`);
}
