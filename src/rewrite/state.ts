import {
	type ConstExpr,
	countImports,
	type ExportSyntax,
	type Module,
	OP,
	type OpName,
	type ValueTypeSyntax,
} from "../wasm/mod.ts";
import type { ModuleState } from "./rewritten.ts";
import type { Survey } from "./survey.ts";

/** What instructions change that no reset puts back. */
const IRREVERSIBLE: Readonly<Partial<Record<OpName, string>>> = {
	"data.drop": "it drops data segments",
	"elem.drop": "it drops element segments",
};

const NUMBERS = new Set(["i32", "i64", "f32", "f64"]);

/**
 * Exports the memories and mutable globals that a core module defines, so that the engine can put them back.
 * @returns the module with exports added, itself when there is nothing to add; and why its state cannot be put back where that is so
 */
export function exportState(
	module: Module,
	survey: Survey,
): { readonly module: Module; readonly state: ModuleState | string } {
	const why = irreversible(module, survey);
	if (why !== undefined) return { module, state: why };
	const imported = countImports(module);
	const names = new Set(module.exports.map((e) => e.name));
	const added: ExportSyntax[] = [];
	const add = (kind: "memory" | "global", index: number): string => {
		// Whatever names the guest has chosen, these are others.
		let name = `skerry:${kind}:${index}`;
		while (names.has(name)) name += "'";
		added.push({ name, kind, index });
		return name;
	};
	const memories = module.memories.map((_, i) => add("memory", imported.memory + i));
	const globals = module.globals.flatMap(({ type }, i) => (type.mutable ? [add("global", imported.global + i)] : []));
	const state = { memories, globals, tables: [] };
	return { module: added.length === 0 ? module : { ...module, exports: [...module.exports, ...added] }, state };
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
	for (const { type } of module.globals) {
		// A mutable vector or reference cannot be put back from outside; an immutable reference may lead to what is mutable.
		if (type.mutable ? !isNumber(type.type) : isStructured(type.type))
			return "it keeps references or vectors in globals";
	}
	for (const { type } of module.tables) {
		if (isStructured(type.element)) return "it keeps references to structures in tables";
	}
	if (makesStructures(module)) return "it keeps structures in constants";
	if (survey.irreversible === undefined) return undefined;
	return IRREVERSIBLE[survey.irreversible] ?? "it changes tables";
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
