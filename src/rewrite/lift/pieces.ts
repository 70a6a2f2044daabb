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

/** Of a chunk, what takes so little time that one may do as much of it as code can be long. */
const SMALL_PART = 64;

/**
 * Runs `piece` while more than a chunk is left. What is more than a small part of one passes by a loop before that, which does nothing: so
 * that metering stops those who write one instruction behind the other, too.
 */
export function eachChunk(at: Assembler, length: number, type: Address, chunk: number, piece: () => void): void {
	const more = (): Assembler => at.op("local.get", length).const(type, chunk).op(of(type, "gt_u"));
	at.op("local.get", length)
		.const(type, chunk / SMALL_PART)
		.op(of(type, "gt_u"));
	at.begin("if").begin("loop").end().end();
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

/** Leaves whether `length` from `local` on lie outside of what is as long as `size` leaves, in `i64`. */
export function outsideOf(
	at: Assembler,
	address: Address,
	size: () => Assembler,
	local: number,
	length: number,
	type: Address,
): void {
	if (address === "i32") {
		at.wide(local, address).wide(length, type).op("i64.add");
		size().op("i64.gt_u");
		return;
	}
	// The sum could overflow
	at.wide(length, type);
	size().op("i64.gt_u");
	at.op("local.get", local);
	size().wide(length, type).op("i64.sub").op("i64.gt_u").op("i32.or");
}

/** Where a copy begins: a local. */
export interface Place {
	readonly local: number;
	readonly type: Address;
	/** The local that goes before it: an array. */
	readonly before?: number;
}

/** A copy in pieces, of so many elements as `length` has. From the end where the target lies behind the source, which it may overlap. */
export function copyInPieces(
	at: Assembler,
	target: Place,
	source: Place,
	length: Place,
	chunk: number,
	copy: () => void,
): void {
	const { local, type } = length;
	const get = (place: Place): Assembler => {
		if (place.before !== undefined) at.op("local.get", place.before);
		return at.op("local.get", place.local);
	};
	at.wide(target.local, target.type).wide(source.local, source.type).op("i64.le_u").begin("if");
	eachChunk(at, local, type, chunk, () => {
		get(target);
		get(source).const(type, chunk);
		copy();
		step(at, target.local, target.type, "add", chunk);
		step(at, source.local, source.type, "add", chunk);
		step(at, local, type, "sub", chunk);
	});
	at.op("else");
	eachChunk(at, local, type, chunk, () => {
		step(at, local, type, "sub", chunk);
		for (const place of [target, source]) get(place).narrowed(local, type, place.type).op(of(place.type, "add"));
		at.const(type, chunk);
		copy();
	});
	at.end();
}

/** The first three locals, as `memory.copy` and `table.copy` have them. */
export function copyOf(target: Address, source: Address, length: Address): [Place, Place, Place] {
	return [
		{ local: 0, type: target },
		{ local: 1, type: source },
		{ local: 2, type: length },
	];
}
