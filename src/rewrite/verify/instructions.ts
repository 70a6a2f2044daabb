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

/** The instruction that was read last. */
export class Instructions {
	readonly cursor: Cursor;
	first = 0;
	second = 0;
	/** The highest index of a memory that was named so far; -1 for none. */
	highestMemory = -1;
	/** How many blocks are open. */
	depth = 0;

	constructor(cursor: Cursor) {
		this.cursor = cursor;
	}

	/** Reads one instruction. */
	next(): number {
		const { cursor } = this;
		const op = cursor.byte();
		if (op >= 0x45 && op <= 0xc4) return PLAIN;
		// What most code consists of, without a call for each byte; who reads beyond the end is found out there
		if ((op >= 0x20 && op <= 0x24) || op === 0x41) {
			const { bytes } = cursor;
			let { at } = cursor;
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
			case 0x01: // nop
			case 0x05: // else
			case 0x0a: // throw_ref
			case 0x0f: // return
			case 0x19: // catch_all
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
				return PLAIN;
			case 0x03: // loop
				this.depth++;
				this.#blockType();
				return LOOP;
			case 0x1f: // try_table
				this.depth++;
				this.#blockType();
				for (let n = cursor.number(); n > 0; n--) {
					if (cursor.byte() < 2) cursor.skipNumber();
					cursor.skipNumber();
				}
				return PLAIN;
			case 0x0b: // end
				this.depth--;
				return END;
			case 0x18: // delegate: ends a try
				this.depth--;
				cursor.skipNumber();
				return PLAIN;
			case 0x07: // catch
			case 0x08: // throw
			case 0x09: // rethrow
			case 0x0c: // br
			case 0x0d: // br_if
			case 0x25: // table.get
			case 0x42: // i64.const
			case 0xd0: // ref.null
			case 0xd5: // br_on_null
			case 0xd6: // br_on_non_null
				cursor.skipNumber();
				return PLAIN;
			case 0x26: // table.set
				cursor.skipNumber();
				return TABLE_CHANGE;
			case 0x0e: // br_table
				for (let n = cursor.number(); n >= 0; n--) cursor.skipNumber();
				return PLAIN;
			case 0x10: // call
			case 0x12: // return_call
				this.first = cursor.number();
				return CALL;
			case 0x11: // call_indirect
			case 0x13: // return_call_indirect
				this.first = cursor.number();
				this.second = cursor.number();
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
				this.first = cursor.number();
				return FUNCTION_REFERENCE;
			case 0xfb:
				return this.#collected(cursor.number());
			case 0xfc:
				return this.#bulk(cursor.number());
			case 0xfd:
				return this.#vector(cursor.number());
			case 0xfe:
				return this.#atomic(cursor.number());
			default:
				throw unknown(op);
		}
	}

	#blockType(): void {
		const { cursor } = this;
		const byte = cursor.bytes[cursor.at];
		if (byte === 0x63 || byte === 0x64) cursor.skipType();
		else cursor.skipNumber();
	}

	#memory(): void {
		const index = this.cursor.number();
		if (index > this.highestMemory) this.highestMemory = index;
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
			cursor.skipNumber();
			cursor.skipNumber();
			cursor.skipNumber();
			return PLAIN;
		}
		if (op > 0x19) throw unknown(0xfb, op);
		cursor.skipNumber();
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
			case 0x0e: // table.copy
				cursor.skipNumber();
				cursor.skipNumber();
				return TABLE_CHANGE;
			case 0x0f: // table.grow
			case 0x11: // table.fill
				cursor.skipNumber();
				return TABLE_CHANGE;
			case 0x09: // data.drop
			case 0x0d: // elem.drop
			case 0x10: // table.size
				cursor.skipNumber();
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
