import { SkerryError } from "../fault/mod.ts";
import { CodeReader, defineSkim, type Module, OP, type OpName, operatorOf, type Skim } from "../wasm/mod.ts";
import { FLOW } from "./metering/control.ts";
import { COST, costOfEntry } from "./metering/costs.ts";
import { Values } from "./metering/values.ts";
import { createIndexCheck, type IndexCheck } from "./index-check.ts";
import { NumberList } from "./number-list.ts";

/** What the passes need to know of a module's code, from one walk over it. Bodies are counted from 0, functions with the imports. */
export interface Survey {
	/** Where the first instruction of each body begins, in `code.bytes`. */
	readonly codeStarts: Uint32Array;
	/** Where the inside of each loop begins, in `code.bytes`, ascending. Those of body `i` are `loopStarts[i]` to `loopStarts[i + 1]`. */
	readonly loops: Uint32Array;
	readonly loopStarts: Uint32Array;
	/** Functions that are called by name, grouped like loops; a function may stand there more than once. */
	readonly calls: Uint32Array;
	readonly callStarts: Uint32Array;
	/** Pairs of a type and a table: what is called through it. The table of `call_ref` is `NO_TABLE`. Grouped like loops. */
	readonly indirect: Uint32Array;
	readonly indirectStarts: Uint32Array;
	/** What all instructions of each body cost together, by `COST`, with what it costs to enter it. */
	readonly costs: Float64Array;
	/** 1 for each body in which something costs more by the values that it takes along, or by its labels (`Values`). */
	readonly carries: Uint8Array;
	/** Whether exceptions are thrown or caught, and whether by the legacy instructions. */
	readonly exceptions: Exceptions;
	/** Functions that `ref.func` names. */
	readonly referenced: ReadonlySet<number>;
	/** Tables that code changes. */
	readonly changedTables: ReadonlySet<number>;
	/** Whether code puts functions into tables that were not there at the start. */
	readonly changesTables: boolean;
	/** 1 for each body in which `lift` may have something to do: sizes of memories, changes of tables, bulk operations, atomics, growth, segments, objects. */
	readonly siteBodies: Uint8Array;
	/** Whether a memory or a table is grown. */
	readonly grows: boolean;
	/** Whether something is made in V8's heap: structures, arrays, exceptions. */
	readonly allocates: boolean;
	/** Segments that are dropped. */
	readonly droppedData: ReadonlySet<number>;
	readonly droppedElements: ReadonlySet<number>;
	/** Whether code names data segments, so that their indices matter. */
	readonly namesData: boolean;
}

interface Exceptions {
	readonly any: boolean;
	readonly legacy: boolean;
}

export const NO_TABLE = 0xffff_ffff;

/** Kinds of operators, most of which are none of these. */
const LOOP = 1;
const CALL = 2;
const INDIRECT = 3;
const CALL_REF = 4;
const REF_FUNC = 5;
/** One memory, as the first immediate. */
const MEMORY = 6;
/** The same, and something for `lift`. */
const MEMORY_SITE = 7;
const MEMORY_GROW = 8;
const MEMORY_COPY = 9;
const MEMORY_INIT = 10;
/** One table, as the first immediate, that is only read; `TABLE_CHANGE`: that is changed. */
const TABLE = 11;
const TABLE_CHANGE = 12;
const TABLE_GROW = 13;
const TABLE_COPY = 14;
const TABLE_INIT = 15;
const DATA_DROP = 16;
const ELEM_DROP = 17;
/** A type and a segment. */
const DATA_USE = 18;
const ELEM_USE = 19;
const GLOBAL = 20;
const BLOCK = 21;
/** One type, as the first immediate. */
const TYPE = 22;
/** Of arrays of one type, or of two, many elements are written. */
const ARRAY_COPY = 23;
const ARRAY_FILL = 31;
/** Types may hide in the immediates. */
const HEAP = 24;
/** Of a type, something is made: a structure or an array. */
const ALLOCATE = 25;
/** A tag, of which an exception is made. */
const THROW = 26;
/** The others that throw or catch: a block, a block with clauses, and those that throw again. */
const TRY = 27;
const TRY_TABLE = 28;
const THROW_REF = 29;
const RETHROW = 30;
/** Costs something by its labels. */
const TABLE_BRANCH = 32;

