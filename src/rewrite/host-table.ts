import { countImports, type Module, type RecTypeSyntax, type ValueTypeSyntax } from "../wasm/mod.ts";

/**
 * What a rewritten module calls of the engine, by its place in a table of its own that the engine fills before any of the guest's code
 * runs. A table, because functions that are imported would move all others; the guest's own tables keep their indices, for this is the last.
 */
export const HOST_FUNCTIONS: readonly HostFunctionName[] = ["poll", "pause", "grow", "growTable", "allocate"];

/**
 * - `poll: () → i32`: metering found the flag raised or the slice used up. 0: go on; 1: trap; 2: call `pause`, then go on or trap.
 * - `pause: () → i32`: gives the thread to others, where the guest's stack can be suspended. 0: go on; 1: trap.
 * - `grow: (memory: i32, delta: i64) → i64`: `memory.grow` of the guest's memory of that index, in pages: the old size, or -1.
 * - `growTable: (table: i32, delta: i64) → i32`: whether the guest's table of that index may grow by so many elements: 1 or 0. Of the
 *   complement of an index: that it could not grow, though it might.
 * - `allocate: (bytes: i64) → i64`: the guest needs so many bytes more in V8's heap than it was given: how many it is given, at least so
 *   many; 0: trap.
 */
export type HostFunctionName = "poll" | "pause" | "grow" | "growTable" | "allocate";

/** Core types of them, in text order: parameters, results. */
export const HOST_FUNCTION_TYPES: Readonly<
	Record<HostFunctionName, readonly [params: readonly HostNumber[], results: readonly HostNumber[]]>
> = {
	poll: [[], ["i32"]],
	pause: [[], ["i32"]],
	grow: [["i32", "i64"], ["i64"]],
	growTable: [["i32", "i64"], ["i32"]],
	allocate: [["i64"], ["i64"]],
};

type HostNumber = "i32" | "i64";

export interface HostTable {
	/** The name under which the module exports it. */
	readonly name: string;
	/** Its index. */
	readonly table: number;
	/** The type index of each function, for `call_indirect`; its place in the table is its place in `HOST_FUNCTIONS`. */
	readonly types: Readonly<Record<HostFunctionName, number>>;
}

/** Adds the table behind all others, its types behind the module's own, and its export. */
export function addHostTable(module: Module): { readonly module: Module; readonly host: HostTable } {
	const names = new Set(module.exports.map((e) => e.name));
	let name = "skerry:host";
	while (names.has(name)) name += "'";
	const index = countImports(module).table + module.tables.length;
	const first = module.types.reduce((sum, group) => sum + group.length, 0);
	const types = Object.fromEntries(HOST_FUNCTIONS.map((fn, i) => [fn, first + i])) as HostTable["types"];
	const size = BigInt(HOST_FUNCTIONS.length);
	const table: Module["tables"][number] = {
		type: {
			kind: "table",
			element: { kind: "ref", nullable: true, heap: "func" },
			limits: { minimum: size, maximum: size, shared: false, index: "i32" },
		},
		init: null,
	};
	return {
		module: {
			...module,
			types: [...module.types, ...HOST_FUNCTIONS.map(functionType)],
			tables: [...module.tables, table],
			exports: [...module.exports, { name, kind: "table", index }],
		},
		host: { name, table: index, types },
	};
}

function functionType(fn: HostFunctionName): RecTypeSyntax {
	const [params, results] = HOST_FUNCTION_TYPES[fn];
	const numbers = (names: readonly HostNumber[]): ValueTypeSyntax[] => names.map((name) => ({ kind: "number", name }));
	return [
		{
			final: true,
			supertypes: [],
			composite: { kind: "func", params: numbers(params), results: numbers(results) },
		},
	];
}
