import type { Contracts } from "./calls.ts";
import { refuse, sameBytes, sameContent } from "./cursor.ts";
import { readTable, readTypeGroup } from "./items.ts";
import { compareMeteredCode } from "./metered-code.ts";
import type { Ledger } from "./fuel.ts";
import { Threading } from "./threading.ts";
import { addedItems, compareOthers } from "./sections.ts";
import {
	CODE,
	EXPORT,
	FUNCTION,
	IMPORT,
	KIND_FUNCTION,
	KIND_GLOBAL,
	KIND_MEMORY,
	KIND_TABLE,
	MEMORY,
	Outline,
	readExport,
	readImport,
	readVector,
	type SectionRange,
	sectionOf,
	sectionsOf,
	TABLE,
	TYPE,
} from "./outline.ts";

/** A shared memory of one page, and at most two: were it two at least, V8 would take what is read behind the first for safe. */
const FLAG_LIMITS = "3 1 2";

/** Sections that are compared item by item; all others are the same bytes. */
const BY_ITEM = new Set([IMPORT, FUNCTION, MEMORY, EXPORT, CODE]);
/** Those that are only where checks call the engine. */
const BY_ITEM_WITH_CALLS = new Set([...BY_ITEM, TYPE, TABLE]);

/** What is added, as `readTypeGroup` and `readTable` put it: types of the engine's functions and of the slow path, a table of four. */
const HOST_TYPES = ["func ()(127)", "func ()(127)", "func (127 126)(126)", "func (127 126)(127)", "func (126)(126)"];
const SLOW_TYPE = { yield: "func ()()", fuel: "func (126)(126)" };
const HOST_TABLE = "112 1 5 5";

const NO_LEDGER: Ledger = { prepaid: new Uint32Array(), pure: new Uint8Array(), threaded: new Uint8Array() };

const NO_CONTRACTS: Contracts = {
	groups: new Uint32Array(),
	heads: new Int32Array(),
	through: new Int32Array(),
	tails: new Int32Array(),
	returns: new Int32Array(),
	firsts: new Int32Array(),
	typeNodes: new Uint32Array(),
	changesTables: true,
	throws: true,
};

export interface VerifyOptions {
	/** Which checks are to be there; `off`: nothing but exports of state may be added. */
	readonly metering: "off" | "trap" | "yield" | "fuel";
	/** With `trap`, what they look at; `flag` when left out. */
	readonly check?: "flag" | "page" | undefined;
	/** The index of the table of the engine's functions, where the original has it already. */
	readonly hostTable?: number | undefined;
	/** The name of the module of which the original already imports what is the engine's. */
	readonly engine?: string | undefined;
	/** With fuel: what functions leave to their callers; without, nothing. */
	readonly ledger?: Ledger | undefined;
	/** What is promised of functions; only without metering there is nothing to promise. */
	readonly contracts?: Contracts | undefined;
}

/**
 * Proves that a rewritten module is the original and nothing more than the engine's additions. It has a decoder of its own and
 * shares nothing with the rewriter, so that one mistake is not made twice. What it is given has been decoded before: it is
 * well-formed, but need not be valid.
 * @throws SkerryError `engine/verification`
 */
export function verifyRewriting(original: Uint8Array, rewritten: Uint8Array, options: VerifyOptions): void {
	const { metering, check, hostTable, engine, contracts = NO_CONTRACTS } = options;
	if (!sameBytes(original, 0, 8, rewritten, 0)) throw refuse("it has another preamble");
	const from = sectionsOf(original);
	const to = sectionsOf(rewritten);
	const calls = metering === "yield" || metering === "fuel";
	compareOthers(from, to, calls ? BY_ITEM_WITH_CALLS : BY_ITEM, Infinity);
	const outline = new Outline(from);
	const metered = metering !== "off";
	const { ledger = NO_LEDGER } = options;
	const threading = new Threading(
		sectionOf(from, TYPE),
		outline,
		metering === "fuel" ? ledger.threaded : new Uint8Array(),
	);
	compareImports(from, to, outline, metered, engine);
	compareExports(from, to, outline, calls && hostTable === undefined);
	if (metered && sectionOf(to, MEMORY).number() !== 0) throw refuse("it defines memories");
	if (calls) {
		const added = hostTable === undefined;
		const types = [...(added ? HOST_TYPES : []), SLOW_TYPE[metering]];
		compareAdded(TYPE, [...types, ...threading.types], from, to);
		compareAdded(TABLE, added ? [HOST_TABLE] : [], from, to);
		const [slowType, ...fillers] = retypedFunctions(to, threading.functions(threading.originals + types.length));
		if (slowType === undefined) throw refuse("it has no slow path");
		const table = hostTable ?? outline.tables;
		compareMeteredCode(sectionOf(from, CODE), sectionOf(to, CODE), outline, {
			stop: metering,
			table,
			ledger,
			threading,
			contracts,
			types: sectionOf(from, TYPE),
			firstType: added ? slowType - HOST_TYPES.length : undefined,
			fillers: countFillers(fillers, outline),
		});
	} else if (metered)
		compareMeteredCode(sectionOf(from, CODE), sectionOf(to, CODE), outline, {
			stop: check === "page" ? "page" : "trap",
			table: -1,
			ledger,
			threading,
			contracts,
			types: sectionOf(from, TYPE),
			firstType: undefined,
			fillers: countFillers(addedFunctions(from, to), outline),
		});
	else {
		for (const id of [FUNCTION, MEMORY, CODE]) {
			if (!sameContent(sectionOf(from, id), sectionOf(to, id))) throw refuse(`section ${id} is not what it was`);
		}
	}
}

