import { SkerryError } from "../fault/mod.ts";
import { CodeReader, countImports, type Module, OP, type OpName, operatorOf } from "../wasm/mod.ts";
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
	/** Functions that `ref.func` names. */
	readonly referenced: ReadonlySet<number>;
	/** Instructions that change tables, or segments: the first of each kind that there is. */
	readonly irreversible: OpName | undefined;
	/** Whether code puts functions into tables that were not there at the start. */
	readonly changesTables: boolean;
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
const MEMORY_COPY = 7;
const MEMORY_INIT = 8;
const TABLE_CHANGE = 9;
const SEGMENT_DROP = 10;

const KIND_OF: Readonly<Partial<Record<OpName, number>>> = {
	loop: LOOP,
	call: CALL,
	return_call: CALL,
	call_indirect: INDIRECT,
	return_call_indirect: INDIRECT,
	call_ref: CALL_REF,
	return_call_ref: CALL_REF,
	"ref.func": REF_FUNC,
	"memory.copy": MEMORY_COPY,
	"memory.init": MEMORY_INIT,
	"table.set": TABLE_CHANGE,
	"table.grow": TABLE_CHANGE,
	"table.fill": TABLE_CHANGE,
	"table.copy": TABLE_CHANGE,
	"table.init": TABLE_CHANGE,
	"data.drop": SEGMENT_DROP,
	"elem.drop": SEGMENT_DROP,
};

const KINDS = new Uint8Array(Math.max(...Object.values(OP)) + 1);
for (const [name, op] of Object.entries(OP) as [OpName, number][]) {
	const [atom] = operatorOf(op)?.atoms ?? [];
	KINDS[op] = KIND_OF[name] ?? (atom === "memarg" || atom === "memory" ? MEMORY : 0);
}

/**
 * Walks all of a module's code once.
 * @throws SkerryError `binary/*`, and `core/invalid` for a memory that the module does not have: passes add memories, and V8, which
 * sees what they made, would take one of these for the guest's
 */
export function surveyCode(module: Module): Survey {
	const { code } = module;
	const bodies = code.starts.length;
	const memories = countImports(module).memory + module.memories.length;
	const codeStarts = new Uint32Array(bodies);
	const loops = new NumberList();
	const calls = new NumberList(8192);
	const indirect = new NumberList();
	const loopStarts = new Uint32Array(bodies + 1);
	const callStarts = new Uint32Array(bodies + 1);
	const indirectStarts = new Uint32Array(bodies + 1);
	const referenced = new Set<number>();
	let irreversible: OpName | undefined;
	let changesTables = false;
	const reader = new CodeReader(code);
	const checkMemory = (index: number): void => {
		if (index < memories) return;
		const place = { offset: code.offset + reader.start };
		throw new SkerryError("core/invalid", `Cannot compile a core module: unknown memory ${index}`, { place });
	};
	for (let body = 0; body < bodies; body++) {
		reader.enter(body);
		codeStarts[body] = reader.codeStart;
		while (reader.next()) {
			const kind = KINDS[reader.op];
			if (kind === 0) continue;
			switch (kind) {
				case LOOP:
					loops.push(reader.end);
					break;
				case CALL:
					calls.push(reader.first);
					break;
				case INDIRECT:
					indirect.push(reader.first);
					indirect.push(reader.second);
					break;
				case CALL_REF:
					indirect.push(reader.first);
					indirect.push(NO_TABLE);
					break;
				case REF_FUNC:
					referenced.add(reader.first);
					break;
				case MEMORY:
					checkMemory(reader.first);
					break;
				case MEMORY_COPY:
					checkMemory(reader.first);
					checkMemory(reader.second);
					break;
				case MEMORY_INIT:
					checkMemory(reader.second);
					break;
				default:
					if (kind === TABLE_CHANGE) changesTables = true;
					irreversible ??= operatorOf(reader.op)?.name;
			}
		}
		loopStarts[body + 1] = loops.length;
		callStarts[body + 1] = calls.length;
		indirectStarts[body + 1] = indirect.length;
	}
	return {
		codeStarts,
		loops: loops.items,
		loopStarts,
		calls: calls.items,
		callStarts,
		indirect: indirect.items,
		indirectStarts,
		referenced,
		irreversible,
		changesTables,
	};
}
