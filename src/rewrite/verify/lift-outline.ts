import { Cursor, refuse } from "./cursor.ts";
import { arrayBytes, isArray, isStruct, structureBytes } from "./lift-heap.ts";
import { readImport, readVector, type SectionRange, sectionOf } from "./outline.ts";

const TYPE = 1;
const IMPORT = 2;
const FUNCTION = 3;
const TABLE = 4;
const MEMORY = 5;
const GLOBAL = 6;
const ELEMENT = 9;
const DATA_COUNT = 12;
const DATA = 11;
const TAG = 13;

export interface GlobalItem {
	/** Its type and whether it is mutable, as bytes. */
	readonly type: Cursor;
	/** Its initial value, with the `end`. */
	readonly init: Cursor;
	/** The code of its type. */
	readonly code: number;
	readonly mutable: boolean;
}

export interface DataItem {
	/** All of it. */
	readonly raw: Cursor;
	/** `undefined` for a passive one. */
	readonly memory: number | undefined;
	readonly offset: Cursor;
	readonly content: Cursor;
}

export interface TableItem {
	/** The type of its elements. */
	readonly element: Cursor;
	readonly wide: boolean;
	/** Elements at the least. */
	readonly minimum: number;
}

/** What the verifier of the lift knows of a module: of the original as of the lifted. */
export class LiftOutline {
	readonly types: readonly Cursor[];
	readonly importedFunctions: number;
	/** Types of all functions. */
	readonly functions: readonly number[];
	readonly tables: readonly TableItem[];
	readonly importedTables: number;
	/** Limits of all memories, as text: the flags first. */
	readonly memories: readonly string[];
	readonly importedMemories: number;
	readonly importedGlobals: number;
	readonly globals: readonly GlobalItem[];
	/** Of each element segment how many elements it has. */
	readonly elements: readonly number[];
	/** The same; `undefined` where it is not passive. */
	readonly passiveElements: readonly (number | undefined)[];
	/** The highest table that an element segment goes to; -1 for none. */
	readonly highestElementTable: number;
	readonly data: readonly DataItem[];
	readonly dataCount: number | undefined;
	/** Bytes of the structures and arrays that its constants make; `undefined` where they make none, NaN where V8 refuses them. */
	readonly constantBytes: number | undefined;
	/** Types of all tags. */
	readonly tags: readonly number[];

	constructor(sections: readonly SectionRange[]) {
		this.types = readTypes(sectionOf(sections, TYPE));
		const functions: number[] = [];
		const tags: number[] = [];
		const tables: TableItem[] = [];
		const memories: string[] = [];
		let globals = 0;
		const constants = new Constants(this.types);
		readVector(sectionOf(sections, IMPORT), (cursor) => {
			const { at } = cursor;
			const item = readImport(cursor);
			if (item.kind === 0) functions.push(item.type);
			else if (item.kind === 1) tables.push(importedTable(new Cursor(cursor.bytes, at, cursor.at)));
			else if (item.kind === 2) memories.push(item.limits);
			else if (item.kind === 3) globals++;
			else if (item.kind === 4) tags.push(item.type);
		});
		this.importedFunctions = functions.length;
		this.importedTables = tables.length;
		this.importedMemories = memories.length;
		this.importedGlobals = globals;
		this.functions = [...functions, ...readVector(sectionOf(sections, FUNCTION), (cursor) => cursor.number())];
		this.tables = [...tables, ...readVector(sectionOf(sections, TABLE), (cursor) => readTable(cursor, constants))];
		this.memories = [...memories, ...readVector(sectionOf(sections, MEMORY), (cursor) => cursor.limits())];
		this.globals = readVector(sectionOf(sections, GLOBAL), (cursor) => readGlobal(cursor, constants));
		let highest = -1;
		const elements = readVector(sectionOf(sections, ELEMENT), (cursor) => readElement(cursor, constants));
		for (const { table } of elements) highest = Math.max(highest, table);
		this.elements = elements.map(({ length }) => length);
		this.passiveElements = elements.map(({ passive, length }) => (passive ? length : undefined));
		this.highestElementTable = highest;
		this.data = readVector(sectionOf(sections, DATA), (cursor) => readData(cursor, constants));
		this.constantBytes = constants.bytes;
		this.tags = [...tags, ...readVector(sectionOf(sections, TAG), readTag)];
		const counted = sections.find(({ id }) => id === DATA_COUNT)?.content();
		this.dataCount = counted?.number();
	}

	wideMemory(memory: number): boolean {
		return (Number.parseInt(this.memories[memory] ?? "0", 10) & 4) !== 0;
	}

	isShared(memory: number): boolean {
		return (Number.parseInt(this.memories[memory] ?? "0", 10) & 2) !== 0;
	}

	/** Bytes of a memory at the least. */
	minimum(memory: number): number {
		return Number(this.memories[memory]?.split(" ")[1] ?? 0) * 65_536;
	}
}

/** What `read` passes. */
function slice(cursor: Cursor, read: () => void): Cursor {
	const { at } = cursor;
	read();
	return new Cursor(cursor.bytes, at, cursor.at);
}

/** All types, without regard to the groups that they stand in. */
function readTypes(cursor: Cursor): Cursor[] {
	const types: Cursor[] = [];
	const one = (): void => void types.push(slice(cursor, () => skipType(cursor)));
	for (let groups = cursor.number(); groups > 0; groups--) {
		if (cursor.bytes[cursor.at] !== 0x4e) {
			one();
			continue;
		}
		cursor.byte();
		for (let n = cursor.number(); n > 0; n--) one();
	}
	return types;
}

