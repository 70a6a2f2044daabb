import { SkerryError } from "../fault/mod.ts";
import {
	type CatchClause,
	type CodeReader,
	type ConstExpr,
	countImports,
	type ImmediateValue,
	type IndexSpace,
	type Module,
	operatorOf,
	type ValueTypeSyntax,
} from "../wasm/mod.ts";

/**
 * Whether indices are the guest's own. What passes add stands behind it in every index space, so that an index which is just out of
 * bounds would name an addition, and V8 would not see that the guest is wrong.
 */
export interface IndexCheck {
	readonly counts: Readonly<Record<IndexSpace, number>>;
	/** @throws SkerryError `core/invalid` */
	readonly index: (space: IndexSpace, index: number) => void;
	readonly valueType: (type: ValueTypeSyntax) => void;
	/** The types in the immediates of the current instruction. */
	readonly types: (reader: CodeReader) => void;
	/** All indices in a constant expression. */
	readonly expression: (expression: ConstExpr) => void;
}

const SPACE_NAMES: Readonly<Record<IndexSpace, string>> = {
	func: "function",
	type: "type",
	table: "table",
	memory: "memory",
	global: "global",
	tag: "tag",
	data: "data segment",
	elem: "elem segment",
};

/** @param invalid makes the error */
export function createIndexCheck(module: Module, invalid: (what: string) => SkerryError): IndexCheck {
	const imported = countImports(module);
	const counts: Record<IndexSpace, number> = {
		func: imported.func + module.functions.length,
		type: module.types.reduce((sum, group) => sum + group.length, 0),
		table: imported.table + module.tables.length,
		memory: imported.memory + module.memories.length,
		global: imported.global + module.globals.length,
		tag: imported.tag + module.tags.length,
		data: module.data.length,
		elem: module.elements.length,
	};
	const index = (space: IndexSpace, value: number): void => {
		if (value >= counts[space]) throw invalid(`unknown ${SPACE_NAMES[space]} ${value}`);
	};
	const valueType = (type: ValueTypeSyntax): void => {
		if (type.kind === "ref" && typeof type.heap === "number") index("type", type.heap);
	};
	const immediate = (atom: string, value: ImmediateValue): void => {
		if (atom in counts) index(atom as IndexSpace, value as number);
		else if (atom === "heap" && typeof value === "number") index("type", value);
		else if (atom === "types") (value as readonly ValueTypeSyntax[]).forEach(valueType);
		else if (atom === "block" && typeof value === "number") index("type", value);
		else if (atom === "block" && value !== null) valueType(value as ValueTypeSyntax);
		else if (atom === "catches")
			for (const { tag } of value as readonly CatchClause[]) if (tag !== null) index("tag", tag);
	};
	return {
		counts,
		index,
		valueType,
		types(reader) {
			const atoms = operatorOf(reader.op)?.atoms ?? [];
			reader.immediates().forEach((value, i) => immediate(atoms[i] ?? "", value));
		},
		expression(expression) {
			for (const { op, immediates } of expression) {
				const atoms = operatorOf(op)?.atoms ?? [];
				immediates.forEach((value, i) => immediate(atoms[i] ?? "", value));
			}
		},
	};
}

/**
 * Checks the indices outside of code.
 * @param offset where the module starts in the outermost binary
 * @throws SkerryError `core/invalid`
 */
export function checkIndices(module: Module, offset: number): void {
	const invalid = (what: string): SkerryError =>
		new SkerryError("core/invalid", `Cannot compile a core module: ${what}`, { place: { offset } });
	const check = createIndexCheck(module, invalid);
	for (const { supertypes, composite } of module.types.flat()) {
		for (const type of supertypes) check.index("type", type);
		if (composite.kind === "func") [...composite.params, ...composite.results].forEach(check.valueType);
		else if (composite.kind === "array") check.valueType(composite.element.storage);
		else for (const { storage } of composite.fields) check.valueType(storage);
	}
	for (const { type } of module.imports) {
		if (type.kind === "func" || type.kind === "tag") check.index("type", type.type);
		else if (type.kind === "table") check.valueType(type.element);
		else if (type.kind === "global") check.valueType(type.type);
	}
	for (const type of module.functions) check.index("type", type);
	for (const { type } of module.tags) check.index("type", type);
	for (const { type, init } of module.tables) {
		check.valueType(type.element);
		if (init !== null) check.expression(init);
	}
	for (const { type, init } of module.globals) {
		check.valueType(type.type);
		check.expression(init);
	}
	for (const { kind, index } of module.exports) check.index(kind, index);
	if (module.start !== null) check.index("func", module.start);
	for (const { mode, items } of module.elements) {
		if (mode.kind === "active") {
			check.index("table", mode.table);
			check.expression(mode.offset);
		}
		if (items.kind === "functions") for (const index of items.indices) check.index("func", index);
		else {
			check.valueType(items.type);
			items.expressions.forEach(check.expression);
		}
	}
	for (const { target } of module.data) {
		if (target === null) continue;
		check.index("memory", target.memory);
		check.expression(target.offset);
	}
}
