import {
	type BranchHint,
	type BranchHints,
	BRANCH_HINTS,
	decodeBranchHints,
	encodeBranchHints,
} from "./branch-hints.ts";
import { CodeReader, type LocalRun } from "./code-reader.ts";
import { CodeWriter } from "./code-writer.ts";
import type { ConstExpr } from "./const-expr.ts";
import { type CatchClause, encodeImmediate, type ImmediateValue, type MemArg } from "./immediates.ts";
import type { Instruction } from "./instruction.ts";
import { countImports, type Module, type ModuleCustom } from "./module.ts";
import { decodeNameSection, encodeNameSection, type IndirectNameMap, type NameSection, type NameMap } from "./names.ts";
import type { Atom, IndexSpace } from "./opcode-row.ts";
import { operatorOf, SPACE_BIT, spaceOf, SPACES } from "./operators.ts";
import type { Code } from "./section/code.ts";
import type { ElementItems, ElementMode } from "./section/segments.ts";
import type { CompositeTypeSyntax, ExternTypeSyntax, FieldSyntax, SubTypeSyntax, ValueTypeSyntax } from "./syntax.ts";

/** The new index of every index of a space; spaces that are left out stay as they are. */
export type IndexMaps = { readonly [S in IndexSpace]?: (index: number) => number };

const SPACE_NAMES = Object.keys(SPACE_BIT) as IndexSpace[];

/**
 * The same module with other indices: in types, imports, exports, segments, constant expressions, code, names and branch
 * hints. Items are not moved: who maps an index moves, adds or removes the item.
 */
export function remapModule(module: Module, maps: IndexMaps): Module {
	const remap = new Remap(maps);
	const changes = (...spaces: readonly IndexSpace[]): boolean => spaces.some((space) => maps[space] !== undefined);
	const importedFunctions = countImports(module).func;
	const hints = hintsOf(module);
	const code = remap.code(module.code, hints, importedFunctions);
	const constant = changes("type", "func", "global");
	return {
		...module,
		types: changes("type") ? module.types.map((group) => group.map((type) => remap.subType(type))) : module.types,
		imports: changes("type")
			? module.imports.map((item) => ({ ...item, type: remap.externType(item.type) }))
			: module.imports,
		functions: changes("type") ? module.functions.map((type) => remap.index("type", type)) : module.functions,
		tables: constant
			? module.tables.map(({ type, init }) => ({
					type: { ...type, element: remap.valueType(type.element) },
					init: init === null ? null : remap.expression(init),
				}))
			: module.tables,
		tags: changes("type") ? module.tags.map((tag) => ({ ...tag, type: remap.index("type", tag.type) })) : module.tags,
		globals: constant
			? module.globals.map(({ type, init }) => ({
					type: { ...type, type: remap.valueType(type.type) },
					init: remap.expression(init),
				}))
			: module.globals,
		exports: changes("func", "table", "memory", "global", "tag")
			? module.exports.map((item) => ({ ...item, index: remap.index(item.kind, item.index) }))
			: module.exports,
		start: module.start === null ? null : remap.index("func", module.start),
		elements:
			constant || changes("table")
				? module.elements.map(({ mode, items }) => ({
						mode: remap.elementMode(mode),
						items: remap.elementItems(items),
					}))
				: module.elements,
		code: code.code,
		data:
			constant || changes("memory")
				? module.data.map(({ target, bytes }) => ({
						target:
							target === null
								? null
								: { memory: remap.index("memory", target.memory), offset: remap.expression(target.offset) },
						bytes,
					}))
				: module.data,
		customs: module.customs.map((custom) => remap.custom(custom, code.hints)),
	};
}

function hintsOf(module: Module): BranchHints | null {
	const section = module.customs.find(({ name }) => name === BRANCH_HINTS);
	return section === undefined ? null : decodeBranchHints(section.bytes);
}

class Remap {
	readonly #maps: IndexMaps;
	/** The bits of the spaces that are mapped. */
	readonly #bits: number;