function skipType(cursor: Cursor): void {
	let form = cursor.byte();
	if (form === 0x50 || form === 0x4f) {
		for (let n = cursor.number(); n > 0; n--) cursor.skipNumber();
		form = cursor.byte();
	}
	const field = (): void => {
		cursor.skipType();
		cursor.byte();
	};
	if (form === 0x60) {
		for (let side = 0; side < 2; side++) for (let n = cursor.number(); n > 0; n--) cursor.skipType();
	} else if (form === 0x5f) {
		for (let n = cursor.number(); n > 0; n--) field();
	} else if (form === 0x5e) field();
	else throw refuse(`a type of form ${form}`);
}

/** Past an item of the import section to its table type. */
function importedTable(cursor: Cursor): TableItem {
	cursor.name();
	cursor.name();
	cursor.byte();
	return tableType(cursor);
}

function tableType(cursor: Cursor): TableItem {
	const element = slice(cursor, () => cursor.skipType());
	const [flags, minimum] = cursor.limits().split(" ").map(Number);
	return { element, wide: ((flags ?? 0) & 4) !== 0, minimum: minimum ?? 0 };
}

function readTable(cursor: Cursor, constants: Constants): TableItem {
	const initial = cursor.bytes[cursor.at] === 0x40;
	if (initial) cursor.skip(2);
	const type = tableType(cursor);
	if (initial) constants.skip(cursor);
	return type;
}

function readGlobal(cursor: Cursor, constants: Constants): GlobalItem {
	const code = cursor.bytes[cursor.at] ?? 0;
	let mutable = false;
	const type = slice(cursor, () => {
		cursor.skipType();
		mutable = cursor.byte() === 1;
	});
	return { type, code, mutable, init: slice(cursor, () => constants.skip(cursor)) };
}

interface ElementItem {
	readonly passive: boolean;
	readonly table: number;
	readonly length: number;
}

function readElement(cursor: Cursor, constants: Constants): ElementItem {
	const flags = cursor.number();
	const active = (flags & 1) === 0;
	let table = -1;
	if (active) {
		table = (flags & 2) === 0 ? 0 : cursor.number();
		constants.skip(cursor);
	}
	const typed = (flags & 3) !== 0;
	const expressions = (flags & 4) !== 0;
	if (typed && expressions) cursor.skipType();
	else if (typed) cursor.byte();
	const length = cursor.number();
	for (let n = length; n > 0; n--) {
		if (expressions) constants.skip(cursor);
		else cursor.skipNumber();
	}
	return { passive: (flags & 3) === 1, table, length };
}

function readTag(cursor: Cursor): number {
	cursor.skip(1);
	return cursor.number();
}

function readData(cursor: Cursor, constants: Constants): DataItem {
	let memory: number | undefined;
	let offset = cursor;
	let content = cursor;
	const raw = slice(cursor, () => {
		const flags = cursor.number();
		if (flags !== 1) {
			memory = flags === 2 ? cursor.number() : 0;
			offset = slice(cursor, () => constants.skip(cursor));
		}
		content = cursor.take(cursor.number());
	});
	return { raw, memory, offset, content };
}

/** Constant expressions, and what they make in V8's heap. */
class Constants {
	readonly #types: readonly Cursor[];
	/** `undefined` for nothing: a structure without fields has bytes, too. */
	bytes: number | undefined;

	constructor(types: readonly Cursor[]) {
		this.#types = types;
	}

	/** Past an expression and its `end`. */
	skip(cursor: Cursor): void {
		/** What the instruction before left, where that is a plain i32. */
		let operand: number | undefined;
		for (;;) {
			const op = cursor.byte();
			if (op === 0x0b) return;
			const length = operand;
			operand = undefined;
			if (op === 0x41) operand = cursor.signed() >>> 0;
			else if (op === 0x42 || op === 0x23 || op === 0xd2 || op === 0xd0) cursor.skipNumber();
			else if (op === 0x43) cursor.skip(4);
			else if (op === 0x44) cursor.skip(8);
			else if (op === 0xfd) {
				if (cursor.number() !== 12) throw refuse("a vector instruction in a constant expression");
				cursor.skip(16);
			} else if (op === 0xfb) this.#make(cursor, length);
			else if (!((op >= 0x6a && op <= 0x6c) || (op >= 0x7c && op <= 0x7e)))
				throw refuse(`instruction ${op} in a constant expression`);
		}
	}

	#make(cursor: Cursor, length: number | undefined): void {
		const code = cursor.number();
		// any.convert_extern, extern.convert_any, ref.i31
		if (code >= 0x1a && code <= 0x1c) return;
		const type = this.#types[cursor.number()];
		// struct.new and its kin, array.new and its kin, array.new_fixed
		const isOfStruct = code <= 0x01;
		if (!isOfStruct && (code < 0x06 || code > 0x08)) throw refuse(`instruction fb ${code} in a constant expression`);
		const count = code === 0x08 ? cursor.number() : (length ?? Infinity);
		if (type === undefined || !(isOfStruct ? isStruct(type) : isArray(type))) this.#add(NaN);
		else this.#add(isOfStruct ? structureBytes(type) : arrayBytes(type, count));
	}

	#add(bytes: number): void {
		this.bytes = (this.bytes ?? 0) + bytes;
	}
}
