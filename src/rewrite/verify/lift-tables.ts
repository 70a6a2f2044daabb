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

/** What the functions must be, byte for byte, that stand for bulk instructions on tables. */

/** Elements of a piece. */
export const TABLE_CHUNK = 0x100;

const NOT = 0x45;
const ELSE = 0x05;
const DROP = 0x1a;
const RETURN = 0x0f;
const NULLABLE = 0x63;
const NOT_NULLABLE = 0x64;

/** Whether a range of a table lies outside of it. */
function outside(at: Surroundings, table: number, start: number, length: number, wideLength: boolean): Bytes {
	const size = [0xfc, 16, ...unsigned(table)];
	const count = as64(length, wideLength);
	if (!at.wideTable(table)) return [...as64(start, false), ...count, 0x7c, ...size, EXTEND, 0x56];
	return [...count, ...size, 0x56, ...get(start), ...size, ...count, 0x7d, 0x56, OR];
}

/** The instruction in pieces if it is in bounds; and what is left, or all of it, so that it traps. */
const whole = (beyond: Bytes, pieces: Bytes, instruction: Bytes): Bytes => [
	0,
	...beyond,
	NOT,
	...IF,
	...pieces,
	END,
	...get(0),
	...get(1),
	...get(2),
	...instruction,
	END,
];

function fillPieces(table: number, wide: boolean, to: number, value: number, length: number): Bytes {
	return repeat(length, wide, TABLE_CHUNK, [
		...get(to),
		...get(value),
		...number(wide, TABLE_CHUNK),
		...fill(table),
		...advance(to, wide, TABLE_CHUNK),
		...reduce(length, wide, TABLE_CHUNK),
	]);
}

const fill = (table: number): Bytes => [0xfc, 17, ...unsigned(table)];

export function tableFillBody(at: Surroundings, table: number): Bytes {
	const wide = at.wideTable(table);
	return whole(outside(at, table, 0, 2, wide), fillPieces(table, wide, 0, 1, 2), fill(table));
}

export function tableCopyBody(at: Surroundings, to: number, from: number): Bytes {
	const wideTo = at.wideTable(to);
	const wideFrom = at.wideTable(from);
	const wide = wideTo && wideFrom;
	const copy = [0xfc, 14, ...unsigned(to), ...unsigned(from)];
	const last = (target: boolean): Bytes => (target ? as64(2, wide) : wide ? [...get(2), WRAP] : get(2));
	const forwards = [
		...get(0),
		...get(1),
		...number(wide, TABLE_CHUNK),
		...copy,
		...advance(0, wideTo, TABLE_CHUNK),
		...advance(1, wideFrom, TABLE_CHUNK),
		...reduce(2, wide, TABLE_CHUNK),
	];
	const backwards = [
		...reduce(2, wide, TABLE_CHUNK),
		...get(0),
		...last(wideTo),
		ADD(wideTo),
		...get(1),
		...last(wideFrom),
		ADD(wideFrom),
		...number(wide, TABLE_CHUNK),
		...copy,
	];
	const pieces = [
		...as64(0, wideTo),
		...as64(1, wideFrom),
		0x58,
		...IF,
		...repeat(2, wide, TABLE_CHUNK, forwards),
		ELSE,
		...repeat(2, wide, TABLE_CHUNK, backwards),
		END,
	];
	return whole([...outside(at, to, 0, 2, wide), ...outside(at, from, 1, 2, wide), OR], pieces, copy);
}

export function tableInitBody(at: Surroundings, segment: number, table: number, length: number): Bytes {
	const wide = at.wideTable(table);
	const init = [0xfc, 12, ...unsigned(segment), ...unsigned(table)];
	const beyondSegment = [...as64(1, false), ...as64(2, false), 0x7c, 0x42, ...signed(length), 0x56];
	const pieces = repeat(2, false, TABLE_CHUNK, [
		...get(0),
		...get(1),
		...number(false, TABLE_CHUNK),
		...init,
		...advance(0, wide, TABLE_CHUNK),
		...advance(1, false, TABLE_CHUNK),
		...reduce(2, false, TABLE_CHUNK),
	]);
	return whole([...outside(at, table, 0, 2, false), ...beyondSegment, OR], pieces, init);
}

/** @param element the type of its elements */
export function tableGrowBody(at: Surroundings, table: number, element: Bytes): Bytes {
	const wide = at.wideTable(table);
	const type = wide ? 0x7e : 0x7f;
	const [first = 0, ...heap] = element;
	const nullable = first !== NOT_NULLABLE;
	const value = nullable ? [0xd0, ...(first === NULLABLE ? heap : element)] : get(0);
	const ask = (index: number): Bytes => [0x41, ...signed(index), ...as64(1, wide), ...callHost(at, 3)];
	const refused = number(wide, -1);
	const locals = [1, 2, type, 0x03, 0x40, END];
	const asked = [...ask(table), NOT, ...IF, ...refused, RETURN, END];
	const grown = [...value, ...get(1), 0xfc, 15, ...unsigned(table), 0x22, 2, 0x22, 3];
	const failed = [...refused, wide ? 0x51 : 0x46, ...IF, ...ask(-1 - table), DROP];
	const filled = [
		...get(0),
		0xd1,
		NOT,
		...IF,
		...fillPieces(table, wide, 3, 0, 1),
		...get(3),
		...get(0),
		...get(1),
		...fill(table),
		END,
	];
	return [...locals, ...asked, ...grown, ...failed, ELSE, ...(nullable ? filled : []), END, ...get(2), END];
}
