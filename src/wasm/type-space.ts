import { SkerryError } from "../fault/mod.ts";
import { MAX_MEMORY32_PAGES, MAX_MEMORY64_PAGES, MAX_TYPE_TEXT, MAX_TYPE_TEXT_DEPTH, MAX_TYPES } from "./limits.ts";
import type {
	ExternTypeSyntax,
	FieldSyntax,
	LimitsSyntax,
	RecTypeSyntax,
	SubTypeSyntax,
	ValueTypeSyntax,
} from "./syntax.ts";
import type { CoreExternType, CoreFunctionType } from "./types.ts";

/** The abbreviations of the text format for nullable abstract references that are not the heap type and `ref`. */
const ABBREVIATIONS = new Map<string, string>([
	["none", "nullref"],
	["nofunc", "nullfuncref"],
	["noextern", "nullexternref"],
	["noexn", "nullexnref"],
	["nocont", "nullcontref"],
]);

/** Where a recursion group lies in the space, and the space that its references mean (an alias brings a foreign one). */
interface Group {
	readonly types: RecTypeSyntax;
	readonly start: number;
	readonly space: CoreTypeSpace;
	text?: string;
}

interface Entry {
	readonly group: Group;
	readonly position: number;
}

/** The state of printing one group: its own types print as `rec.N`. */
interface Printing {
	readonly group: Group;
	readonly depth: number;
}

function invalid(message: string, offset: number): SkerryError {
	return new SkerryError("core/invalid", message, { place: { offset } });
}

/**
 * A core type index space. Types are compared by canonical text, in which a reference to a type of the same group is `rec.N`
 * and one to an earlier group is that group's text: equal text is equality of iso-recursive types.
 */
export class CoreTypeSpace {
	readonly #entries: (Entry | null)[] = [];
	#printed = 0;

	get size(): number {
		return this.#entries.length;
	}

	/** Adds the types of a group. `offset` is for errors. */
	define(types: RecTypeSyntax, offset: number): void {
		if (this.#entries.length + types.length > MAX_TYPES) {
			throw new SkerryError("binary/limit", `more than ${MAX_TYPES} types`, { place: { offset } });
		}
		const group: Group = { types, start: this.#entries.length, space: this };
		for (let position = 0; position < types.length; position++) this.#entries.push({ group, position });
		for (const type of types) this.#checkIndices(type, offset);
	}

	/** Adds the type that `index` denotes in `other`. */
	alias(other: CoreTypeSpace, index: number, offset: number): void {
		this.#entries.push(other.#entry(index, offset));
	}

	/** Takes an index for something that is not a core type: module types share a component's index space. */
	skip(): void {
		this.#entries.push(null);
	}

	functionType(index: number, offset: number): CoreFunctionType {
		const { group, position } = this.#entry(index, offset);
		const composite = group.types[position]?.composite;
		if (composite?.kind !== "func") throw invalid(`type index ${index} is not a function type`, offset);
		const text = (type: ValueTypeSyntax): string => group.space.#valueText(type, null, offset);
		return { params: composite.params.map(text), results: composite.results.map(text) };
	}

	externType(syntax: ExternTypeSyntax, offset: number): CoreExternType {
		switch (syntax.kind) {
			case "func":
				return { kind: "func", type: this.functionType(syntax.type, offset) };
			case "tag": {
				const type = this.functionType(syntax.type, offset);
				if (type.results.length > 0) throw invalid("invalid exception type: non-empty tag result type", offset);
				return { kind: "tag", type };
			}
			case "global":
				return { kind: "global", type: this.#valueText(syntax.type, null, offset), mutable: syntax.mutable };
			case "table": {
				const { minimum, maximum, index } = syntax.limits;
				checkBounds(syntax.limits, index === "i64" ? 2n ** 64n - 1n : 2n ** 32n - 1n, "table size", offset);
				const element = this.#valueText(syntax.element, null, offset);
				return { kind: "table", element, minimum, ...(maximum === undefined ? {} : { maximum }), index };
			}
			case "memory": {
				checkMemory(syntax.limits, offset);
				return { kind: "memory", ...syntax.limits };
			}
		}
	}

	#entry(index: number, offset: number): Entry {
		const entry = this.#entries[index];
		if (entry === undefined) throw invalid(`unknown type ${index}: type index out of bounds`, offset);
		if (entry === null) throw invalid(`core type index ${index} is a module type`, offset);
		return entry;
	}

	#checkIndices(type: SubTypeSyntax, offset: number): void {
		const check = (value: ValueTypeSyntax): void => {
			if (value.kind === "ref" && typeof value.heap === "number") this.#entry(value.heap, offset);
		};
		for (const index of type.supertypes) this.#entry(index, offset);
		const { composite } = type;
		if (composite.kind === "func") {
			composite.params.forEach(check);
			composite.results.forEach(check);
		} else if (composite.kind === "struct") {
			for (const field of composite.fields) check(field.storage);
		} else {
			check(composite.element.storage);
		}
	}

