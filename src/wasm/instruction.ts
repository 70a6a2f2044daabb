import type { Reader, Writer } from "../bytes/mod.ts";
import { decodeImmediate, encodeImmediate, type ImmediateValue } from "./immediates.ts";
import { encodeOperator, type Operator, operatorOf, PREFIX_FIRST, PREFIX_SIZE } from "./operators.ts";
import { hex } from "./syntax.ts";

/** An instruction as an object: for constant expressions and for single ones. Function bodies are never turned into these. */
export interface Instruction {
	readonly op: number;
	/** In the order of the opcode table's immediates. */
	readonly immediates: readonly ImmediateValue[];
}

/** Reads an opcode. Throws where the table has none of that code. */
function decodeOperator(reader: Reader): { readonly op: number; readonly operator: Operator } {
	const start = reader.offset;
	const byte = reader.u8("an instruction");
	let op = byte;
	let code = hex(byte);
	const first = PREFIX_FIRST[byte] ?? 0;
	if (first !== 0) {
		const rest = reader.u32("an opcode");
		code += ` ${hex(rest)}`;
		op = rest < (PREFIX_SIZE[byte] ?? 0) ? first + rest : -1;
	}
	const operator = operatorOf(op);
	if (operator === undefined) throw reader.malformed(`illegal opcode ${code}`, start);
	return { op, operator };
}

export function decodeInstruction(reader: Reader): Instruction {
	const { op, operator } = decodeOperator(reader);
	return { op, immediates: operator.atoms.map((atom) => decodeImmediate(reader, atom)) };
}

export function encodeInstruction(writer: Writer, { op, immediates }: Instruction): void {
	encodeOperator(writer, op);
	operatorOf(op)?.atoms.forEach((atom, i) => encodeImmediate(writer, atom, immediates[i] ?? null));
}