const KIND_OF: Readonly<Partial<Record<OpName, number>>> = {
	loop: LOOP,
	br_table: TABLE_BRANCH,
	call: CALL,
	return_call: CALL,
	call_indirect: INDIRECT,
	return_call_indirect: INDIRECT,
	call_ref: CALL_REF,
	return_call_ref: CALL_REF,
	"ref.func": REF_FUNC,
	"memory.size": MEMORY_SITE,
	"memory.grow": MEMORY_GROW,
	"memory.fill": MEMORY_SITE,
	"memory.copy": MEMORY_COPY,
	"memory.init": MEMORY_INIT,
	"table.set": TABLE_CHANGE,
	"table.grow": TABLE_GROW,
	"table.fill": TABLE_CHANGE,
	"table.copy": TABLE_COPY,
	"table.init": TABLE_INIT,
	"data.drop": DATA_DROP,
	"elem.drop": ELEM_DROP,
	"array.new_data": DATA_USE,
	"array.init_data": DATA_USE,
	"array.new_elem": ELEM_USE,
	"array.init_elem": ELEM_USE,
	"array.fill": ARRAY_FILL,
	"array.copy": ARRAY_COPY,
	"array.new": ALLOCATE,
	"array.new_default": ALLOCATE,
	"array.new_fixed": ALLOCATE,
	"struct.new": ALLOCATE,
	"struct.new_default": ALLOCATE,
	throw: THROW,
	try: TRY,
	try_table: TRY_TABLE,
	throw_ref: THROW_REF,
	rethrow: RETHROW,
};

/** The first operator of the atomics. */
const ATOMICS = OP["memory.atomic.notify"];

function kindOf(name: OpName, op: number): number {
	const atoms = operatorOf(op)?.atoms ?? [];
	const [first, ...rest] = atoms;
	if (KIND_OF[name] !== undefined) return KIND_OF[name];
	if (first === "memarg") return op >= ATOMICS ? MEMORY_SITE : MEMORY;
	if (first === "global") return GLOBAL;
	if (first === "table") return TABLE;
	if (first === "block" && rest.length === 0) return BLOCK;
	if (first === "type") return TYPE;
	return atoms.some((atom) => atom === "heap" || atom === "types" || atom === "block") ? HEAP : 0;
}

const KINDS = new Uint8Array(Math.max(...Object.values(OP)) + 1);
for (const [name, op] of Object.entries(OP) as [OpName, number][]) KINDS[op] = kindOf(name, op);

const SKIM = defineSkim((op) => KINDS[op] !== 0 && KINDS[op] !== MEMORY, COST);
const OF_FLOW = defineSkim((op) => FLOW[op] !== 0);
/** Where there is no memory, accesses of one are an error. */
const SKIM_WITHOUT_MEMORY = defineSkim((op) => KINDS[op] !== 0, COST);

/**
 * Walks all of a module's code once.
 * @throws SkerryError `binary/*`, and `core/invalid` for an index that the module does not have: passes add memories, functions, globals,
 * tables and types behind the guest's, and V8, which sees what they made, would take one of these for the guest's
 */
export function surveyCode(module: Module): Survey {
	return new Surveyor(module).survey(undefined);
}

/**
 * The same for what `lift` made of a module, by its survey: of all bodies that have no sites the code is what it was, behind others.
 * @throws as `surveyCode` does
 */
export function surveyLifted(module: Module, original: Module, survey: Survey): Survey {
	return new Surveyor(module).survey({ code: original.code, survey });
}

interface Known {
	readonly code: Module["code"];
	readonly survey: Survey;
}

class Surveyor {
	readonly #module: Module;
	readonly #reader: CodeReader;
	readonly #check: IndexCheck;
	readonly #values: Values;
	readonly #carries: Uint8Array;
	readonly #loops = new NumberList();
	readonly #calls = new NumberList(8192);
	readonly #indirect = new NumberList();
	readonly #referenced = new Set<number>();
	readonly #changedTables = new Set<number>();
	readonly #siteBodies: Uint8Array;
	readonly #droppedData = new Set<number>();
	readonly #droppedElements = new Set<number>();
	#grows = false;
	#allocates = false;
	#namesData = false;
	#exceptions: Exceptions;

