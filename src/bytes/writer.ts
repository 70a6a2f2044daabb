import { encodeUtf8 } from "./utf8.ts";

/** A growing buffer with the format's encodings. */
export class Writer {
	#bytes = new Uint8Array(256);
	#length = 0;

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

	/** A copy of what was written. */
	finish(): Uint8Array {
		return this.#bytes.slice(0, this.#length);
	}
}