/** Types of what stands behind the guest's own functions. */
function addedFunctions(from: readonly SectionRange[], to: readonly SectionRange[]): readonly number[] {
	return addedItems(FUNCTION, from, to, (cursor) => cursor.number());
}

/** The same behind the guest's own, which are of these types. */
function retypedFunctions(to: readonly SectionRange[], own: readonly number[]): readonly number[] {
	const after = sectionOf(to, FUNCTION);
	const types = readVector(after, (cursor) => cursor.number());
	if (!after.done) throw refuse("section 3 has more than its items");
	if (own.some((type, i) => type !== types[i])) throw refuse("section 3 does not begin as it should");
	return types.slice(own.length);
}

/** Functions that do nothing are of the type of the guest's first, which is as good as any. */
function countFillers(types: readonly number[], outline: Outline): number {
	const wanted = outline.functions[outline.count(KIND_FUNCTION)];
	if (types.some((type) => type !== wanted)) throw refuse("it has a function that is not the guest's");
	return types.length;
}

/** The items of the original, and behind them these. */
function compareAdded(
	id: number,
	added: readonly string[],
	from: readonly SectionRange[],
	to: readonly SectionRange[],
): void {
	const read = id === TYPE ? readTypeGroup : readTable;
	const before = readVector(sectionOf(from, id), read);
	const after = sectionOf(to, id);
	const items = readVector(after, read);
	if (!after.done) throw refuse(`section ${id} has more than its items`);
	const wanted = [...before, ...added];
	const same = items.length === wanted.length && wanted.every((item, i) => item === items[i]);
	if (!same) throw refuse(`section ${id} is not what it should be`);
}

function compareImports(
	from: readonly SectionRange[],
	to: readonly SectionRange[],
	outline: Outline,
	metered: boolean,
	known: string | undefined,
): void {
	const added = addedItems(IMPORT, from, to, readImport);
	if (!metered) {
		if (added.length > 0) throw refuse("it imports more than the original");
		return;
	}
	const limits = [...outline.memories, FLAG_LIMITS];
	if (added.length !== limits.length) throw refuse("it does not import the guest's memories and the flag");
	const engine = added[0]?.module ?? "";
	if (known === undefined ? outline.imports.some(({ module }) => module === engine) : engine !== known)
		throw refuse("the guest could import what is the engine's");
	if (new Set(added.map(({ name }) => name)).size !== added.length) throw refuse("it imports one thing twice");
	added.forEach((item, i) => {
		if (item.module !== engine || item.kind !== KIND_MEMORY || item.limits !== limits[i])
			throw refuse(`its import ${item.name} is not what it should be`);
	});
}

function compareExports(
	from: readonly SectionRange[],
	to: readonly SectionRange[],
	outline: Outline,
	host: boolean,
): void {
	const memories = outline.count(KIND_MEMORY) + outline.memories.length;
	const added = addedItems(EXPORT, from, to, readExport);
	const names = new Set(readVector(sectionOf(from, EXPORT), (cursor) => readExport(cursor).name));
	let hosts = 0;
	for (const { name, kind, index } of added) {
		if (names.has(name)) throw refuse(`it exports ${name} twice`);
		names.add(name);
		if (host && kind === KIND_TABLE && index === outline.tables && hosts++ === 0) continue;
		if (kind !== KIND_MEMORY && kind !== KIND_GLOBAL) throw refuse(`it exports ${name}, which is no state`);
		if (index < outline.count(kind)) throw refuse(`it exports ${name}, which is not its own`);
	}
	for (const { name, kind, index } of [...outline.exports, ...added]) {
		if (kind === KIND_MEMORY && index >= memories) throw refuse(`it exports ${name}, which the guest does not have`);
	}
	if (host && hosts === 0) throw refuse("it does not export the table of the engine's functions");
}