	constructor(module: Module) {
		this.#module = module;
		this.#reader = new CodeReader(module.code);
		this.#check = createIndexCheck(module, (what) => this.#invalid(what));
		this.#values = new Values(module);
		this.#carries = new Uint8Array(module.code.starts.length);
		this.#siteBodies = new Uint8Array(module.code.starts.length);
		const hasTags = module.tags.length > 0 || module.imports.some(({ type }) => type.kind === "tag");
		this.#exceptions = { any: hasTags, legacy: false };
	}

	survey(known: Known | undefined): Survey {
		const { code } = this.#module;
		const bodies = code.starts.length;
		const codeStarts = new Uint32Array(bodies);
		const costs = new Float64Array(bodies);
		const loopStarts = new Uint32Array(bodies + 1);
		const callStarts = new Uint32Array(bodies + 1);
		const indirectStarts = new Uint32Array(bodies + 1);
		const skim = this.#check.counts.memory > 0 ? SKIM : SKIM_WITHOUT_MEMORY;
		if (known !== undefined) {
			// What is nowhere but in sites is found anew, all else is in what was not looked at as well
			this.#exceptions = known.survey.exceptions;
			for (const index of known.survey.referenced) this.#referenced.add(index);
		}
		for (let body = 0; body < bodies; body++) {
			if (known?.survey.siteBodies[body] === 0) {
				const moved = (code.starts[body] as number) - (known.code.starts[body] as number);
				codeStarts[body] = (known.survey.codeStarts[body] as number) + moved;
				costs[body] = known.survey.costs[body] as number;
				this.#carries[body] = known.survey.carries[body] as number;
				this.#keep(known.survey, body, moved);
			} else {
				costs[body] = this.#walk(body, skim);
				codeStarts[body] = this.#reader.codeStart;
				if (this.#values.enter(body)) this.#carries[body] = 1;
				if (this.#carries[body] === 1) costs[body]! += this.#costOfValues(body);
			}
			loopStarts[body + 1] = this.#loops.length;
			callStarts[body + 1] = this.#calls.length;
			indirectStarts[body + 1] = this.#indirect.length;
		}
		return {
			codeStarts,
			costs,
			carries: this.#carries,
			exceptions: this.#exceptions,
			loops: this.#loops.items,
			loopStarts,
			calls: this.#calls.items,
			callStarts,
			indirect: this.#indirect.items,
			indirectStarts,
			referenced: this.#referenced,
			changedTables: this.#changedTables,
			changesTables: this.#changedTables.size > 0,
			siteBodies: this.#siteBodies,
			grows: this.#grows,
			allocates: this.#allocates,
			droppedData: this.#droppedData,
			droppedElements: this.#droppedElements,
			namesData: this.#namesData,
		};
	}

	/** What all instructions of the body cost. */
	#walk(body: number, skim: Skim): number {
		const reader = this.#reader;
		const { global } = this.#check.counts;
		reader.enter(body);
		this.#checkLocals();
		let cost = costOfEntry(reader.declared);
		for (;;) {
			const isThere = reader.nextOf(skim);
			cost += reader.passed;
			if (!isThere) return cost;
			const { op } = reader;
			cost += COST[op] as number;
			const kind = KINDS[op] as number;
			if (kind === 0 || (kind === GLOBAL && reader.first < global)) continue;
			if (this.#values.mayCost(reader)) this.#carries[body] = 1;
			this.#visit(kind, body);
		}
	}

	/** What its instructions cost by the values that they take along. */
	#costOfValues(body: number): number {
		const [reader, values] = [this.#reader, this.#values];
		let cost = 0;
		reader.enter(body);
		values.enter(body);
		while (reader.nextOf(OF_FLOW)) cost += values.step(reader) + values.behind(reader);
		return cost;
	}

	/** What is known of a body that has moved. */
	#keep(survey: Survey, body: number, moved: number): void {
		const { loops, loopStarts, calls, callStarts, indirect, indirectStarts } = survey;
		for (let i = loopStarts[body] as number; i < (loopStarts[body + 1] as number); i++)
			this.#loops.push((loops[i] as number) + moved);
		for (let i = callStarts[body] as number; i < (callStarts[body + 1] as number); i++)
			this.#calls.push(calls[i] as number);
		for (let i = indirectStarts[body] as number; i < (indirectStarts[body + 1] as number); i++)
			this.#indirect.push(indirect[i] as number);
	}

	#visit(kind: number, body: number): void {
		const check = this.#check;
		const { first, second, end } = this.#reader;
		switch (kind) {
			case LOOP:
				this.#loops.push(end);
				this.#checkBlock();
				break;
			case TRY:
			case RETHROW:
				this.#exceptions = { any: true, legacy: true };
				if (kind === TRY) this.#checkBlock();
				break;
			case TRY_TABLE:
			case THROW_REF:
				this.#exceptions = { ...this.#exceptions, any: true };
				if (kind === TRY_TABLE) check.types(this.#reader);
				break;
			case BLOCK:
				this.#checkBlock();
				break;
			case TABLE_BRANCH:
				break;
			case CALL:
				check.index("func", first);
				this.#calls.push(first);
				break;
			case INDIRECT:
				check.index("type", first);
				check.index("table", second);
				this.#indirect.push(first);
				this.#indirect.push(second);
				break;
			case CALL_REF:
				check.index("type", first);
				this.#indirect.push(first);
				this.#indirect.push(NO_TABLE);
				break;
			case REF_FUNC:
				check.index("func", first);
				this.#referenced.add(first);
				break;
			case GLOBAL:
				check.index("global", first);
				break;
			case MEMORY:
				check.index("memory", first);
				break;
			case MEMORY_SITE:
			case MEMORY_GROW:
				check.index("memory", first);
				this.#siteBodies[body] = 1;
				if (kind === MEMORY_GROW) this.#grows = true;
				break;
			case MEMORY_COPY:
				check.index("memory", first);
				check.index("memory", second);
				this.#siteBodies[body] = 1;
				break;
			case MEMORY_INIT:
				check.index("data", first);
				check.index("memory", second);
				this.#namesData = true;
				this.#siteBodies[body] = 1;
				break;
			case TYPE:
				check.index("type", first);
				break;
			case ALLOCATE:
				check.index("type", first);
				this.#siteBodies[body] = 1;
				this.#allocates = true;
				break;
			case THROW:
				check.index("tag", first);
				this.#exceptions = { ...this.#exceptions, any: true };
				this.#siteBodies[body] = 1;
				this.#allocates = true;
				break;
			case ARRAY_FILL:
			case ARRAY_COPY:
				check.index("type", first);
				if (kind === ARRAY_COPY) check.index("type", second);
				this.#siteBodies[body] = 1;
				break;
			case HEAP:
				check.types(this.#reader);
				break;
			case TABLE:
				check.index("table", first);
				break;
			case TABLE_COPY:
				check.index("table", second);
				this.#changeTable(first, body);
				break;
			case TABLE_INIT:
				check.index("elem", first);
				this.#changeTable(second, body);
				break;
			case TABLE_CHANGE:
				this.#changeTable(first, body);
				break;
			case TABLE_GROW:
				this.#changeTable(first, body);
				this.#grows = true;
				break;
			default:
				this.#visitSegment(kind, body);
		}
	}

	#visitSegment(kind: number, body: number): void {
		const check = this.#check;
		const { first, second } = this.#reader;
		this.#siteBodies[body] = 1;
		if (kind === DATA_DROP) {
			check.index("data", first);
			this.#droppedData.add(first);
			this.#namesData = true;
		} else if (kind === ELEM_DROP) {
			check.index("elem", first);
			this.#droppedElements.add(first);
		} else {
			check.index("type", first);
			check.index(kind === DATA_USE ? "data" : "elem", second);
			this.#allocates = true;
			if (kind === DATA_USE) this.#namesData = true;
		}
	}

	#changeTable(table: number, body: number): void {
		this.#check.index("table", table);
		this.#siteBodies[body] = 1;
		this.#changedTables.add(table);
	}

	#checkBlock(): void {
		const { first, start, end } = this.#reader;
		if (first >= 0) this.#check.index("type", first);
		else if (end - start > 2) this.#check.types(this.#reader);
	}

	/** References to types of the module begin with one of these two bytes; a count may look so, which does no harm. */
	#checkLocals(): void {
		const { bodyStart, codeStart } = this.#reader;
		const { bytes } = this.#module.code;
		for (let at = bodyStart; at < codeStart; at++) {
			if (bytes[at] !== 0x63 && bytes[at] !== 0x64) continue;
			for (const { type } of this.#reader.locals()) this.#check.valueType(type);
			return;
		}
	}

	#invalid(what: string): SkerryError {
		const { code } = this.#module;
		const place = { offset: code.offset + this.#reader.start };
		return new SkerryError("core/invalid", `Cannot compile a core module: ${what}`, { place });
	}
}
