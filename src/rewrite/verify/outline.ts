import { Cursor, refuse } from "./cursor.ts";
import { END, FUNCTION_REFERENCE, Instructions } from "./instructions.ts";

export interface SectionRange {
	readonly id: number;
	/** Of a custom section. */
	readonly name: string | undefined;
	/** Its content, behind the name. */
	readonly content: () => Cursor;
}

export function sectionsOf(bytes: Uint8Array): readonly SectionRange[] {
	const cursor = new Cursor(bytes, 8);
	const sections: SectionRange[] = [];
	while (!cursor.done) {
		const id = cursor.byte();
		const content = cursor.take(cursor.number());
		const name = id === 0 ? content.name() : undefined;
		const { at, end } = content;
		sections.push({ id, name, content: () => new Cursor(bytes, at, end) });
	}
	return sections;
}

/** The content of the section of this id; an empty vector where there is none. */
export function sectionOf(sections: readonly SectionRange[], id: number): Cursor {
	return sections.find((section) => section.id === id)?.content() ?? new Cursor(EMPTY_VECTOR);
}

const EMPTY_VECTOR = Uint8Array.of(0);

export const IMPORT = 2;
export const TYPE = 1;
export const FUNCTION = 3;
export const TABLE = 4;
export const MEMORY = 5;
export const EXPORT = 7;
export const CODE = 10;
const GLOBAL = 6;
const ELEMENT = 9;
const START = 8;
const TAG = 13;
const DATA = 11;

/** Kinds of imports and exports. */
export const KIND_FUNCTION = 0;
export const KIND_TABLE = 1;
export const KIND_MEMORY = 2;
export const KIND_GLOBAL = 3;
const KIND_TAG = 4;

export interface ImportItem {
	readonly module: string;
	readonly name: string;
	readonly kind: number;
	/** Limits of a memory or table, as text. */
	readonly limits: string;
	/** Type of a function or tag. */
	readonly type: number;
	/** Type of a global or of the elements of a table, as text. */
	readonly valueType: string;
	readonly isReference: boolean;
}

export function readImport(cursor: Cursor): ImportItem {
	const module = cursor.name();
	const name = cursor.name();
	const kind = cursor.byte();
	let limits = "";
	let type = 0;
	let isReference = false;
	const start = cursor.at;
	if (kind === KIND_FUNCTION) type = cursor.number();
	else if (kind === KIND_TABLE) {
		cursor.skipType();
		limits = cursor.limits();
	} else if (kind === KIND_MEMORY) limits = cursor.limits();
	else if (kind === KIND_GLOBAL) {
		isReference = (cursor.bytes[cursor.at] ?? 0) < 0x7b;
		cursor.skipType();
		cursor.byte();
	} else if (kind === KIND_TAG) {
		cursor.byte();
		type = cursor.number();
	} else throw refuse(`an import of kind ${kind}`);
	// Of tables the type of elements as its bytes: their limits may be encoded otherwise
	const size = kind === KIND_GLOBAL ? cursor.at - start : kind === KIND_TABLE ? typeSize(cursor, start) : 0;
	const valueType = new Cursor(cursor.bytes, start, start + size).text;
	return { module, name, kind, limits, type, valueType, isReference };
}

function typeSize({ bytes, end }: Cursor, start: number): number {
	const cursor = new Cursor(bytes, start, end);
	cursor.skipType();
	return cursor.at - start;
}

export interface ExportItem {
	readonly name: string;
	readonly kind: number;
	readonly index: number;
}

export function readExport(cursor: Cursor): ExportItem {
	return { name: cursor.name(), kind: cursor.byte(), index: cursor.number() };
}

export function readVector<T>(cursor: Cursor, read: (cursor: Cursor) => T): T[] {
	const items: T[] = [];
	for (let n = cursor.number(); n > 0; n--) items.push(read(cursor));
	return items;
}

/** What the verifier needs to know of the guest's own module. */
export class Outline {
	readonly imports: readonly ImportItem[];
	readonly exports: readonly ExportItem[];
	/** Limits of each memory that it defines. */
	readonly memories: readonly string[];
	/** Type of each function, imports first. */
	readonly functions: readonly number[];
	/** Functions whose address is taken outside of code. */
	readonly taken: Set<number> = new Set();
	/** How many tables there are, imports first. */
	readonly tables: number;
	/** Type of each tag, imports first. */
	readonly tags: readonly number[];
	/** The start function; -1 for none. */
	readonly start: number;
	readonly #keys: readonly string[] | undefined;
	/** Tables that are imported or exported. */
	readonly #sharedTables: ReadonlySet<number>;
	readonly #hasReferences: boolean;

