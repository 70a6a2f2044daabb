import { type CatchClause, type CodeReader, type Module, OP, type OpName, operatorOf } from "../../wasm/mod.ts";

/** What an operator does to the flow of control; 0 for those that do nothing to it. */
export const BLOCK = 1;
export const IF = 2;
export const LOOP = 3;
/** `try` and `try_table`. */
export const TRY = 4;
export const ELSE = 5;
/** `catch` and `catch_all` of a legacy `try`. */
export const CATCH = 6;
export const END = 7;
/** The end of a legacy `try`. */
export const DELEGATE = 8;
export const BR = 9;
/** Branches that may go on behind themselves. */
export const BR_IF = 10;
export const BR_TABLE = 11;
/** Ends the function, or all of it. */
export const RETURN = 12;
export const UNREACHABLE = 13;
/** Throws: goes on in a handler, or nowhere. */
export const THROW = 14;
export const CALL = 15;

const FLOW_OF: Readonly<Partial<Record<OpName, number>>> = {
	block: BLOCK,
	if: IF,
	loop: LOOP,
	try: TRY,
	try_table: TRY,
	else: ELSE,
	catch: CATCH,
	catch_all: CATCH,
	end: END,
	delegate: DELEGATE,
	br: BR,
	br_if: BR_IF,
	br_on_null: BR_IF,
	br_on_non_null: BR_IF,
	br_on_cast: BR_IF,
	br_on_cast_fail: BR_IF,
	br_table: BR_TABLE,
	return: RETURN,
	return_call: RETURN,
	return_call_indirect: RETURN,
	return_call_ref: RETURN,
	unreachable: UNREACHABLE,
	throw: THROW,
	throw_ref: THROW,
	rethrow: THROW,
	call: CALL,
	call_indirect: CALL,
	call_ref: CALL,
};

const OPERATORS = Math.max(...Object.values(OP)) + 1;

/** Operators whose last operand says how much there is to do, by what of it costs one: bytes of a memory, elements of others. */
export const BULK: Uint8Array = new Uint8Array(OPERATORS);
export const BYTES = 1;
const ELEMENTS = 2;
for (const [name, op] of Object.entries(OP)) {
	if (/^memory\.(fill|copy|init)$/.test(name)) BULK[op] = BYTES;
	else if (/^(table|array)\.(fill|copy|init|init_data|init_elem|new|new_default|new_data|new_elem)$/.test(name))
		BULK[op] = ELEMENTS;
}

export const FLOW: Uint8Array = new Uint8Array(OPERATORS);
for (const [name, flow] of Object.entries(FLOW_OF)) FLOW[OP[name as OpName]] = flow;

const TAIL_CALLS: ReadonlySet<number> = new Set([OP.return_call, OP.return_call_indirect, OP.return_call_ref]);

export function isTailCall(op: number): boolean {
	return TAIL_CALLS.has(op);
}

/** Whether the operator calls, be it in the end. */
export function isCall(op: number): boolean {
	return FLOW[op] === CALL || isTailCall(op);
}

/** The labels that the current instruction may branch to, as depths. The clauses of a `try_table` count from outside of it. */
export function labelsOf(reader: CodeReader): readonly number[] {
	const { atoms = [] } = operatorOf(reader.op) ?? {};
	if (atoms.length === 1 && atoms[0] === "label") return [reader.first];
	const immediates = reader.immediates();
	return atoms.flatMap((atom, i) => {
		const value = immediates[i];
		if (atom === "label") return [value as number];
		if (atom === "labels") return value as readonly number[];
		return atom === "catches" ? (value as readonly CatchClause[]).map(({ label }) => label) : [];
	});
}

/** How many parameters each type of a module has, if it is a function's. */
export function countParams(module: Module): readonly number[] {
	return module.types.flat().map(({ composite }) => (composite.kind === "func" ? composite.params.length : 0));
}
