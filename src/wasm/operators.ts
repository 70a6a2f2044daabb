import type { Writer } from "../bytes/mod.ts";
import { hex } from "./syntax.ts";
import type { Atom, IndexSpace, OpcodeRow } from "./opcode-row.ts";
import { OPCODES } from "./opcodes.ts";

/** The name of an instruction: the second column of the opcode table. */
export type OpName = (typeof OPCODES)[number][1];

/**
 * Operators are small numbers, so that tables by operator are typed arrays: a plain opcode is its byte, and each prefix
 * has a range of its own behind them. `size` bounds the numbers that may follow the prefix.
 */
const PREFIXES = [
	{ prefix: 0xfb, first: 0x100, size: 0x100 },
	{ prefix: 0xfc, first: 0x200, size: 0x100 },
	{ prefix: 0xfd, first: 0x300, size: 0x200 },
	{ prefix: 0xfe, first: 0x500, size: 0x100 },
] as const;

/** Operators are below this. */
export const OPERATOR_LIMIT = 0x600;

/** The first operator of a prefix byte, 0 for other bytes; and how many may follow it. */
export const PREFIX_FIRST: Uint16Array = new Uint16Array(256);
export const PREFIX_SIZE: Uint16Array = new Uint16Array(256);
for (const { prefix, first, size } of PREFIXES) {
	PREFIX_FIRST[prefix] = first;
	PREFIX_SIZE[prefix] = size;
}

const ROWS: readonly OpcodeRow[] = OPCODES;

/** The operator of a code as the table writes it: a byte, or `0xPP_SSS`. */
function toOperator(code: number): number {
	return code < 0x100 ? code : (PREFIX_FIRST[code >> 12] ?? 0) + (code & 0xfff);
}

/** The operator of every name. A look-up by name is slow: in a hot loop use a constant taken from here. */
export const OP: Readonly<Record<OpName, number>> = Object.fromEntries(
	OPCODES.map(([code, name]) => [name, toOperator(code)]),
) as Record<OpName, number>;

/** What is known of an operator. */
export interface Operator {
	readonly name: OpName;
	readonly atoms: readonly Atom[];
	/** Types popped and pushed, `null` where immediates or types of the module decide; `addr` is an address type. */
	readonly signature: { readonly params: readonly string[]; readonly results: readonly string[] } | null;
	/** Whether a constant expression may hold it. */
	readonly constant: boolean;
}

function toTypes(text: string): readonly string[] {
	return text.trim() === "" ? [] : text.trim().split(" ");
}

const OPERATORS: (Operator | undefined)[] = Array.from<Operator | undefined>({ length: OPERATOR_LIMIT });
for (const [code, name, immediates, signature, constant] of ROWS) {
	const [params = "", results = ""] = signature?.split("->") ?? [];
	OPERATORS[toOperator(code)] = {
		name: name as OpName,
		atoms: immediates === "" ? [] : (immediates.split(" ") as Atom[]),
		signature: signature == null ? null : { params: toTypes(params), results: toTypes(results) },
		constant: constant === "const",
	};
}

/** What the table says of an operator; `undefined` for a number that is none. */
export function operatorOf(op: number): Operator | undefined {
	return OPERATORS[op];
}

/** Writes an opcode: a byte, or a prefix and what follows. */
export function encodeOperator(writer: Writer, op: number): void {
	if (op < 0x100) {
		writer.u8(op);
		return;
	}
	for (const { prefix, first, size } of PREFIXES) {
		if (op < first + size) {
			writer.u8(prefix).u32(op - first);
			return;
		}
	}
}

/** The code of an operator as it stands in the binary: `0x6a`, `0xfc 0x08`. */
export function printOpcode(op: number): string {
	const range = PREFIXES.findLast(({ first }) => op >= first);
	return range === undefined ? hex(op) : `${hex(range.prefix)} ${hex(op - range.first)}`;
}

/** A bit for each index space that an instruction can point into, and for `types`, which may hide in its other immediates. */
export const SPACE_BIT: Readonly<Record<IndexSpace, number>> = {
	func: 1,
	type: 2,
	table: 4,
	memory: 8,
	global: 16,
	tag: 32,
	data: 64,
	elem: 128,
};

/** Index spaces that an immediate refers to besides the one that it is named after. */
const SPACES_WITHIN: Readonly<Partial<Record<Atom, IndexSpace>>> = {
	block: "type",
	heap: "type",
	types: "type",
	memarg: "memory",
	catches: "tag",
};

/** The index space that an immediate refers to; `null` for none. */
export function spaceOf(atom: Atom): IndexSpace | null {
	if (Object.hasOwn(SPACE_BIT, atom)) return atom as IndexSpace;
	return SPACES_WITHIN[atom] ?? null;
}

/** For each operator, the bits of the index spaces that it may refer to. */
export const SPACES: Uint8Array = Uint8Array.from(OPERATORS, (operator) =>
	(operator?.atoms ?? []).reduce((bits, atom) => {
		const space = spaceOf(atom);
		return space === null ? bits : bits | SPACE_BIT[space];
	}, 0),
);
