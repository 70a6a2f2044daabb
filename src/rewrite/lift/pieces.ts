import { HOST_FUNCTIONS, type HostFunctionName } from "../host-table.ts";
import type { Additions } from "./additions.ts";
import { type Address, Assembler, of } from "./assembler.ts";

/** A body with so many locals of its own of one type, by its code. */
export function begin(locals = 0, type = 0): Assembler {
	const at = new Assembler();
	if (locals === 0) at.out.u8(0);
	else at.out.u8(1).u8(locals).u8(type);
	return at;
}

/** `local = local ± chunk` */
export function step(at: Assembler, local: number, type: Address, by: "add" | "sub", chunk: number): void {
	at.op("local.get", local).const(type, chunk).op(of(type, by)).op("local.set", local);
}

/** Runs `piece` while more than a chunk is left. */
export function eachChunk(at: Assembler, length: number, type: Address, chunk: number, piece: () => void): void {
	const more = (): Assembler => at.op("local.get", length).const(type, chunk).op(of(type, "gt_u"));
	more().begin("if").begin("loop");
	piece();
	more().op("br_if", 0).end().end();
}

/** Calls a function of the host's, whose operands lie on the stack. */
export function callHost(at: Assembler, added: Additions, name: HostFunctionName): void {
	const { host } = added;
	if (host === undefined) throw new Error("no table of the host's functions");
	at.const("i32", HOST_FUNCTIONS.indexOf(name)).op("call_indirect", host.types[name], host.table);
}
