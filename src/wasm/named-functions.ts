import type { Module } from "./module.ts";
import { OP } from "./operators.ts";

/** Functions that a module names outside of its code, exports apart: in element segments and in initial values of globals, tables and segments. */
export function namedFunctions({ globals, tables, elements }: Module): Set<number> {
	const named = new Set<number>();
	const initials = [...globals.map(({ init }) => init), ...tables.flatMap(({ init }) => (init === null ? [] : [init]))];
	for (const { items } of elements) {
		if (items.kind === "functions") for (const index of items.indices) named.add(index);
		else initials.push(...items.expressions);
	}
	for (const expression of initials)
		for (const { op, immediates } of expression) if (op === OP["ref.func"]) named.add(immediates[0] as number);
	return named;
}
