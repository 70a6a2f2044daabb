import { OP, operatorOf } from "../../wasm/mod.ts";
import type { Additions } from "./additions.ts";
import { type Address, accessSize, Assembler } from "./assembler.ts";
import { begin, callHost, copyInPieces, copyOf, eachChunk, outsideOf, step } from "./pieces.ts";

/**
 * Bodies of the functions that stand in for instructions which V8 would check against the size of its memory, not against that of the
 * guest's. Bulk operations go in pieces, so that metering finds a loop to stop them in.
 */

/** Bytes that one bulk instruction of V8's moves at most: up to 0.1 ms, most of it for the 16 or 32 pages that are touched for the first time. */
const CHUNK = 64 * 1024;

/** A start beyond every segment. Its bits are added, so that V8 takes the same of its ways, and names the same trap, as with the guest's. */
const BEYOND = 0x3fff_ffff;

/** Leaves the size of a memory in bytes, as `i64`. */
function size(at: Assembler, added: Additions, memory: number): Assembler {
	if (added.isManaged(memory)) at.op("global.get", added.pagesOf(memory));
	else at.op("memory.size", memory);
	if (added.memoryAddress(memory) === "i32") at.op("i64.extend_i32_u");
	return at.const("i64", 16).op("i64.shl");
}

/** Leaves whether a range lies outside of a memory: `local` from, `length` bytes. */
function outside(at: Assembler, added: Additions, memory: number, local: number, length: number, type: Address): void {
	outsideOf(at, added.memoryAddress(memory), () => size(at, added, memory), local, length, type);
}

/** Traps if what lies on the stack is not 0: by an access that is out of bounds in every memory, so that V8 says so in its own words. */
function trapIf(at: Assembler, added: Additions, memory: number): void {
	const address = added.memoryAddress(memory);
	at.begin("if").const(address, -1);
	at.access(OP["i32.load8_u"], memory, 0, address === "i32" ? 0xffff_ffffn : 0n)
		.op("unreachable")
		.end();
}

/** `(d, value, n)` */
export function fillBody(added: Additions, memory: number): Uint8Array {
	const type = added.memoryAddress(memory);
	const at = begin();
	outside(at, added, memory, 0, 2, type);
	trapIf(at, added, memory);
	eachChunk(at, 2, type, CHUNK, () => {
		at.op("local.get", 0).op("local.get", 1).const(type, CHUNK).op("memory.fill", memory);
		step(at, 0, type, "add", CHUNK);
		step(at, 2, type, "sub", CHUNK);
	});
	at.op("local.get", 0).op("local.get", 1).op("local.get", 2).op("memory.fill", memory);
	return at.end().out.finish();
}

/** `(d, s, n)`. From the end where the target lies behind the source, which it may overlap: two memories can be one. */
export function copyBody(added: Additions, to: number, from: number): Uint8Array {
	const target = added.memoryAddress(to);
	const source = added.memoryAddress(from);
	const type = target === "i64" ? source : "i32";
	const at = begin();
	outside(at, added, to, 0, 2, type);
	outside(at, added, from, 1, 2, type);
	at.op("i32.or");
	trapIf(at, added, to);
	copyInPieces(at, ...copyOf(target, source, type), CHUNK, () => at.op("memory.copy", to, from));
	at.op("local.get", 0).op("local.get", 1).op("local.get", 2).op("memory.copy", to, from);
	return at.end().out.finish();
}

/**
 * `(d, s, n)`
 * @param length of the segment, 0 for one that is gone once the module is instantiated
 * @param dropped the global that says whether it was dropped
 */
export function initBody(
	added: Additions,
	segment: number,
	memory: number,
	length: number,
	dropped: number | undefined,
): Uint8Array {
	const type = added.memoryAddress(memory);
	const at = begin();
	outside(at, added, memory, 0, 2, "i32");
	at.wide(1, "i32").wide(2, "i32").op("i64.add");
	if (dropped === undefined) at.const("i64", length);
	else at.const("i64", 0).const("i64", length).op("global.get", dropped).op("select");
	at.op("i64.gt_u").op("i32.or");
	trapIf(at, added, memory);
	eachChunk(at, 2, "i32", CHUNK, () => {
		at.op("local.get", 0).op("local.get", 1).const("i32", CHUNK).op("memory.init", segment, memory);
		step(at, 0, type, "add", CHUNK);
		step(at, 1, "i32", "add", CHUNK);
		step(at, 2, "i32", "sub", CHUNK);
	});
	at.op("local.get", 0).op("local.get", 1).op("local.get", 2).op("memory.init", segment, memory);
	return at.end().out.finish();
}

/**
 * `(s, n) → (s, n)`, for an instruction that uses a segment which code drops: as if it were empty then. The start is beyond the end of
 * every segment then, so that V8 traps even where nothing is to be taken.
 */
export function segmentBody(dropped: number): Uint8Array {
	const at = begin();
	at.op("local.get", 0).const("i32", BEYOND).op("i32.or").op("local.get", 0);
	at.op("local.get", 0).op("local.get", 1).op("i32.or").const("i32", 0).op("i32.ne");
	at.op("global.get", dropped).op("i32.and").op("select");
	at.op("local.get", 1);
	return at.end().out.finish();
}

/** `(delta) → size` */
export function growBody(added: Additions, memory: number): Uint8Array {
	const type = added.memoryAddress(memory);
	const at = begin().const("i32", memory).wide(0, type);
	callHost(at, added, "grow");
	if (type === "i32") at.op("i32.wrap_i64");
	return at.end().out.finish();
}

/** The operands of an atomic operation behind the address, and then its static offset: as the guest gives them to the function. */
export function atomicTypes(added: Additions, op: number, memory: number): { params: string[]; results: string[] } {
	const { params = [], results = [] } = operatorOf(op)?.signature ?? {};
	const address = added.memoryAddress(memory);
	return { params: [address, ...params.slice(1), address], results: [...results] };
}

/** `(address, operands…, offset)` */
export function atomicBody(added: Additions, op: number, memory: number): Uint8Array {
	const type = added.memoryAddress(memory);
	const { params } = atomicTypes(added, op, memory);
	const bytes = accessSize(op);
	const offset = params.length - 1;
	/** A local of its own. */
	const effective = params.length;
	const at = new Assembler();
	at.out.u8(1).u8(1).u8(0x7e);
	at.wide(0, type).wide(offset, type).op("i64.add").op("local.tee", effective);
	if (type === "i32") {
		at.const("i64", bytes).op("i64.add");
		size(at, added, memory).op("i64.gt_u");
	} else {
		at.op("local.get", 0).op("i64.lt_u");
		at.const("i64", bytes);
		size(at, added, memory).op("i64.gt_u").op("i32.or");
		at.op("local.get", effective);
		size(at, added, memory).const("i64", bytes).op("i64.sub").op("i64.gt_u").op("i32.or");
	}
	trapIf(at, added, memory);
	at.narrowed(effective, "i64", type);
	for (let i = 1; i < offset; i++) at.op("local.get", i);
	at.access(op, memory, Math.log2(bytes));
	return at.end().out.finish();
}
