import { SkerryError } from "../fault/mod.ts";
import { decodeUtf8 } from "./utf8.ts";

/** A cursor over bytes that knows where it is in the outermost input, so that every error names an absolute offset. */
export class Reader {
	readonly bytes: Uint8Array;
	/** Offset of `bytes[0]` in the outermost input. */
	readonly base: number;
	/** Next byte to read, relative to `bytes`. */
	position = 0;

	constructor(bytes: Uint8Array, base = 0) {
		this.bytes = bytes;
		this.base = base;
	}

	/** Absolute offset of the next byte. */
	get offset(): number {
		return this.base + this.position;
	}

	get done(): boolean {
		return this.position >= this.bytes.length;
	}

	get remaining(): number {
		return this.bytes.length - this.position;
	}

	malformed(message: string, offset: number = this.offset): SkerryError {
		return new SkerryError("binary/malformed", message, { place: { offset } });
	}

	truncated(what: string): SkerryError {
		return new SkerryError("binary/truncated", `unexpected end: cannot read ${what}`, {
			place: { offset: this.base + this.bytes.length },
		});
	}

	peek(): number | undefined {
		return this.bytes[this.position];
	}

	u8(what = "a byte"): number {
		const byte = this.bytes[this.position];
		if (byte === undefined) throw this.truncated(what);
		this.position++;
		return byte;
	}

	/** Unsigned LEB128 of at most 32 bits. */
	u32(what = "a u32"): number {
		const start = this.offset;
		let result = 0;
		for (let shift = 0; shift < 35; shift += 7) {
			const byte = this.u8(what);
			if (shift === 28) {
				if ((byte & 0x80) !== 0) throw this.malformed("integer representation too long", start);
				if ((byte & 0x70) !== 0) throw this.malformed("integer too large", start);
			}
			result |= (byte & 0x7f) << shift;
			if ((byte & 0x80) === 0) break;
		}
		return result >>> 0;
	}

	/** Unsigned LEB128 of at most 64 bits. */
	u64(what = "a u64"): bigint {
		const start = this.offset;
		let result = 0n;
		for (let shift = 0n; shift < 70n; shift += 7n) {
			const byte = this.u8(what);
			if (shift === 63n) {
				if ((byte & 0x80) !== 0) throw this.malformed("integer representation too long", start);
				if ((byte & 0x7e) !== 0) throw this.malformed("integer too large", start);
			}
			result |= BigInt(byte & 0x7f) << shift;
			if ((byte & 0x80) === 0) break;
		}
		return result;
	}

	/** Signed LEB128 of at most 32 bits. */
	s32(what = "an s32"): number {
		const start = this.offset;
		let result = 0;
		for (let shift = 0; ; shift += 7) {
			const byte = this.u8(what);
			if (shift === 28) {
				if ((byte & 0x80) !== 0) throw this.malformed("integer representation too long", start);
				const sign = byte & 0x78;
				if (sign !== 0 && sign !== 0x78) throw this.malformed("integer too large", start);
			}
			result |= (byte & 0x7f) << shift;
			if ((byte & 0x80) === 0) {
				return shift < 28 && (byte & 0x40) !== 0 ? result | (-1 << (shift + 7)) : result;
			}
		}
	}

	/** Signed LEB128 of at most 64 bits. */
	s64(what = "an s64"): bigint {
		const start = this.offset;
		let result = 0n;
		for (let shift = 0n; ; shift += 7n) {
			const byte = this.u8(what);
			if (shift === 63n) {
				if ((byte & 0x80) !== 0) throw this.malformed("integer representation too long", start);
				if (byte !== 0 && byte !== 0x7f) throw this.malformed("integer too large", start);
			}
			result |= BigInt(byte & 0x7f) << shift;
			if ((byte & 0x80) === 0) return BigInt.asIntN(Math.min(64, Number(shift) + 7), result);
		}
	}

	/** Signed LEB128 of at most 33 bits (the format's `s33`: type indices and heap types). */
	s33(what = "a type"): number {
		const start = this.offset;
		let result = 0;
		for (let shift = 0; ; shift += 7) {
			const byte = this.u8(what);
			if (shift === 28) {
				if ((byte & 0x80) !== 0) throw this.malformed("integer representation too long", start);
				const sign = byte & 0x70;
				if (sign !== 0 && sign !== 0x70) throw this.malformed("integer too large", start);
			}
			result += (byte & 0x7f) * 2 ** shift;
			if ((byte & 0x80) === 0) {
				return (byte & 0x40) === 0 ? result : result - 2 ** (shift + 7);
			}
		}
	}

	/**
	 * The count of a vector. Each item takes at least `minimumSize` bytes, so a count that the rest of the input cannot
	 * hold is refused here, before anything is allocated for it.
	 */
	count(what: string, limit = 0xffff_ffff, minimumSize = 1): number {
		const start = this.offset;
		const count = this.u32(`the count of ${what}`);
		if (count > limit) {
			throw new SkerryError("binary/limit", `${count} ${what} exceed the limit of ${limit}`, {
				place: { offset: start },
			});
		}
		if (count * minimumSize > this.remaining) {
			throw new SkerryError(
				"binary/truncated",
				`unexpected end: ${count} ${what} do not fit in the ${this.remaining} bytes left`,
				{
					place: { offset: start },
				},
			);
		}
		return count;
	}

	/** The next `length` bytes, not copied. */
	take(length: number, what = "bytes"): Uint8Array {
		if (length > this.remaining) {
			throw new SkerryError("binary/truncated", `unexpected end: ${what} of ${length} bytes, ${this.remaining} left`, {
				place: { offset: this.offset },
			});
		}
		const taken = this.bytes.subarray(this.position, this.position + length);
		this.position += length;
		return taken;
	}

	/** A reader over the next `length` bytes, which this reader skips. */
	sub(length: number, what = "bytes"): Reader {
		const base = this.offset;
		return new Reader(this.take(length, what), base);
	}

	/** A length-prefixed UTF-8 name. */
	name(what = "a name"): string {
		const length = this.u32(`the length of ${what}`);
		const start = this.offset;
		const text = decodeUtf8(this.take(length, what));
		if (text === undefined) throw this.malformed("malformed UTF-8 encoding", start);
		return text;
	}
}