	constructor(maps: IndexMaps) {
		this.#maps = maps;
		this.#bits = SPACE_NAMES.reduce((bits, space) => (maps[space] === undefined ? bits : bits | SPACE_BIT[space]), 0);
	}

	index(space: IndexSpace, index: number): number {
		return this.#maps[space]?.(index) ?? index;
	}

	valueType(type: ValueTypeSyntax): ValueTypeSyntax {
		if (type.kind === "number" || typeof type.heap === "string") return type;
		return { ...type, heap: this.index("type", type.heap) };
	}

	#field({ storage, mutable }: FieldSyntax): FieldSyntax {
		return { storage: this.valueType(storage), mutable };
	}

	#composite(type: CompositeTypeSyntax): CompositeTypeSyntax {
		switch (type.kind) {
			case "func":
				return {
					kind: "func",
					params: type.params.map((param) => this.valueType(param)),
					results: type.results.map((result) => this.valueType(result)),
				};
			case "struct":
				return { kind: "struct", fields: type.fields.map((field) => this.#field(field)) };
			case "array":
				return { kind: "array", element: this.#field(type.element) };
		}
	}

	subType({ final, supertypes, composite }: SubTypeSyntax): SubTypeSyntax {
		return {
			final,
			supertypes: supertypes.map((type) => this.index("type", type)),
			composite: this.#composite(composite),
		};
	}

	externType(type: ExternTypeSyntax): ExternTypeSyntax {
		switch (type.kind) {
			case "func":
			case "tag":
				return { ...type, type: this.index("type", type.type) };
			case "table":
				return { ...type, element: this.valueType(type.element) };
			case "global":
				return { ...type, type: this.valueType(type.type) };
			case "memory":
				return type;
		}
	}

	elementMode(mode: ElementMode): ElementMode {
		if (mode.kind !== "active") return mode;
		return { ...mode, table: this.index("table", mode.table), offset: this.expression(mode.offset) };
	}

	elementItems(items: ElementItems): ElementItems {
		if (items.kind === "functions") {
			return { ...items, indices: items.indices.map((index) => this.index("func", index)) };
		}
		return {
			...items,
			type: this.valueType(items.type),
			expressions: items.expressions.map((expression) => this.expression(expression)),
		};
	}

	expression(expression: ConstExpr): ConstExpr {
		return expression.map((instruction) => this.#instruction(instruction));
	}

	#instruction({ op, immediates }: Instruction): Instruction {
		const atoms = operatorOf(op)?.atoms ?? [];
		return { op, immediates: immediates.map((value, i) => this.#immediate(atoms[i] ?? "zero", value)) };
	}

	#immediate(atom: Atom, value: ImmediateValue): ImmediateValue {
		const space = spaceOf(atom);
		if (space === null) return value;
		switch (atom) {
			case "block":
				if (value === null) return null;
				return typeof value === "number" ? this.index("type", value) : this.valueType(value as ValueTypeSyntax);
			case "heap":
				return typeof value === "number" ? this.index("type", value) : value;
			case "types":
				return (value as readonly ValueTypeSyntax[]).map((type) => this.valueType(type));
			case "memarg": {
				const memarg = value as MemArg;
				return { ...memarg, memory: this.index("memory", memarg.memory) };
			}
			case "catches":
				return (value as readonly CatchClause[]).map(({ kind, tag, label }) => {
					return { kind, tag: tag === null ? null : this.index("tag", tag), label };
				});
			default:
				return this.index(space, value as number);
		}
	}

	/** Bodies with other indices, and the hints where their instructions have moved to, by the old function index. */
	code(code: Code, hints: BranchHints | null, firstFunction: number): { code: Code; hints: BranchHints | null } {
		if (this.#bits === 0) return { code, hints };
		const reader = new CodeReader(code);
		const writer = new CodeWriter(code);
		const moved = new Map<number, readonly BranchHint[]>(hints ?? []);
		for (let body = 0; body < code.starts.length; body++) {
			reader.enter(body);
			writer.begin(reader.bodyStart);
			if ((this.#bits & SPACE_BIT.type) !== 0) this.#locals(reader, writer);
			const old = hints?.get(firstFunction + body);
			if (old === undefined) this.#body(reader, writer);
			else moved.set(firstFunction + body, this.#hintedBody(reader, writer, old));
			writer.finishBody(reader.end);
		}
		return { code: writer.finish(), hints: hints === null ? null : moved };
	}

	#locals(reader: CodeReader, writer: CodeWriter): void {
		const runs = reader.locals();
		if (!runs.some(({ type }) => type.kind === "ref" && typeof type.heap === "number")) return;
		const mapped = runs.map(({ count, type }): LocalRun => ({ count, type: this.valueType(type) }));
		writer.replace(reader.bodyStart, reader.codeStart).locals(mapped);
	}

	#body(reader: CodeReader, writer: CodeWriter): void {
		const bits = this.#bits;
		while (reader.next()) {
			if (((SPACES[reader.op] ?? 0) & bits) !== 0) this.#rewrite(reader, writer);
		}
	}

	#hintedBody(reader: CodeReader, writer: CodeWriter, hints: readonly BranchHint[]): readonly BranchHint[] {
		const moved: BranchHint[] = [];
		const likely = new Map(hints.map((hint) => [hint.offset, hint.likely]));
		while (reader.next()) {
			const hint = likely.get(reader.start - reader.bodyStart);
			if (hint !== undefined) moved.push({ offset: writer.offsetOf(reader.start), likely: hint });
			if (((SPACES[reader.op] ?? 0) & this.#bits) !== 0) this.#rewrite(reader, writer);
		}
		return moved;
	}

	#rewrite(reader: CodeReader, writer: CodeWriter): void {
		const atoms = operatorOf(reader.op)?.atoms ?? [];
		const [atom] = atoms;
		// Most of what is rewritten: one index, such as that of a call
		if (atoms.length === 1 && atom !== undefined && Object.hasOwn(SPACE_BIT, atom)) {
			const index = this.index(atom as IndexSpace, reader.first);
			if (index === reader.first) return;
			writer.replace(reader.start, reader.end).op(reader.op).out.u32(index);
			return;
		}
		// Nothing to map in the memory of nearly all accesses and in the type of nearly all blocks
		if (atom === "memarg" && this.index("memory", reader.first) === reader.first) return;
		if (atom === "block" && atoms.length === 1 && reader.first < 0 && reader.end - reader.start === 2) return;
		const immediates = reader.immediates();
		writer.replace(reader.start, reader.end).op(reader.op);
		atoms.forEach((atom, i) => encodeImmediate(writer.out, atom, this.#immediate(atom, immediates[i] ?? null)));
	}

	custom(custom: ModuleCustom, hints: BranchHints | null): ModuleCustom {
		if (this.#bits === 0) return custom;
		if (custom.name === BRANCH_HINTS && hints !== null) {
			return { ...custom, bytes: encodeBranchHints(this.#names("func", hints)) };
		}
		return custom.name === "name"
			? { ...custom, bytes: encodeNameSection(this.#allNames(decodeNameSection(custom.bytes))) }
			: custom;
	}

	#names<T>(space: IndexSpace, map: ReadonlyMap<number, T>): ReadonlyMap<number, T> {
		return this.#maps[space] === undefined
			? map
			: new Map([...map].map(([index, value]) => [this.index(space, index), value]));
	}

	#allNames(names: NameSection): NameSection {
		const direct = (space: IndexSpace, map: NameMap): NameMap => this.#names(space, map);
		const indirect = (space: IndexSpace, map: IndirectNameMap): IndirectNameMap => this.#names(space, map);
		return {
			...names,
			functions: direct("func", names.functions),
			locals: indirect("func", names.locals),
			labels: indirect("func", names.labels),
			types: direct("type", names.types),
			tables: direct("table", names.tables),
			memories: direct("memory", names.memories),
			globals: direct("global", names.globals),
			elements: direct("elem", names.elements),
			data: direct("data", names.data),
			fields: indirect("type", names.fields),
			tags: direct("tag", names.tags),
		};
	}
}
