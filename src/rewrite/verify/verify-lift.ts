import type { RewrittenModule } from "../rewritten.ts";
import { Cursor, refuse, sameBytes, sameContent } from "./cursor.ts";
import { readTable, readType, readTypeGroup } from "./items.ts";
import { isBytes } from "./lift-added.ts";
import { type CodeFindings, compareLiftedCode } from "./lift-code.ts";
import { compareData } from "./lift-data.ts";
import { LiftOutline } from "./lift-outline.ts";
import { isReversible } from "./lift-reversible.ts";
import { valueOf } from "./lift-values.ts";
import {
	type ExportItem,
	readExport,
	readImport,
	readVector,
	type SectionRange,
	sectionOf,
	sectionsOf,
} from "./outline.ts";
import { addedItems, compareOthers } from "./sections.ts";

const TYPE = 1;
const IMPORT = 2;
const FUNCTION = 3;
const TABLE = 4;
const MEMORY = 5;
const GLOBAL = 6;
const EXPORT = 7;
const START = 8;
const CODE = 10;
const DATA = 11;
const DATA_COUNT = 12;

/** Kinds of exports. */
const KINDS = { func: 0, table: 1, memory: 2, global: 3 } as const;
const I32 = 0x7f;
const I64 = 0x7e;

/** Sections that are compared item by item; all others are the same bytes. */
const BY_ITEM = new Set([TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT, START, CODE, DATA, DATA_COUNT]);

/** A table of five functions, as large as it may become. */
const HOST_TABLE = "112 1 5 5";
/** The types of the host's functions. */
const HOST_TYPES = [
	[0x60, 0, 1, I32],
	[0x60, 0, 1, I32],
	[0x60, 2, I32, I64, 1, I64],
	[0x60, 2, I32, I64, 1, I32],
	[0x60, 1, I64, 1, I64],
];

/** What the rewriter says of a lifted module: that is what the engine will go by. */
export type LiftClaims = Pick<RewrittenModule, "state" | "imports" | "exports" | "initial">;

/**
 * Proves that a lifted module is the original with what is the engine's taken out, and no more: that putting back what the claims name
 * gives the original; that the guest's code names nothing of what was added; that each added function does just what the instruction
 * does for which it stands, within the size that the engine gives; and that no state is left out.
 * @throws SkerryError `engine/verification`
 */
export function verifyLift(original: Uint8Array, lifted: Uint8Array, claims: LiftClaims): void {
	if (!sameBytes(original, 0, 8, lifted, 0)) throw refuse("it has another preamble");
	const from = sectionsOf(original);
	const to = sectionsOf(lifted);
	const proof = new LiftProof(from, to, claims);
	proof.compareItems();
	proof.compareCode();
	proof.compareState();
	compareOthers(from, to, BY_ITEM, proof.from.functions.length);
}

class LiftProof {
	readonly from: LiftOutline;
	readonly #to: LiftOutline;
	readonly #fromSections: readonly SectionRange[];
	readonly #toSections: readonly SectionRange[];
	readonly #claims: LiftClaims;
	/** Exports that were added, by name. */
	readonly #added: ReadonlyMap<string, ExportItem>;
	/** Of those, the ones that a claim explains. */
	readonly #explained = new Set<string>();
	/** By memory: the global with its size. */
	readonly #pages: ReadonlyMap<number, number>;

	constructor(from: readonly SectionRange[], to: readonly SectionRange[], claims: LiftClaims) {
		this.from = new LiftOutline(from);
		this.#to = new LiftOutline(to);
		this.#fromSections = from;
		this.#toSections = to;
		this.#claims = claims;
		this.#added = this.#readExports();
		this.#pages = this.#readPages();
	}

