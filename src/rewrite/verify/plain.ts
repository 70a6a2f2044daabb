import { type Cursor, refuse } from "./cursor.ts";

/** How a plain instruction is passed, by its opcode: one by one, or by what follows it. */
const STOP = 0;
const NOTHING = 1;
const NUMBER = 2;
const LOCAL = 3;
const ACCESS = 4;
const FOUR = 5;
const EIGHT = 6;

/** Those that neither go elsewhere nor name what the verifier looks at, but for locals and the first memory. */
const WAYS = new Uint8Array(256);
WAYS.fill(NOTHING, 0x45, 0xc5);
WAYS.fill(LOCAL, 0x20, 0x23);
WAYS.fill(ACCESS, 0x28, 0x3f);
// i32.const, i64.const
WAYS.fill(NUMBER, 0x41, 0x43);
WAYS[0x43] = FOUR;
WAYS[0x44] = EIGHT;
// nop, drop, select, ref.is_null, ref.eq, ref.as_non_null
for (const op of [0x01, 0x1a, 0x1b, 0xd1, 0xd3, 0xd4]) WAYS[op] = NOTHING;
// global.get, global.set
const GLOBALS = [0x23, 0x24];

/** Passes runs of plain instructions, which most code consists of, in one loop. */
export class PlainRun {
	/** What the last run cost, and how many of its instructions are paid for. */
	cost = 0;
	paid = 0;
	/** The highest index of a local that was named so far; -1 for none. */
	highestLocal = -1;
	/** Whether the first memory was named. */
	accesses = false;
	readonly #ways: Uint8Array;
	readonly #costs: Uint16Array;
	readonly #paid: Uint8Array;

	/**
	 * @param counted by opcode what each costs, and 1 for each that is paid for: then globals are of no interest either
	 */
	constructor(counted?: { readonly costs: Uint16Array; readonly paid: Uint8Array }) {
		this.#ways = WAYS.slice();
		if (counted !== undefined) for (const op of GLOBALS) this.#ways[op] = NUMBER;
		this.#costs = counted?.costs ?? new Uint16Array(256);
		this.#paid = counted?.paid ?? new Uint8Array(256);
	}

	/** Goes to the next instruction that is not plain, or of a form that is rare. */
	pass(cursor: Cursor): void {
		const { bytes, end } = cursor;
		const ways = this.#ways;
		const costs = this.#costs;
		const isPaid = this.#paid;
		let { at } = cursor;
		let cost = 0;
		let paid = 0;
		while (at < end) {
			const op = bytes[at] as number;
			const way = ways[op] as number;
			if (way === STOP) break;
			let next = at + 1;
			if (way === LOCAL) {
				const local = bytes[next++] as number;
				if (local >= 0x80) break;
				if (local > this.highestLocal) this.highestLocal = local;
			} else if (way === NUMBER) {
				while ((bytes[next++] as number) >= 0x80);
			} else if (way === ACCESS) {
				if ((bytes[next++] as number) >= 0x40) break;
				while ((bytes[next++] as number) >= 0x80);
				this.accesses = true;
			} else if (way === FOUR) next += 4;
			else if (way === EIGHT) next += 8;
			at = next;
			cost += costs[op] as number;
			paid += isPaid[op] as number;
		}
		if (at > end) throw refuse("an item ends behind its section");
		cursor.at = at;
		this.cost = cost;
		this.paid = paid;
	}
}
