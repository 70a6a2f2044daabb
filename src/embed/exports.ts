import { type FunctionType, toCamelCase } from "../component/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import type { PlanExport } from "../link/mod.ts";
import { ComponentError } from "./imports.ts";

/** An exported function. A WIT `result` comes back as its `ok` value, or is thrown as a `ComponentError`. */
export type ExportedFunction = (...args: any[]) => Promise<any>;

/** Exports by name: functions in camelCase (methods under their binary name, such as `[method]counter.next`), instances as objects of functions. */
export type Exports = { readonly [name: string]: any };

/** How a call finds its function: in the sandbox at hand, or in a new one. */
export type Caller = (path: readonly string[], args: readonly unknown[], type: FunctionType) => Promise<unknown>;

/** The tree of exported functions, each calling through `caller`. */
export function createExports(
	tree: ReadonlyMap<string, PlanExport>,
	caller: Caller,
	path: readonly string[] = [],
): Exports {
	const made: Record<string, unknown> = {};
	for (const [name, item] of tree) {
		const inner = [...path, name];
		if (item.kind === "func") {
			const call: ExportedFunction = (...args) => caller(inner, args, item.ref.type);
			made[name.startsWith("[") ? name : toCamelCase(name)] = call;
		} else if (item.kind === "instance") {
			const nested = createExports(item.exports, caller, inner);
			made[name] = nested;
			const base = name.replace(/@.*$/, "");
			if (base !== name && !tree.has(base)) made[base] = nested;
		}
	}
	return made;
}

/** Makes a call of a function of this type and turns a `result` into a value or an exception. */
export async function callExport(
	type: FunctionType,
	name: string,
	args: readonly unknown[],
	call: (args: readonly unknown[]) => unknown,
): Promise<unknown> {
	const { params, result } = type;
	if (args.length !== params.length) {
		const counts = `${args.length} arguments for ${params.length} parameters`;
		throw new SkerryError("call/bad-value", `Cannot call ${name}: ${counts}`);
	}
	const value = await call(args);
	if (result?.kind !== "result") return value;
	const { tag, val } = value as { tag: "ok" | "err"; val?: unknown };
	if (tag === "err") throw new ComponentError(val);
	return val;
}
