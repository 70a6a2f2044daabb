import { CodeReader } from "./code-reader.ts";
import type { Module } from "./module.ts";
import { OP, SPACE_BIT, SPACES } from "./operators.ts";

/** Blocks by what may still stand in them before their `end`. */
const BLOCK = 1;
/** `if` whose `else` may come. */
const IF = 2;
/** Legacy `try` without a handler: `catch`, `catch_all` and `delegate` may come. */
const TRY = 3;
/** Legacy `try` in a `catch`: more of them and `catch_all` may come. */
const CATCH = 4;

/** The block that an instruction opens; 0 for others. */
const OPENS = new Uint8Array(SPACES.length);
OPENS[OP.block] = BLOCK;
OPENS[OP.loop] = BLOCK;
OPENS[OP.try_table] = BLOCK;
OPENS[OP.if] = IF;
OPENS[OP.try] = TRY;

/** What an instruction that ends a block or a part of one may stand in, and what is open behind it (`null`: nothing). */
const ENDS: ReadonlyMap<number, { readonly in: readonly number[]; readonly leaves: number | null }> = new Map([
	[OP.end, { in: [BLOCK, IF, TRY, CATCH], leaves: null }],
	[OP.else, { in: [IF], leaves: BLOCK }],
	[OP.catch, { in: [TRY, CATCH], leaves: CATCH }],
	[OP.catch_all, { in: [TRY, CATCH], leaves: BLOCK }],
	[OP.delegate, { in: [TRY], leaves: null }],
]);
const IS_END = Uint8Array.from(SPACES, (_, op) => (ENDS.has(op) ? 1 : 0));

const DATA = SPACE_BIT.data;

/**
 * Checks that all function bodies are well-formed: every instruction, their nesting, and the end. Types and indices are
 * validation, which is V8's.
 *
 * @returns how many instructions there are.
 * @throws SkerryError `binary/*`, with an offset.
 */
export function checkCode(module: Pick<Module, "code" | "dataCount">): number {
	const reader = new CodeReader(module.code);
	let count = 0;
	for (let body = 0; body < module.code.starts.length; body++) {
		reader.enter(body);
		count += checkBody(reader, module.dataCount);
	}
	return count;
}

function checkBody(reader: CodeReader, dataCount: boolean): number {
	const open = [BLOCK];
	let count = 0;
	while (reader.next()) {
		count++;
		const { op } = reader;
		const opens = OPENS[op] ?? 0;
		if (opens !== 0) {
			open.push(opens);
		} else if (IS_END[op] === 1) {
			endBlock(reader, open);
		} else if (!dataCount && ((SPACES[op] ?? 0) & DATA) !== 0) {
			throw reader.malformed("data count section required");
		}
	}
	if (open.length > 0) throw reader.malformed("END opcode expected");
	return count;
}

function endBlock(reader: CodeReader, open: number[]): void {
	const rule = ENDS.get(reader.op);
	const block = open.pop();
	if (rule === undefined || block === undefined || !rule.in.includes(block)) {
		throw reader.malformed("unexpected instruction: no block is open that it could belong to");
	}
	if (rule.leaves !== null) open.push(rule.leaves);
	if (open.length === 0 && !reader.last) throw reader.malformed("unexpected data behind the end of a function body");
}