	constructor(sections: readonly SectionRange[]) {
		this.imports = readVector(sectionOf(sections, IMPORT), readImport);
		this.exports = readVector(sectionOf(sections, EXPORT), readExport);
		this.memories = readVector(sectionOf(sections, MEMORY), (cursor) => cursor.limits());
		const own = readVector(sectionOf(sections, FUNCTION), (cursor) => cursor.number());
		const imported = (wanted: number): readonly number[] =>
			this.imports.flatMap(({ kind, type }) => (kind === wanted ? [type] : []));
		this.functions = [...imported(KIND_FUNCTION), ...own];
		this.tables = this.count(KIND_TABLE) + sectionOf(sections, TABLE).number();
		const tags = readVector(sectionOf(sections, TAG), (cursor) => (cursor.skip(1), cursor.number()));
		this.tags = [...imported(KIND_TAG), ...tags];
		this.#keys = readTypes(sectionOf(sections, TYPE));
		const exported = this.exports.flatMap(({ kind, index }) => (kind === KIND_TABLE ? [index] : []));
		this.#sharedTables = new Set([...Array(this.count(KIND_TABLE)).keys(), ...exported]);
		this.#hasReferences = this.imports.some(({ isReference }) => isReference);
		this.#findTaken(sections);
		this.#checkData(sectionOf(sections, DATA));
		this.start = sections.some(({ id }) => id === START) ? sectionOf(sections, START).number() : -1;
		this.#checkIndices();
	}

	/** What the guest's module names outside of its code is its own. */
	#checkIndices(): void {
		const named = this.exports.flatMap(({ kind, index }) => (kind === KIND_FUNCTION ? [index] : []));
		const foreign = [...named, ...this.taken, this.start].find((index) => index >= this.functions.length);
		if (foreign !== undefined) throw refuse(`function ${foreign} is named, which the guest does not have`);
		const table = this.exports.find(({ kind, index }) => kind === KIND_TABLE && index >= this.tables);
		if (table !== undefined) throw refuse(`table ${table.index} is exported, which the guest does not have`);
	}

	/** Whether it may throw. */
	get hasTags(): boolean {
		return this.tags.length > 0;
	}

	count(kind: number): number {
		return this.imports.filter((item) => item.kind === kind).length;
	}

	/** Types that can be called through each other have the same class. */
	classOf(type: number): string {
		return this.#keys === undefined ? "" : (this.#keys[type] ?? "");
	}

	/** Whether a table may hold functions of others. Tables that code changes are not asked for. */
	isOpen(table: number): boolean {
		return this.#hasReferences || this.#sharedTables.has(table);
	}

	#findTaken(sections: readonly SectionRange[]): void {
		readVector(sectionOf(sections, GLOBAL), (cursor) => {
			cursor.skipType();
			cursor.byte();
			this.#expression(cursor);
		});
		readVector(sectionOf(sections, TABLE), (cursor) => {
			const initial = cursor.bytes[cursor.at] === 0x40;
			if (initial) cursor.skip(2);
			cursor.skipType();
			cursor.limits();
			if (initial) this.#expression(cursor);
		});
		readVector(sectionOf(sections, ELEMENT), (cursor) => {
			const flags = cursor.number();
			const active = (flags & 1) === 0;
			const table = active && (flags & 2) !== 0 ? cursor.number() : 0;
			if (active && table >= this.tables)
				throw refuse(`an element segment for table ${table}, which the guest does not have`);
			if (active) this.#expression(cursor);
			const typed = (flags & 3) !== 0;
			if ((flags & 4) === 0) {
				if (typed) cursor.byte();
				for (const index of readVector(cursor, (c) => c.number())) this.taken.add(index);
			} else {
				if (typed) cursor.skipType();
				readVector(cursor, (c) => this.#expression(c));
			}
		});
	}

	#expression(cursor: Cursor): void {
		const instructions = new Instructions(cursor);
		for (let kind = instructions.next(); kind !== END; kind = instructions.next()) {
			if (kind === FUNCTION_REFERENCE) this.taken.add(instructions.first);
		}
	}

	#checkData(cursor: Cursor): void {
		const memories = this.count(KIND_MEMORY) + this.memories.length;
		readVector(cursor, (item) => {
			const flags = item.number();
			const memory = flags === 2 ? item.number() : 0;
			if (flags !== 1) {
				if (memory >= memories) throw refuse(`a data segment for memory ${memory}, which the guest does not have`);
				this.#expression(item);
			}
			item.skip(item.number());
		});
	}
}

/** Each type's bytes; `undefined` where types refer to each other or have subtypes, so that bytes do not tell. */
function readTypes(cursor: Cursor): string[] | undefined {
	const keys: string[] = [];
	let refers = false;
	for (let n = cursor.number(); n > 0; n--) {
		if (cursor.byte() !== 0x60) return undefined;
		const { at } = cursor;
		for (let side = 0; side < 2; side++) readVector(cursor, (c) => (refers = c.skipType() || refers));
		keys.push(new Cursor(cursor.bytes, at, cursor.at).text);
	}
	return refers ? undefined : keys;
}
