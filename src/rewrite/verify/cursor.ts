import { SkerryError } from "../../fault/mod.ts";

/** The verifier's refusal. */
export function refuse(what: string): SkerryError {
	return new SkerryError("engine/verification", `Cannot run a rewritten module: ${what}`, {
		hint: "this is an error of Skerry's own; metering can be turned off for the component",
	});
}

/** A place in a binary, for a decoder that knows just enough to compare. It shares nothing with that of the rewriter. */
export class Cursor {
	readonly bytes: Uint8Array;
	at: number;
	readonly end: number;

	constructor(bytes: Uint8Array, at = 0, end: number = bytes.length) {
		if (at > end || end > bytes.length) throw refuse("a section ends behind its binary");
		this.bytes = bytes;
		this.at = at;
		this.end = end;
	}

	get done(): boolean {
		return this.at >= this.end;
	}

	byte(): number {
		if (this.at >= this.end) throw refuse("an item ends behind its section");
		return this.bytes[this.at++] as number;
	}

	/** An unsigned LEB128 of up to 64 bits, as a number; exact where it is an index. */
	number(): number {
		let value = 0;
		for (let scale = 1; ; scale *= 128) {
			const byte = this.byte();
			value += (byte & 0x7f) * scale;
			if (byte < 0x80) return value;
		}
	}

	/** A signed LEB128 of up to 64 bits, as a number; exact within 53. */
	signed(): number {
		let value = 0;
		for (let scale = 1; ; scale *= 128) {
			const byte = this.byte();
			value += (byte & 0x7f) * scale;
			if (byte < 0x80) return (byte & 0x40) === 0 ? value : value - scale * 128;
		}
	}

	/** Past a LEB128 of any kind. */
	skipNumber(): void {
		while (this.byte() >= 0x80);
	}

	skip(count: number): void {
		this.at += count;
		if (this.at > this.end) throw refuse("an item ends behind its section");
	}

	/** A cursor over the next `size` bytes, which this one passes. */
	take(size: number): Cursor {
		const start = this.at;
		this.skip(size);
		return new Cursor(this.bytes, start, this.at);
	}

	/** A name, as text of its bytes: only to be compared. */
	name(): string {
		const { at, end } = this.take(this.number());
		let text = "";
		for (let i = at; i < end; i++) text += String.fromCharCode(this.bytes[i] as number);
		return text;
	}

	/** A value type; whether it names a type of the module. */
	skipType(): boolean {
		const byte = this.byte();
		if (byte !== 0x63 && byte !== 0x64) return false;
		return this.skipHeapType();
	}

	/** Whether it is an index, rather than one of the negative numbers of abstract types. */
	skipHeapType(): boolean {
		let last: number;
		do last = this.byte();
		while (last >= 0x80);
		return (last & 0x40) === 0;
	}

	/** Limits as text: only to be compared. */
	limits(): string {
		const flags = this.byte();
		const numbers = [this.number()];
		if ((flags & 1) !== 0) numbers.push(this.number());
		if ((flags & 8) !== 0) numbers.push(this.number());
		return [flags, ...numbers].join(" ");
	}

	get text(): string {
		let text = "";
		for (let i = this.at; i < this.end; i++) text += String.fromCharCode(this.bytes[i] as number);
		return text;
	}
}

/** From how many bytes on it is worth to look at four at once. */
const LONG = 64;

/** Whether two ranges hold the same bytes. */
export function sameBytes(a: Uint8Array, from: number, to: number, b: Uint8Array, at: number): boolean {
	const shift = at - from;
	if (to + shift > b.length) return false;
	let i = from;
	if (to - from >= LONG) {
		const first = new DataView(a.buffer, a.byteOffset, a.byteLength);
		const second = new DataView(b.buffer, b.byteOffset, b.byteLength);
		for (; i + 4 <= to; i += 4) if (first.getInt32(i) !== second.getInt32(i + shift)) return false;
	}
	for (; i < to; i++) if (a[i] !== b[i + shift]) return false;
	return true;
}

export function sameContent(a: Cursor, b: Cursor): boolean {
	return a.end - a.at === b.end - b.at && sameBytes(a.bytes, a.at, a.end, b.bytes, b.at);
}