	/** Section by section but for code. */
	compareItems(): void {
		this.#compareTypes();
		this.#compareImports();
		addedItems(FUNCTION, this.#fromSections, this.#toSections, (cursor) => cursor.number());
		this.#compareTables();
		this.#compareGlobals();
		this.#compareStart();
		this.#compareHoldings();
	}

	#content(id: number): readonly [Cursor, Cursor] {
		return [sectionOf(this.#fromSections, id), sectionOf(this.#toSections, id)];
	}

	/** The index of an added export that is claimed to be there. */
	#claimed(name: string, kind: keyof typeof KINDS): number {
		const found = this.#added.get(name);
		if (found?.kind !== KINDS[kind]) throw refuse(`it does not export ${name}`);
		this.#explained.add(name);
		return found.index;
	}

	#readExports(): Map<string, ExportItem> {
		const { from } = this;
		const own = readVector(sectionOf(this.#fromSections, EXPORT), readExport);
		const counts = [
			from.functions.length,
			from.tables.length,
			from.memories.length,
			from.importedGlobals + from.globals.length,
		];
		for (const { name, kind, index } of own) {
			if (index >= (counts[kind] ?? Infinity)) throw refuse(`it exports ${name}, which the guest does not have`);
		}
		const names = new Set(own.map(({ name }) => name));
		const added = new Map<string, ExportItem>();
		for (const item of addedItems(EXPORT, this.#fromSections, this.#toSections, readExport)) {
			if (names.has(item.name)) throw refuse(`it exports ${item.name} twice`);
			names.add(item.name);
			added.set(item.name, item);
		}
		return added;
	}

	#readPages(): Map<number, number> {
		const pages = new Map<number, number>();
		const places = new Set<number>();
		for (const { memory, name } of this.#claims.exports.pages) {
			const index = this.#claimed(name, "global");
			const own = index - this.#to.importedGlobals;
			const wanted = this.from.wideMemory(memory) ? I64 : I32;
			if (own < this.from.globals.length || this.#to.globals[own]?.code !== wanted)
				throw refuse(`${name} is no place for the size of memory ${memory}`);
			if (pages.has(memory) || places.has(index)) throw refuse(`${name} is there twice`);
			pages.set(memory, index);
			places.add(index);
		}
		return pages;
	}

	#compareTypes(): void {
		addedItems(TYPE, this.#fromSections, this.#toSections, readTypeGroup);
		if (this.#claims.exports.host === undefined) return;
		HOST_TYPES.forEach((bytes, i) => {
			const type = this.#to.types[this.from.types.length + i];
			if (type === undefined || !isBytes(type, bytes)) throw refuse("the types of the host's functions are others");
		});
	}

	#compareImports(): void {
		const { from } = this;
		const { imports } = this.#claims;
		const added = addedItems(IMPORT, this.#fromSections, this.#toSections, readImport);
		const own = from.memories.slice(from.importedMemories);
		if (added.length !== own.length || own.length !== (imports?.memories.length ?? 0))
			throw refuse("it does not import the guest's memories");
		if (sectionOf(this.#toSections, MEMORY).number() !== 0) throw refuse("it defines memories");
		const guests = readVector(sectionOf(this.#fromSections, IMPORT), readImport);
		if (imports !== undefined && guests.some(({ module }) => module === imports.module))
			throw refuse("the guest could import what is the engine's");
		const names = new Set<string>();
		added.forEach((item, i) => {
			const claim = imports?.memories[i];
			const isRight =
				item.module === imports?.module &&
				item.name === claim?.name &&
				item.kind === KINDS.memory &&
				item.limits === own[i] &&
				claim !== undefined &&
				textOf(claim.type.limits) === own[i];
			if (!isRight || names.has(item.name)) throw refuse(`its import ${item.name} is not what it should be`);
			names.add(item.name);
		});
	}

	#compareTables(): void {
		const { host } = this.#claims.exports;
		const { from } = this;
		const added = addedItems(TABLE, this.#fromSections, this.#toSections, readTable);
		if (added.some((table) => table !== HOST_TABLE)) throw refuse("its last table is not the host's");
		if (added.length !== (host === undefined ? 0 : 1)) throw refuse("it has more tables than the original");
		if (host !== undefined && this.#claimed(host, "table") !== from.tables.length)
			throw refuse("the host's table is not the last");
		if (from.highestElementTable >= from.tables.length)
			throw refuse("elements for a table that the guest does not have");
	}

	#compareGlobals(): void {
		const { from } = this;
		const values = new Map<number, number | bigint>();
		for (const { name, value } of this.#claims.initial.globals) {
			const index = this.#claimed(name, "global");
			if (values.has(index)) throw refuse(`${name} has two values`);
			values.set(index, value);
		}
		from.globals.forEach((before, i) => {
			const after = this.#to.globals[i];
			const index = from.importedGlobals + i;
			const claimed = values.get(index);
			values.delete(index);
			if (after === undefined || typeText(before) !== typeText(after)) throw refuse(`global ${index} is another`);
			if (claimed === undefined && sameContent(before.init, after.init)) return;
			const value = valueOf(before.init, from);
			const lifted = value?.code === I32 ? Number(value.value) : value?.value;
			const isRight =
				before.mutable &&
				value?.code === before.code &&
				isZero(after.init, before.code) &&
				Object.is(claimed ?? (before.code === I64 ? 0n : 0), lifted);
			if (!isRight) throw refuse(`the value of global ${index} got lost`);
		});
		if (values.size > 0) throw refuse("a value for a global that is not the guest's");
		for (const { code, mutable, init } of this.#to.globals.slice(from.globals.length)) {
			if (!mutable || (code !== I32 && code !== I64) || !isZero(init, code))
				throw refuse("an added global is not what it should be");
		}
	}

	#compareStart(): void {
		const before = this.#fromSections.find(({ id }) => id === START)?.content();
		if (this.#toSections.some(({ id }) => id === START)) throw refuse("it starts by itself");
		const { start } = this.#claims.exports;
		const index = start === undefined ? undefined : this.#claimed(start, "func");
		if (before?.number() !== index) throw refuse("it does not start as it did");
	}

	/** What the engine is told of what an instance holds from its start, and of who writes to its memories. */
	#compareHoldings(): void {
		const { heapBytes = 0, tableElements, writesData } = this.#claims.exports;
		const { constantBytes = 0, importedTables, tables } = this.from;
		const elements = tables.slice(importedTables).reduce((sum, { minimum }) => sum + minimum, 0);
		if (tableElements !== elements) throw refuse("its tables are not counted");
		if (heapBytes !== constantBytes && !Number.isNaN(constantBytes))
			throw refuse("the objects of its constants are not counted");
		if (writesData !== this.#to.data.some(({ memory }) => memory !== undefined))
			throw refuse("it does not say whether V8 writes its data");
	}

	compareCode(): void {
		const { from } = this;
		const to = this.#to;
		const findings = compareLiftedCode(...this.#content(CODE), {
			from,
			to,
			wideMemory: (memory) => from.wideMemory(memory),
			wideTable: (table) => from.tables[table]?.wide === true,
			pages: (memory) => {
				if (from.isShared(memory)) return undefined;
				const index = this.#pages.get(memory);
				if (index === undefined) throw refuse(`memory ${memory} has no size`);
				return index;
			},
			hostTable: from.tables.length,
			hostType: (place) => from.types.length + place,
			heapGlobal: () => {
				const { heap } = this.#claims.exports;
				if (heap === undefined) throw refuse("nobody says where objects are counted");
				return this.#claimed(heap, "global");
			},
		});
		for (const memory of findings.sized) {
			if (!this.#pages.has(memory)) throw refuse(`the engine is not told that code knows the size of memory ${memory}`);
		}
		compareData(from, to, this.#claims.initial.data, findings.namesData);
		this.#compareFound(findings);
	}

	/** Added globals are sizes, say what was dropped or what is left of V8's heap, which is state, or that tables have changed. */
	#compareFound({ droppedGlobals, changedTables, tablesGlobal, heapGlobal }: CodeFindings): void {
		const { from } = this;
		const first = from.importedGlobals + from.globals.length;
		const notes = [tablesGlobal, heapGlobal].filter((index) => index !== undefined);
		if (
			heapGlobal === undefined
				? this.#claims.exports.heap !== undefined
				: this.#to.globals[heapGlobal - from.importedGlobals]?.code !== I64
		)
			throw refuse("objects are counted where they cannot be");
		const places = new Set([...this.#pages.values(), ...droppedGlobals, ...notes]);
		const count = this.#pages.size + droppedGlobals.size + notes.length;
		if (places.size !== count || count !== this.#to.globals.length - from.globals.length)
			throw refuse("an added global is for nothing, or for two things");
		for (const index of places) if (index < first) throw refuse("a global of the guest's is taken for the engine's");
		const { state } = this.#claims;
		if (typeof state === "string") return;
		const globals = new Set(state.globals.map((name) => this.#claimed(name, "global")));
		const tables = new Set(state.tables.map((name) => this.#claimed(name, "table")));
		const note = state.tablesChanged === undefined ? undefined : this.#claimed(state.tablesChanged, "global");
		if (note !== tablesGlobal) throw refuse("it does not say where changes of tables are noted");
		const memories = new Set(state.memories.map((name) => this.#claimed(name, "memory")));
		const wanted = from.globals.flatMap(({ mutable }, i) => (mutable ? [from.importedGlobals + i] : []));
		const own = from.memories.slice(from.importedMemories).map((_, i) => from.importedMemories + i);
		const counted = heapGlobal === undefined ? [] : [heapGlobal];
		if (!isSame(globals, [...wanted, ...droppedGlobals, ...counted]))
			throw refuse("its globals are not what can change");
		if (!isSame(tables, changedTables)) throw refuse("its tables are not what can change");
		if (!isSame(memories, own)) throw refuse("its memories are not what can change");
		if (!isReversible(from, changedTables)) throw refuse("its state holds what no one can put back");
	}

	compareState(): void {
		const { from } = this;
		for (const { name, kind, index } of this.#added.values()) {
			if (this.#explained.has(name)) continue;
			// Of a module that is not put back, globals are exported all the same: others of the same code can be told apart by them
			const isOwn = kind === KINDS.global && from.globals[index - from.importedGlobals]?.mutable === true;
			const isAdded = kind === KINDS.global && index >= from.importedGlobals + from.globals.length;
			if (!isOwn && !isAdded) throw refuse(`it exports ${name}, which is no state`);
		}
	}
}

/** The type of a global as text: only to be compared. */
function typeText({ type: { bytes, at, end }, mutable }: LiftOutline["globals"][number]): string {
	return `${readType(new Cursor(bytes, at, end))} ${mutable}`;
}

const ZEROS: Readonly<Record<number, readonly number[]>> = {
	[I32]: [0x41, 0, 0x0b],
	[I64]: [0x42, 0, 0x0b],
	0x7d: [0x43, 0, 0, 0, 0, 0x0b],
	0x7c: [0x44, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b],
};

function isZero(init: Cursor, code: number): boolean {
	const zero = ZEROS[code];
	return zero !== undefined && isBytes(init, zero);
}

function isSame(found: ReadonlySet<number>, wanted: Iterable<number>): boolean {
	const set = new Set(wanted);
	return set.size === found.size && [...set].every((index) => found.has(index));
}

type Limits = NonNullable<LiftClaims["imports"]>["memories"][number]["type"]["limits"];

/** Limits as `Cursor.limits` has them. */
function textOf({ minimum, maximum, shared, index, pageSizeLog2 }: Limits): string {
	const flags =
		(maximum === undefined ? 0 : 1) |
		(shared ? 2 : 0) |
		(index === "i64" ? 4 : 0) |
		(pageSizeLog2 === undefined ? 0 : 8);
	const numbers = [minimum, maximum, pageSizeLog2].filter((item) => item !== undefined);
	return [flags, ...numbers.map(Number)].join(" ");
}
