import { Cursor, refuse, sameBytes } from "./cursor.ts";
import { CALL, CALL_INDIRECT, FUNCTION_REFERENCE, Instructions } from "./instructions.ts";
import { Added, takeBytes } from "./lift-added.ts";
import * as bodies from "./lift-bodies.ts";
import * as heap from "./lift-heap.ts";
import { Objects } from "./lift-objects.ts";
import { signed, unsigned } from "./lift-pieces.ts";
import { type SegmentKind, Segments } from "./lift-segments.ts";
import type { CodeContext, Site } from "./lift-site.ts";
import * as tables from "./lift-tables.ts";
import { PlainRun } from "./plain.ts";

/** What code was found to need, to be compared with what the module says of itself. */
export interface CodeFindings {
	readonly changedTables: ReadonlySet<number>;
	/** Memories whose size the code asks for, changes, or has checked. */
	readonly sized: ReadonlySet<number>;
	readonly namesData: boolean;
	/** Globals that say which segments were dropped. */
	readonly droppedGlobals: ReadonlySet<number>;
	/** The global that is set before a table is changed; `undefined` where none is. */
	readonly tablesGlobal: number | undefined;
	/** The global with what is left of V8's heap; `undefined` where nothing is made. */
	readonly heapGlobal: number | undefined;
}

/** `memory.size`, `memory.grow`. */
const SIZE = 0x3f;
const GROW = 0x40;
const THROW = 0x08;

/** Walks the guest's code beside the lifted: equal but for the instructions that are the engine's, in whose place stands just what has to. */
export function compareLiftedCode(original: Cursor, lifted: Cursor, context: CodeContext): CodeFindings {
	const walk = new LiftWalk(original.number(), lifted, context);
	const { from, to } = context;
	const count = lifted.number();
	if (count !== to.functions.length - to.importedFunctions) throw refuse("functions and bodies are not as many");
	for (let i = 0; i < walk.bodies; i++) {
		walk.compareBody(original.take(original.number()), lifted.take(lifted.number()), from.importedFunctions + i);
	}
	return walk.finish(count - walk.bodies);
}

class LiftWalk {
	readonly bodies: number;
	readonly #lifted: Cursor;
	readonly #context: CodeContext;
	readonly #added = new Added();
	readonly #changedTables = new Set<number>();
	readonly #sized = new Set<number>();
	readonly #segments: Segments;
	readonly #objects: Objects;
	#tablesGlobal: number | undefined;
	#namesData = false;
	#highestMemory = -1;
	readonly #plain = new PlainRun();

	constructor(count: number, lifted: Cursor, context: CodeContext) {
		this.bodies = count;
		this.#lifted = lifted;
		this.#context = context;
		this.#segments = new Segments(context.from, context.to, this.#added);
		this.#objects = new Objects(context, this.#added, this.#segments);
	}

	compareBody(from: Cursor, to: Cursor, index: number): void {
		const { bytes } = from;
		let compared = from.at;
		const equalUpTo = (end: number): void => {
			if (to.at + end - compared > to.end || !sameBytes(bytes, compared, end, to.bytes, to.at))
				throw refuse(`function ${index} is not what it was`);
			to.at += end - compared;
			compared = end;
		};
		for (let runs = from.number(); runs > 0; runs--) {
			from.skipNumber();
			from.skipType();
		}
		const instructions = new Instructions(from);
		instructions.depth = 1;
		const plain = this.#plain;
		for (plain.pass(from); !from.done; plain.pass(from)) {
			const start = from.at;
			const kind = instructions.next();
			this.#checkKind(kind, instructions);
			const op = bytes[start] ?? 0;
			if (op !== THROW && (op < 0x23 || (op > 0x26 && op !== SIZE && op !== GROW && op < 0xfb))) continue;
			const end = from.at;
			const site = this.#site(op, from, start);
			from.at = end;
			if (site === undefined) continue;
			equalUpTo(start);
			compared = end;
			site(to, start, end);
		}
		if (from.at !== from.end || instructions.depth !== 0)
			throw refuse(`function ${index} does not end where it should`);
		equalUpTo(from.end);
		if (!to.done) throw refuse(`function ${index} has more than its original`);
		this.#highestMemory = Math.max(this.#highestMemory, instructions.highestMemory);
	}