	#valueText(type: ValueTypeSyntax, printing: Printing | null, offset: number): string {
		if (type.kind === "number") return type.name;
		if (typeof type.heap === "string") {
			if (!type.nullable) return `(ref ${type.heap})`;
			return ABBREVIATIONS.get(type.heap) ?? `${type.heap}ref`;
		}
		return `(ref ${type.nullable ? "null " : ""}${this.#indexText(type.heap, printing, offset)})`;
	}

	#indexText(index: number, printing: Printing | null, offset: number): string {
		const { group, position } = this.#entry(index, offset);
		if (printing?.group === group) return `rec.${position}`;
		const text = group.space.#groupText(group, printing === null ? 1 : printing.depth + 1, offset);
		return group.types.length === 1 ? text : `${text}.${position}`;
	}

	#groupText(group: Group, depth: number, offset: number): string {
		if (group.text !== undefined) return group.text;
		if (depth > MAX_TYPE_TEXT_DEPTH) {
			throw new SkerryError("binary/limit", `types refer to one another more than ${MAX_TYPE_TEXT_DEPTH} deep`, {
				place: { offset },
			});
		}
		const printing: Printing = { group, depth };
		const texts: string[] = [];
		for (const type of group.types) {
			const text = this.#subTypeText(type, printing, offset);
			this.#printed += text.length;
			if (this.#printed > MAX_TYPE_TEXT) {
				throw new SkerryError("binary/limit", `type definitions print to more than ${MAX_TYPE_TEXT} characters`, {
					place: { offset },
				});
			}
			texts.push(text);
		}
		group.text = texts.length === 1 ? (texts[0] ?? "") : `(rec ${texts.join(" ")})`;
		return group.text;
	}

	#subTypeText(type: SubTypeSyntax, printing: Printing, offset: number): string {
		const composite = this.#compositeText(type, printing, offset);
		if (type.final && type.supertypes.length === 0) return composite;
		const supertypes = type.supertypes.map((index) => `${this.#indexText(index, printing, offset)} `).join("");
		return `(sub ${type.final ? "final " : ""}${supertypes}${composite})`;
	}

	#compositeText({ composite }: SubTypeSyntax, printing: Printing, offset: number): string {
		const value = (type: ValueTypeSyntax): string => this.#valueText(type, printing, offset);
		const field = ({ storage, mutable }: FieldSyntax): string => (mutable ? `(mut ${value(storage)})` : value(storage));
		switch (composite.kind) {
			case "func": {
				const params = composite.params.length === 0 ? "" : ` (param ${composite.params.map(value).join(" ")})`;
				const results = composite.results.length === 0 ? "" : ` (result ${composite.results.map(value).join(" ")})`;
				return `(func${params}${results})`;
			}
			case "struct":
				return `(struct${composite.fields.map((f) => ` (field ${field(f)})`).join("")})`;
			case "array":
				return `(array ${field(composite.element)})`;
		}
	}
}

function checkBounds(limits: LimitsSyntax, most: bigint, what: string, offset: number): void {
	if (limits.minimum > most || (limits.maximum ?? 0n) > most) {
		throw invalid(`${what} must be at most ${most}`, offset);
	}
	if (limits.maximum !== undefined && limits.minimum > limits.maximum) {
		throw invalid("size minimum must not be greater than maximum", offset);
	}
}

function checkMemory(limits: LimitsSyntax, offset: number): void {
	const pageSizeLog2 = limits.pageSizeLog2 ?? 16;
	if (pageSizeLog2 !== 16 && pageSizeLog2 !== 0) throw invalid("invalid custom page size", offset);
	const scale = 2n ** BigInt(16 - pageSizeLog2);
	const most = (limits.index === "i64" ? MAX_MEMORY64_PAGES : MAX_MEMORY32_PAGES) * scale;
	checkBounds(limits, pageSizeLog2 === 0 ? most - 1n : most, "memory size", offset);
	if (limits.shared && limits.maximum === undefined) throw invalid("shared memory must have maximum size", offset);
}
