import { type ConstExpr, countImports, type Module, OP, type OpName, type ValueTypeSyntax } from "../../wasm/mod.ts";
import type { Additions } from "./additions.ts";
import { exportGlobal, hasManyGlobals, MAX_GLOBALS } from "./initial.ts";
import type { ModuleState } from "../rewritten.ts";
import type { Survey } from "../survey.ts";

const NUMBERS = new Set(["i32", "i64", "f32", "f64"]);

/**
 * Exports all that can change in an instance of a core module: memories and mutable globals that it defines, tables that its code
 * changes.
 * @returns their names, or why its state cannot be put back exactly
 */
export function findState(module: Module, survey: Survey, added: Additions): ModuleState | string {
	const why = irreversible(module, survey);
	if (why !== undefined) return why;
	const imported = countImports(module);
	const globals = module.globals.flatMap(({ type }, i) =>
		type.mutable ? [exportGlobal(added, imported.global + i)] : [],
	);
	return {
		memories: module.memories.map((_, i) => {
			const index = imported.memory + i;
			return added.export(`memory:${index}`, "memory", index);
		}),
		globals: [...globals, ...added.dropped, ...(added.heap === undefined ? [] : [added.heap])],
		tables: [...survey.changedTables].map((index) => added.export(`table:${index}`, "table", index)),
		...(added.tablesChanged === undefined ? {} : { tablesChanged: added.tablesChanged }),
	};
}

/** What makes a structure. In a constant expression, it is made once for the instance and may be changed ever after. */
const STRUCTURES: ReadonlySet<number> = new Set<number>(
	(["struct.new", "struct.new_default", "array.new", "array.new_default", "array.new_fixed"] satisfies OpName[]).map(
		(name) => OP[name],
	),
);

/**
 * Whether the module holds structures (WasmGC) from its start. Their types need not say so: an `externref` can hide one.
 * Element segments hold theirs for `array.new_elem`.
 */
function makesStructures({ globals, tables, elements }: Module): boolean {
	const makes = (expression: ConstExpr | null): boolean =>
		expression !== null && expression.some(({ op }) => STRUCTURES.has(op));
	return (
		globals.some(({ init }) => makes(init)) ||
		tables.some(({ init }) => makes(init)) ||
		elements.some(({ items }) => items.kind === "expressions" && items.expressions.some(makes))
	);
}

/** What of a module changes without that a reset could put it back; `undefined` where nothing does. */
function irreversible(module: Module, survey: Survey): string | undefined {
	if (module.memories.some(({ limits }) => limits.shared)) return "its memory is shared with other threads";
	if (hasManyGlobals(module)) return `it has more than ${MAX_GLOBALS} mutable globals`;
	for (const { type } of module.globals) {
		// A mutable vector or reference cannot be put back from outside; an immutable reference may lead to what is mutable.
		if (type.mutable ? !isNumber(type.type) : isStructured(type.type))
			return "it keeps references or vectors in globals";
	}
	const imported = module.imports.flatMap(({ type }) => (type.kind === "table" ? [type] : []));
	const tables = [...imported, ...module.tables.map(({ type }) => type)];
	const isOwn = (table: number): boolean => table >= imported.length;
	for (const [i, { element }] of tables.entries()) {
		if ((isOwn(i) || survey.changedTables.has(i)) && isStructured(element))
			return "it keeps references to structures in tables";
	}
	return makesStructures(module) ? "it keeps structures in constants" : undefined;
}

function isNumber(type: ValueTypeSyntax): boolean {
	return type.kind === "number" && NUMBERS.has(type.name);
}

/** A reference to something that has a state of its own (WasmGC). Functions and the host's values have none. */
function isStructured(type: ValueTypeSyntax): boolean {
	return (
		type.kind === "ref" &&
		type.heap !== "func" &&
		type.heap !== "extern" &&
		type.heap !== "nofunc" &&
		type.heap !== "noextern"
	);
}
