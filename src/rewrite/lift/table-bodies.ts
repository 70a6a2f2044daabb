import type { Additions } from "./additions.ts";
import { type Address, type Assembler, of } from "./assembler.ts";
import { begin, callHost, copyInPieces, copyOf, eachChunk, outsideOf, step } from "./pieces.ts";

/**
 * Bodies of the functions that stand in for bulk instructions on tables: they go in pieces, so that metering finds a loop to stop them in.
 * What is out of bounds is left to the instruction itself, which traps before it writes anything.
 */

/** Elements that one bulk instruction of V8's moves at most: some 0.03 ms, or 1 ms where each element has to be made first. */
export const TABLE_CHUNK = 256;

/** Leaves whether a range lies outside of a table: `local` from, `length` elements. */
function outside(at: Assembler, added: Additions, table: number, local: number, length: number, type: Address): void {
	const address = added.tableAddress(table);
	const size = (): Assembler => {
		at.op("table.size", table);
		return address === "i32" ? at.op("i64.extend_i32_u") : at;
	};
	outsideOf(at, address, size, local, length, type);
}

/** `(d, value, n)` */
export function tableFillBody(added: Additions, table: number): Uint8Array {
	const type = added.tableAddress(table);
	const at = begin();
	outside(at, added, table, 0, 2, type);
	at.op("i32.eqz").begin("if");
	fillPieces(at, table, type, 0, 1, 2);
	at.end();
	at.op("local.get", 0).op("local.get", 1).op("local.get", 2).op("table.fill", table);
	return at.end().out.finish();
}

function fillPieces(at: Assembler, table: number, type: Address, to: number, value: number, length: number): void {
	eachChunk(at, length, type, TABLE_CHUNK, () => {
		at.op("local.get", to).op("local.get", value).const(type, TABLE_CHUNK).op("table.fill", table);
		step(at, to, type, "add", TABLE_CHUNK);
		step(at, length, type, "sub", TABLE_CHUNK);
	});
}

/** `(d, s, n)`. From the end where the target lies behind the source, which it may overlap: two tables can be one. */
export function tableCopyBody(added: Additions, to: number, from: number): Uint8Array {
	const target = added.tableAddress(to);
	const source = added.tableAddress(from);
	const type = target === "i64" ? source : "i32";
	const at = begin();
	outside(at, added, to, 0, 2, type);
	outside(at, added, from, 1, 2, type);
	at.op("i32.or").op("i32.eqz").begin("if");
	copyInPieces(at, ...copyOf(target, source, type), TABLE_CHUNK, () => at.op("table.copy", to, from));
	at.end();
	at.op("local.get", 0).op("local.get", 1).op("local.get", 2).op("table.copy", to, from);
	return at.end().out.finish();
}

/**
 * `(d, s, n)`; where the segment was dropped, `s` is beyond it.
 * @param length of the segment
 */
export function tableInitBody(added: Additions, segment: number, table: number, length: number): Uint8Array {
	const type = added.tableAddress(table);
	const at = begin();
	outside(at, added, table, 0, 2, "i32");
	at.wide(1, "i32").wide(2, "i32").op("i64.add").const("i64", length).op("i64.gt_u").op("i32.or");
	at.op("i32.eqz").begin("if");
	eachChunk(at, 2, "i32", TABLE_CHUNK, () => {
		at.op("local.get", 0).op("local.get", 1).const("i32", TABLE_CHUNK).op("table.init", segment, table);
		step(at, 0, type, "add", TABLE_CHUNK);
		step(at, 1, "i32", "add", TABLE_CHUNK);
		step(at, 2, "i32", "sub", TABLE_CHUNK);
	});
	at.end();
	at.op("local.get", 0).op("local.get", 1).op("local.get", 2).op("table.init", segment, table);
	return at.end().out.finish();
}

/**
 * `(value, delta) → size`. Where the table can hold null, it grows by so many of these, which are cheap, and is filled in pieces.
 * What the host had granted and V8 does not is given back.
 */
export function tableGrowBody(added: Additions, table: number): Uint8Array {
	const type = added.tableAddress(table);
	const code = type === "i32" ? 0x7f : 0x7e;
	const element = added.tableElement(table);
	/** Locals: the old size, or -1; where to fill. */
	const [old, to] = [2, 3];
	const at = begin(2, code);
	// Whoever writes one growth behind the other passes by a check
	at.begin("loop").end();
	at.const("i32", table).wide(1, type);
	callHost(at, added, "growTable");
	at.op("i32.eqz").begin("if").const(type, -1).op("return").end();
	if (element.kind === "ref" && element.nullable) {
		at.op("ref.null").heap(element.heap).op("local.get", 1).op("table.grow", table);
	} else at.op("local.get", 0).op("local.get", 1).op("table.grow", table);
	at.op("local.tee", old).op("local.tee", to).const(type, -1).op(of(type, "eq")).begin("if");
	at.const("i32", ~table).wide(1, type);
	callHost(at, added, "growTable");
	at.op("drop").op("else");
	if (element.kind === "ref" && element.nullable) {
		at.op("local.get", 0).op("ref.is_null").op("i32.eqz").begin("if");
		fillPieces(at, table, type, to, 0, 1);
		at.op("local.get", to).op("local.get", 0).op("local.get", 1).op("table.fill", table).end();
	}
	at.end().op("local.get", old);
	return at.end().out.finish();
}
