import { encodeUtf8 } from "./utf8.ts";

/** Bytes up to which a loop is faster than a view and `set`. */
const COPY_BY_HAND = 48;

/** A growing buffer with the format's encodings. */
export class Writer {
	#bytes: Uint8Array;
	#length = 0;

	/** @param capacity bytes expected; it grows when there are more. */
	constructor(capacity = 256) {
		this.#bytes = new Uint8Array(capacity);
	}

	get length(): number {
		return this.#length;
	}

	#reserve(more: number): void {
		const need = this.#length + more;
		if (need <= this.#bytes.length) return;
		const grown = new Uint8Array(Math.max(need, this.#bytes.length * 2));
		grown.set(this.#bytes.subarray(0, this.#length));
		this.#bytes = grown;
	}

	u8(byte: number): this {
		this.#reserve(1);
		this.#bytes[this.#length++] = byte;
		return this;
	}

	/** Unsigned LEB128, shortest form. */
	u32(value: number): this {
		let rest = value >>> 0;
		while (rest >= 0x80) {
			this.u8((rest & 0x7f) | 0x80);
			rest >>>= 7;
		}
		return this.u8(rest);
	}

	/** Signed LEB128, shortest form. */
	s32(value: number): this {
		let rest = value | 0;
		for (;;) {
			const byte = rest & 0x7f;
			rest >>= 7;
			if ((rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0)) return this.u8(byte);
			this.u8(byte | 0x80);
		}
	}

	/** Unsigned LEB128 of 64 bits, shortest form. */
	u64(value: bigint): this {
		let rest = BigInt.asUintN(64, value);
		while (rest >= 0x80n) {
			this.u8(Number(rest & 0x7fn) | 0x80);
			rest >>= 7n;
		}
		return this.u8(Number(rest));
	}

	/** Signed LEB128 of up to 64 bits, shortest form. */
	s64(value: bigint): this {
		let rest = BigInt.asIntN(64, value);
		for (;;) {
			const byte = Number(rest & 0x7fn);
			rest >>= 7n;
			if ((rest === 0n && (byte & 0x40) === 0) || (rest === -1n && (byte & 0x40) !== 0)) return this.u8(byte);
			this.u8(byte | 0x80);
		}
	}

	/** An index as a signed LEB128 (the format's `s33`): where bit 6 of the last byte would read as a sign, one more byte follows. */
	s33(index: number): this {
		let rest = index;
		while (rest >= 0x40) {
			this.u8((rest & 0x7f) | 0x80);
			rest >>>= 7;
		}
		return this.u8(rest);
	}

	/** The bytes from `start` to `end` of `bytes`. */
	range(bytes: Uint8Array, start: number, end: number): this {
		this.#reserve(end - start);
		const target = this.#bytes;
		let at = this.#length;
		// A view costs more than a few bytes moved by hand
		if (end - start > COPY_BY_HAND) target.set(bytes.subarray(start, end), at);
		else for (let i = start; i < end; i++) target[at++] = bytes[i] ?? 0;
		this.#length += end - start;
		return this;
	}

	raw(bytes: Uint8Array): this {
		this.#reserve(bytes.length);
		this.#bytes.set(bytes, this.#length);
		this.#length += bytes.length;
		return this;
	}

	/** Bytes with their length in front. */
	sized(bytes: Uint8Array): this {
		return this.u32(bytes.length).raw(bytes);
	}

	name(text: string): this {
		return this.sized(encodeUtf8(text));
	}

	/** A section: its id, then its length and content. */
	section(id: number, content: Writer): this {
		return this.u8(id).sized(content.finish());
	}

	/** What was written, not copied: the writer is not to be used after. */
	detach(): Uint8Array {
		return this.#bytes.subarray(0, this.#length);
	}

	/** A copy of what was written. */
	finish(): Uint8Array {
		return this.#bytes.slice(0, this.#length);
	}
}
