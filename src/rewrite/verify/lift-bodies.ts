import {
	ADD,
	advance,
	as64,
	type Bytes,
	callHost,
	END,
	EXTEND,
	get,
	IF,
	number,
	OR,
	reduce,
	repeat,
	signed,
	type Surroundings,
	unsigned,
	WRAP,
} from "./lift-pieces.ts";

/**
 * What the functions that `lift` adds must be, byte for byte, written out once more: nothing here is shared with what writes them.
 */

const CHUNK = 0x1_0000;

function sizeOf(at: Surroundings, memory: number): Bytes {
	const pages = at.pages(memory);
	const count = pages === undefined ? [0x3f, ...unsigned(memory)] : [0x23, ...unsigned(pages)];
	return [...count, ...(at.wideMemory(memory) ? [] : [EXTEND]), 0x42, 16, 0x86];
}

function outside(at: Surroundings, memory: number, start: number, length: number, wideLength: boolean): Bytes {
	const size = sizeOf(at, memory);
	const count = as64(length, wideLength);
	if (!at.wideMemory(memory)) return [...as64(start, false), ...count, 0x7c, ...size, 0x56];
	return [...count, ...size, 0x56, ...get(start), ...size, ...count, 0x7d, 0x56, OR];
}

function access(memory: number, align: number, offset: number): Bytes {
	return memory === 0
		? [align, ...unsigned(offset)]
		: [...unsigned(align + 0x40), ...unsigned(memory), ...unsigned(offset)];
}

/** An access at the very end of the address space, which no memory reaches. */
function trapIf(at: Surroundings, memory: number): Bytes {
	const wide = at.wideMemory(memory);
	return [...IF, ...number(wide, -1), 0x2d, ...access(memory, 0, wide ? 0 : 0xffff_ffff), 0x00, END];
}

export function fillBody(at: Surroundings, memory: number): Bytes {
	const wide = at.wideMemory(memory);
	const fill = [0xfc, 11, ...unsigned(memory)];
	const piece = [
		...get(0),
		...get(1),
		...number(wide, CHUNK),
		...fill,
		...advance(0, wide, CHUNK),
		...reduce(2, wide, CHUNK),
	];
	return [
		0,
		...outside(at, memory, 0, 2, wide),
		...trapIf(at, memory),
		...repeat(2, wide, CHUNK, piece),
		...get(0),
		...get(1),
		...get(2),
		...fill,
		END,
	];
}

export function copyBody(at: Surroundings, to: number, from: number): Bytes {
	const wideTo = at.wideMemory(to);
	const wideFrom = at.wideMemory(from);
	const wide = wideTo && wideFrom;
	const copy = [0xfc, 10, ...unsigned(to), ...unsigned(from)];
	const forwards = [
		...get(0),
		...get(1),
		...number(wide, CHUNK),
		...copy,
		...advance(0, wideTo, CHUNK),
		...advance(1, wideFrom, CHUNK),
		...reduce(2, wide, CHUNK),
	];
	const last = (target: boolean): Bytes => (target ? as64(2, wide) : wide ? [...get(2), WRAP] : get(2));
	const backwards = [
		...reduce(2, wide, CHUNK),
		...get(0),
		...last(wideTo),
		ADD(wideTo),
		...get(1),
		...last(wideFrom),
		ADD(wideFrom),
		...number(wide, CHUNK),
		...copy,
	];
	return [
		0,
		...outside(at, to, 0, 2, wide),
		...outside(at, from, 1, 2, wide),
		OR,
		...trapIf(at, to),
		...as64(0, wideTo),
		...as64(1, wideFrom),
		0x58,
		...IF,
		...repeat(2, wide, CHUNK, forwards),
		0x05,
		...repeat(2, wide, CHUNK, backwards),
		END,
		...get(0),
		...get(1),
		...get(2),
		...copy,
		END,
	];
}

export function initBody(
	at: Surroundings,
	segment: number,
	memory: number,
	length: number,
	dropped: number | undefined,
): Bytes {
	const wide = at.wideMemory(memory);
	const init = [0xfc, 8, ...unsigned(segment), ...unsigned(memory)];
	const all = [0x42, ...signed(length)];
	const piece = [
		...get(0),
		...get(1),
		...number(false, CHUNK),
		...init,
		...advance(0, wide, CHUNK),
		...advance(1, false, CHUNK),
		...reduce(2, false, CHUNK),
	];
	return [
		0,
		...outside(at, memory, 0, 2, false),
		...get(1),
		EXTEND,
		...get(2),
		EXTEND,
		0x7c,
		...(dropped === undefined ? all : [0x42, 0, ...all, 0x23, ...unsigned(dropped), 0x1b]),
		0x56,
		OR,
		...trapIf(at, memory),
		...repeat(2, false, CHUNK, piece),
		...get(0),
		...get(1),
		...get(2),
		...init,
		END,
	];
}

export function segmentBody(dropped: number): Bytes {
	const some = [...get(0), ...get(1), OR, 0x41, 0, 0x47, 0x23, ...unsigned(dropped), 0x71];
	return [0, ...get(0), 0x41, ...signed(0x3fff_ffff), OR, ...get(0), ...some, 0x1b, ...get(1), END];
}

export function growBody(at: Surroundings, memory: number): Bytes {
	const wide = at.wideMemory(memory);
	return [0, 0x41, ...signed(memory), ...as64(0, wide), ...callHost(at, 2), ...(wide ? [] : [WRAP]), END];
}

/** log2 of the bytes that an atomic operation accesses. */
export function atomicAlign(op: number): number {
	if (op < 0x03) return op === 2 ? 3 : 2;
	// From here on they come in sevens: 32, 64, 8, 16 of i32; 8, 16, 32 of i64
	return [2, 3, 0, 1, 0, 1, 2][(op - 0x10) % 7] as number;
}

/** Whether an atomic operation is one on `i64`. */
function isWideOperation(op: number): boolean {
	const place = (op - 0x10) % 7;
	return place === 1 || place >= 4;
}

/** Types of the operands behind the address, and of the result, by their codes. */
export function atomicTypes(op: number): { readonly operands: Bytes; readonly results: Bytes } {
	if (op === 0x00) return { operands: [0x7f], results: [0x7f] };
	if (op < 0x03) return { operands: [op === 1 ? 0x7f : 0x7e, 0x7e], results: [0x7f] };
	const type = isWideOperation(op) ? 0x7e : 0x7f;
	if (op < 0x17) return { operands: [], results: [type] };
	if (op < 0x1e) return { operands: [type], results: [] };
	return { operands: op < 0x48 ? [type] : [type, type], results: [type] };
}

export function atomicBody(at: Surroundings, op: number, memory: number): Bytes {
	const wide = at.wideMemory(memory);
	const { operands } = atomicTypes(op);
	const offset = operands.length + 1;
	const effective = offset + 1;
	const align = atomicAlign(op);
	const bytes = [0x42, 1 << align];
	const size = sizeOf(at, memory);
	const beyond = wide
		? [...get(0), 0x54, ...bytes, ...size, 0x56, OR, ...get(effective), ...size, ...bytes, 0x7d, 0x56, OR]
		: [...bytes, 0x7c, ...size, 0x56];
	return [
		1,
		1,
		0x7e,
		...as64(0, wide),
		...as64(offset, wide),
		0x7c,
		0x22,
		effective,
		...beyond,
		...trapIf(at, memory),
		...get(effective),
		...(wide ? [] : [WRAP]),
		...operands.flatMap((_, i) => get(i + 1)),
		0xfe,
		...unsigned(op),
		...access(memory, align, 0),
		END,
	];
}
