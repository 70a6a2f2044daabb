import { type Cursor, refuse } from "./cursor.ts";

/** What an instruction may be that matters here. */
export const PLAIN = 0;
export const LOOP = 1;
/** A direct call of `first`. */
export const CALL = 2;
/** A call of type `first` through table `second`, which is -1 for a reference. */
export const CALL_INDIRECT = 3;
export const FUNCTION_REFERENCE = 4;
export const TABLE_CHANGE = 5;
export const END = 6;
/** Goes on elsewhere, or opens a block: `op` and `labels` say more. */
export const CONTROL = 7;

/** The type of a block that takes and gives nothing. */
const EMPTY = 0x40;

/** The instruction that was read last. */
export class Instructions {
	readonly cursor: Cursor;
	first = 0;
	second = 0;
	/** The type of a block that begins, less than 0 where it is none of the module's. */
	block = -1;
	/** Of an instruction on a local, where the immediate is wanted. */
	local = 0;
	/** The highest index of a memory that was named so far; -1 for none. */
	highestMemory = -1;
	/** The highest indices of locals, tables and functions that were named so far. */
	highestLocal = -1;
	highestTable = -1;
	highestFunction = -1;
	/** How many blocks are open. */
	depth = 0;
	/** The first byte of the instruction, and the number behind it where that is a prefix. */
	op = 0;
	code = 0;
	/** The labels of a branch, or of the clauses of a `try_table`. */
	readonly labels: number[] = [];
	/** Whether the immediate of a `local` instruction and what follows a branch is wanted; without, both are passed over. */
	readonly #detailed: boolean;

	constructor(cursor: Cursor, detailed = false) {
		this.cursor = cursor;
		this.#detailed = detailed;
	}

	/** Reads one instruction. */
	next(): number {
		const { cursor } = this;
		const op = cursor.byte();
		this.op = op;
		if (op >= 0x45 && op <= 0xc4) return PLAIN;
		// What most code consists of, without a call for each byte; who reads beyond the end is found out there
		if ((op >= 0x20 && op <= 0x24) || op === 0x41) {
			const { bytes } = cursor;
			let { at } = cursor;
			if (op <= 0x22 && this.#detailed) {
				const index = cursor.number();
				this.local = index;
				if (index > this.highestLocal) this.highestLocal = index;
				return PLAIN;
			}
			while ((bytes[at++] as number) >= 0x80);
			cursor.at = at;
			return PLAIN;
		}
		if (op >= 0x28 && op <= 0x3e) {
			this.#access();
			return PLAIN;
		}
		switch (op) {
			case 0x00: // unreachable
			case 0x05: // else
			case 0x0a: // throw_ref
			case 0x0f: // return
			case 0x19: // catch_all
				return CONTROL;
			case 0x01: // nop
			case 0x1a: // drop
			case 0x1b: // select
			case 0xd1: // ref.is_null
			case 0xd3: // ref.eq
			case 0xd4: // ref.as_non_null
				return PLAIN;
			case 0x02: // block
			case 0x04: // if
			case 0x06: // try
				this.depth++;
				this.#blockType();
				return CONTROL;
			case 0x03: // loop
				this.depth++;
				this.#blockType();
				return LOOP;
			case 0x1f: // try_table
				this.depth++;
				this.#blockType();
				this.labels.length = 0;
				for (let n = cursor.number(); n > 0; n--) {
					if (cursor.byte() < 2) cursor.skipNumber();
					this.labels.push(cursor.number());
				}
				return CONTROL;
			case 0x0b: // end
				this.depth--;
				return END;
			case 0x18: // delegate: ends a try
				this.depth--;
				cursor.skipNumber();
				return CONTROL;
			case 0x07: // catch
			case 0x08: // throw
			case 0x09: // rethrow
				this.first = cursor.number();
				return CONTROL;
			case 0x0c: // br
			case 0x0d: // br_if
			case 0xd5: // br_on_null
			case 0xd6: // br_on_non_null
				this.labels.length = 0;
				this.labels.push(cursor.number());
				return CONTROL;
			case 0x25: // table.get
				this.#table();
				return PLAIN;
			case 0x42: // i64.const
			case 0xd0: // ref.null
				cursor.skipNumber();
				return PLAIN;
			case 0x26: // table.set
				this.#table();
				return TABLE_CHANGE;
			case 0x0e: // br_table
				this.labels.length = 0;
				for (let n = cursor.number(); n >= 0; n--) this.labels.push(cursor.number());
				return CONTROL;
			case 0x10: // call
			case 0x12: // return_call
				this.first = this.#function();
				return CALL;
			case 0x11: // call_indirect
			case 0x13: // return_call_indirect
				this.first = cursor.number();
				this.second = this.#table();
				return CALL_INDIRECT;
			case 0x14: // call_ref
			case 0x15: // return_call_ref
				this.first = cursor.number();
				this.second = -1;
				return CALL_INDIRECT;
			case 0x1c: // select with types
				for (let n = cursor.number(); n > 0; n--) cursor.skipType();
				return PLAIN;
			case 0x3f: // memory.size
			case 0x40: // memory.grow
				this.#memory();
				return PLAIN;
			case 0x43: // f32.const
				cursor.skip(4);
				return PLAIN;
			case 0x44: // f64.const
				cursor.skip(8);
				return PLAIN;
			case 0xd2: // ref.func
				this.first = this.#function();
				return FUNCTION_REFERENCE;
			case 0xfb:
				return this.#collected((this.code = cursor.number()));
			case 0xfc:
				return this.#bulk((this.code = cursor.number()));
			case 0xfd:
				return this.#vector((this.code = cursor.number()));
			case 0xfe:
				return this.#atomic((this.code = cursor.number()));
			default:
				throw unknown(op);
		}
	}