	/** Functions and tables that a call names are the guest's. */
	#checkKind(kind: number, { first, second }: Instructions): void {
		const { from } = this.#context;
		if ((kind === CALL || kind === FUNCTION_REFERENCE) && first >= from.functions.length)
			throw refuse(`code names function ${first}, which the guest does not have`);
		if (kind === CALL_INDIRECT) this.#table(second);
	}

	#table(table: number): void {
		if (table >= this.#context.from.tables.length)
			throw refuse(`code names table ${table}, which the guest does not have`);
	}

	/** What has to stand in the place of the instruction; `undefined` for the instruction itself. `cursor` is left anywhere. */
	#site(op: number, cursor: Cursor, start: number): Site {
		const { from } = this.#context;
		cursor.at = start + 1;
		if (op === 0x23 || op === 0x24) {
			if (cursor.number() >= from.importedGlobals + from.globals.length)
				throw refuse("code names a global which the guest does not have");
			return undefined;
		}
		if (op === 0x25 || op === 0x26) {
			const table = cursor.number();
			if (op === 0x25) {
				this.#table(table);
				return undefined;
			}
			return this.#changes(table, (to) => takeBytes(to, [0x26, ...unsigned(table)]));
		}
		if (op === THROW) {
			const tag = from.tags[cursor.number()];
			if (tag === undefined) throw refuse("code throws a tag which the guest does not have");
			return this.#objects.thrown(tag, cursor.bytes);
		}
		if (op === SIZE || op === GROW) {
			const memory = cursor.number();
			if (from.isShared(memory)) return undefined;
			this.#sized.add(memory);
			if (op === SIZE) return (to) => takeBytes(to, [0x23, ...unsigned(this.#context.pages(memory) ?? 0)]);
			const type = this.#address(memory);
			return (to) =>
				this.#added.call(to, `grow ${memory}`, [type], [type], () => bodies.growBody(this.#context, memory));
		}
		const code = cursor.number();
		if (op === 0xfc) return this.#bulk(code, cursor, start);
		if (op === 0xfe && code !== 3) return this.#atomic(code, cursor);
		if (op === 0xfb) return this.#objects.site(code, cursor);
		return undefined;
	}

	#bulk(code: number, cursor: Cursor, start: number): Site {
		const context = this.#context;
		const { from } = context;
		if (code < 0x08) return undefined;
		const first = cursor.number();
		switch (code) {
			case 0x08: {
				const memory = cursor.number();
				this.#namesData = true;
				if (from.isShared(memory)) return this.#segments.use("data", first, cursor.bytes);
				this.#sized.add(memory);
				const length = this.#segments.isPassive("data", first) ? this.#segments.length(first) : 0;
				const params = [this.#address(memory), 0x7f, 0x7f];
				const body = (): readonly number[] =>
					bodies.initBody(context, first, memory, length, this.#segments.globalOf("data", first));
				return (to) => this.#added.call(to, `init ${first} ${memory}`, params, [], body);
			}
			case 0x09:
				this.#namesData = true;
				return this.#drop("data", first);
			case 0x0a: {
				const second = cursor.number();
				if (from.isShared(first) && from.isShared(second)) return undefined;
				for (const memory of [first, second]) if (!from.isShared(memory)) this.#sized.add(memory);
				const types = [this.#address(first), this.#address(second)];
				const params = [...types, types.includes(0x7f) ? 0x7f : 0x7e];
				const body = (): readonly number[] => bodies.copyBody(context, first, second);
				return (to) => this.#added.call(to, `copy ${first} ${second}`, params, [], body);
			}
			case 0x0b: {
				if (from.isShared(first)) return undefined;
				this.#sized.add(first);
				const type = this.#address(first);
				const body = (): readonly number[] => bodies.fillBody(context, first);
				return (to) => this.#added.call(to, `fill ${first}`, [type, 0x7f, type], [], body);
			}
			case 0x0c: {
				const table = cursor.number();
				const length = from.passiveElements[first] ?? 0;
				const init = [...cursor.bytes.subarray(start, cursor.at)];
				const params = [...this.#tableAddress(table), 0x7f, 0x7f];
				const body = (): readonly number[] => tables.tableInitBody(context, first, table, length);
				const isLong = length > tables.TABLE_CHUNK;
				return this.#changes(table, (to) => {
					this.#segments.gate(to, "elem", first);
					if (isLong) this.#added.call(to, `table.init ${first} ${table}`, params, [], body);
					else takeBytes(to, init);
				});
			}
			case 0x0d:
				return this.#drop("elem", first);
			case 0x0e: {
				const second = cursor.number();
				this.#table(second);
				const types = [...this.#tableAddress(first), ...this.#tableAddress(second)];
				const params = [...types, types.includes(0x7f) ? 0x7f : 0x7e];
				const body = (): readonly number[] => tables.tableCopyBody(context, first, second);
				return this.#changes(first, (to) => this.#added.call(to, `table.copy ${first} ${second}`, params, [], body));
			}
			case 0x0f: {
				const type = this.#tableAddress(first);
				const element = this.#elementType(first);
				const body = (): readonly number[] => tables.tableGrowBody(context, first, element);
				return this.#changes(first, (to) =>
					this.#added.call(to, `table.grow ${first}`, [...element, ...type], type, body, 2),
				);
			}
			case 0x11: {
				const type = this.#tableAddress(first);
				const params = [...type, ...this.#elementType(first), ...type];
				const body = (): readonly number[] => tables.tableFillBody(context, first);
				return this.#changes(first, (to) => this.#added.call(to, `table.fill ${first}`, params, [], body, 3));
			}
			default:
				// table.size, and what is no bulk operation
				this.#table(first);
				return undefined;
		}
	}

	/** What stands for an instruction that changes a table, behind the note that says so. */
	#changes(table: number, rest: (to: Cursor) => void): Site {
		this.#table(table);
		this.#changedTables.add(table);
		return (to) => {
			takeBytes(to, [0x41, 1, 0x24]);
			const global = to.number();
			this.#tablesGlobal ??= global;
			if (this.#tablesGlobal !== global) throw refuse("changes of tables are noted in two places");
			rest(to);
		};
	}

	#tableAddress(table: number): readonly number[] {
		return [this.#context.wideTable(table) ? 0x7e : 0x7f];
	}

	#elementType(table: number): readonly number[] {
		this.#table(table);
		const { bytes, at, end } = (this.#context.from.tables[table] as { readonly element: Cursor }).element;
		const type = new Cursor(bytes, at, end);
		return heap.shortestType(type);
	}

	#atomic(code: number, cursor: Cursor): Site {
		const { from } = this.#context;
		const flags = cursor.number();
		const memory = (flags & 0x40) === 0 ? 0 : cursor.number();
		if (from.isShared(memory)) return undefined;
		this.#sized.add(memory);
		if ((flags & 0x3f) !== bodies.atomicAlign(code)) throw refuse("an atomic operation of another alignment");
		const wide = from.wideMemory(memory);
		const type = this.#address(memory);
		const { operands, results } = bodies.atomicTypes(code);
		const { at } = cursor;
		cursor.skipNumber();
		const offset = exactNumber(cursor.bytes, at, cursor.at);
		if (!wide && offset > 0xffff_ffffn) throw refuse("an offset that is too large");
		const pushed = wide ? [0x42, ...signed(BigInt.asIntN(64, offset))] : [0x41, ...signed(BigInt.asIntN(32, offset))];
		return (to) => {
			takeBytes(to, pushed);
			this.#added.call(to, `atomic ${code} ${memory}`, [type, ...operands, type], results, () =>
				bodies.atomicBody(this.#context, code, memory),
			);
		};
	}

	#drop(kind: SegmentKind, segment: number): Site {
		// What is gone once the module is instantiated can be dropped as often as one likes
		return this.#segments.isPassive(kind, segment) ? (to) => this.#segments.drop(to, kind, segment) : undefined;
	}

	#address(memory: number): number {
		return this.#context.from.wideMemory(memory) ? 0x7e : 0x7f;
	}

	finish(more: number): CodeFindings {
		const { from, to } = this.#context;
		const lifted = this.#lifted;
		if (this.#plain.accesses) this.#highestMemory = Math.max(this.#highestMemory, 0);
		if (this.#highestMemory >= from.memories.length)
			throw refuse(`code names memory ${this.#highestMemory}, which the guest does not have`);
		this.#segments.check();
		const heapGlobal = this.#objects.finish(from.functions.length, more);
		this.#added.compare(lifted, from, to, more);
		if (!lifted.done) throw refuse("there is more code than functions");
		return {
			changedTables: this.#changedTables,
			sized: this.#sized,
			namesData: this.#namesData || this.#objects.namesData,
			droppedGlobals: this.#segments.globals,
			tablesGlobal: this.#tablesGlobal,
			heapGlobal,
		};
	}
}

/** An unsigned LEB128, all its 64 bits. */
function exactNumber(bytes: Uint8Array, at: number, end: number): bigint {
	let value = 0n;
	for (let i = end - 1; i >= at; i--) value = (value << 7n) | BigInt((bytes[i] as number) & 0x7f);
	return value;
}
