import type { Reader, Writer } from "../bytes/mod.ts";
import { decodeInstruction, encodeInstruction, type Instruction } from "./instruction.ts";
import { OP, operatorOf } from "./operators.ts";

/** Core specification, Constant Expressions; without the `end`. */
export type ConstExpr = readonly Instruction[];

/** Reads a constant expression and its `end`. Its types are not checked. */
export function decodeConstExpr(reader: Reader): ConstExpr {
	const instructions: Instruction[] = [];
	for (;;) {
		const start = reader.offset;
		const instruction = decodeInstruction(reader);
		if (instruction.op === OP.end) return instructions;
		const operator = operatorOf(instruction.op);
		if (operator?.constant !== true) {
			throw reader.malformed(`opcode ${operator?.name} is not allowed in a constant expression`, start);
		}
		instructions.push(instruction);
	}
}

export function encodeConstExpr(writer: Writer, expression: ConstExpr): void {
	for (const instruction of expression) encodeInstruction(writer, instruction);
	writer.u8(OP.end);
}