	#blockType(): void {
		const { cursor } = this;
		const byte = cursor.bytes[cursor.at];
		this.block = -1;
		if (byte === 0x63 || byte === 0x64) cursor.skipType();
		else if (byte === EMPTY) cursor.skip(1);
		else this.block = cursor.signed();
	}

	#memory(): void {
		const index = this.cursor.number();
		if (index > this.highestMemory) this.highestMemory = index;
	}

	#table(): number {
		const index = this.cursor.number();
		if (index > this.highestTable) this.highestTable = index;
		return index;
	}

	#function(): number {
		const index = this.cursor.number();
		if (index > this.highestFunction) this.highestFunction = index;
		return index;
	}

	#access(): void {
		const { cursor } = this;
		const { bytes } = cursor;
		let { at } = cursor;
		if (this.highestMemory >= 0 && (bytes[at++] as number) < 0x40) {
			while ((bytes[at++] as number) >= 0x80);
			cursor.at = at;
			return;
		}
		const flags = cursor.number();
		if ((flags & 0x40) !== 0) this.#memory();
		else if (this.highestMemory < 0) this.highestMemory = 0;
		cursor.skipNumber();
	}

	/** Structures, arrays, casts. */
	#collected(op: number): number {
		const { cursor } = this;
		if (op === 0x0f || (op >= 0x1a && op <= 0x1e)) return PLAIN;
		if (op === 0x18 || op === 0x19) {
			cursor.byte();
			this.labels.length = 0;
			this.labels.push(cursor.number());
			cursor.skipNumber();
			cursor.skipNumber();
			return CONTROL;
		}
		if (op > 0x19) throw unknown(0xfb, op);
		this.first = cursor.number();
		const two = (op >= 0x02 && op <= 0x05) || (op >= 0x08 && op <= 0x0a) || (op >= 0x11 && op <= 0x13);
		if (two) cursor.skipNumber();
		return PLAIN;
	}

	/** Saturating truncation, bulk operations. */
	#bulk(op: number): number {
		const { cursor } = this;
		switch (op) {
			case 0x08: // memory.init
				cursor.skipNumber();
				this.#memory();
				return PLAIN;
			case 0x0a: // memory.copy
				this.#memory();
				this.#memory();
				return PLAIN;
			case 0x0b: // memory.fill
				this.#memory();
				return PLAIN;
			case 0x0c: // table.init
				cursor.skipNumber();
				this.#table();
				return TABLE_CHANGE;
			case 0x0e: // table.copy
				this.#table();
				this.#table();
				return TABLE_CHANGE;
			case 0x0f: // table.grow
			case 0x11: // table.fill
				this.#table();
				return TABLE_CHANGE;
			case 0x09: // data.drop
			case 0x0d: // elem.drop
				cursor.skipNumber();
				return PLAIN;
			case 0x10: // table.size
				this.#table();
				return PLAIN;
			default:
				if (op > 0x07) throw unknown(0xfc, op);
				return PLAIN;
		}
	}

	#vector(op: number): number {
		const { cursor } = this;
		if (op <= 0x0b || op === 0x5c || op === 0x5d) this.#access();
		else if (op === 0x0c || op === 0x0d) cursor.skip(16);
		else if (op >= 0x15 && op <= 0x22) cursor.skip(1);
		else if (op >= 0x54 && op <= 0x5b) {
			this.#access();
			cursor.skip(1);
		} else if (op > 0x113) throw unknown(0xfd, op);
		return PLAIN;
	}

	#atomic(op: number): number {
		if (op === 0x03) this.cursor.skip(1);
		else if (op <= 0x02 || (op >= 0x10 && op <= 0x4e)) this.#access();
		else throw unknown(0xfe, op);
		return PLAIN;
	}
}

function unknown(...bytes: readonly number[]): Error {
	return refuse(`an instruction that the verifier does not know: ${bytes.map((byte) => byte.toString(16)).join(" ")}`);
}
