import type { LinearMemory } from "../abi/mod.ts";
import { SkerryError, Trap } from "../fault/mod.ts";

/** The guest gave a place that its memory does not have. Ends the guest, unless who called has an error code for it. */
export class OutOfBounds extends Trap {
	override readonly name = "Trap";
}

/**
 * A guest's memory as the host sees it: the only way to it. Each access is checked against what the memory holds at that moment;
 * pointers and lengths are taken as unsigned 32-bit numbers (V8 hands an i32 over with a sign), or as whole numbers from a 64-bit memory.
 * All numbers are little-endian. It ends with the guest's sandbox: the memory itself is another guest's then, whom a host function that
 * goes on is not to reach.
 */
export class GuestMemory {
	readonly #source: () => LinearMemory | undefined;
	readonly #isOver: () => boolean;

	/**
	 * @param source asked at each access: a guest's memory is there only once it is instantiated, and its buffer changes when it grows
	 * @param isOver whether the guest's sandbox has ended
	 */
	constructor(source: () => LinearMemory | undefined, isOver: () => boolean) {
		this.#source = source;
		this.#isOver = isOver;
	}

	/** See `viewOf`. */
	static view(memory: GuestMemory, pointer: number | bigint, length: number | bigint): Uint8Array {
		return memory.#view(pointer, length);
	}

	#find(): LinearMemory | undefined {
		if (this.#isOver())
			throw new SkerryError("guest/killed", "Cannot reach the memory of a guest: its sandbox has ended");
		return this.#source();
	}

	/** What the guest can reach, in bytes; 0 where it exports no memory. */
	get byteLength(): number {
		return sizeOf(this.#find());
	}

	#view(pointer: number | bigint, length: number | bigint): Uint8Array {
		const at = toOffset(pointer);
		const count = toOffset(length);
		const memory = this.#find();
		const size = sizeOf(memory);
		if (memory === undefined || count > size - at) {
			const held = memory === undefined ? "the guest exports no memory" : `the memory has ${size} bytes`;
			throw new OutOfBounds(`out of bounds memory access: ${count} bytes at ${at}, and ${held}`);
		}
		return new Uint8Array(memory.buffer, at, count);
	}

	/** A copy. */
	read(pointer: number | bigint, length: number | bigint): Uint8Array {
		return new Uint8Array(this.#view(pointer, length));
	}

	write(pointer: number | bigint, bytes: Uint8Array): void {
		this.#view(pointer, bytes.length).set(bytes);
	}

	/** UTF-8; U+FFFD where it is not. */
	text(pointer: number | bigint, length: number | bigint): string {
		return new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.read(pointer, length));
	}

	getU8(pointer: number | bigint): number {
		return this.#data(pointer, 1).getUint8(0);
	}

	getU16(pointer: number | bigint): number {
		return this.#data(pointer, 2).getUint16(0, true);
	}

	getU32(pointer: number | bigint): number {
		return this.#data(pointer, 4).getUint32(0, true);
	}

	getU64(pointer: number | bigint): bigint {
		return this.#data(pointer, 8).getBigUint64(0, true);
	}

	setU8(pointer: number | bigint, value: number): void {
		this.#data(pointer, 1).setUint8(0, value);
	}

	setU16(pointer: number | bigint, value: number): void {
		this.#data(pointer, 2).setUint16(0, value, true);
	}

	setU32(pointer: number | bigint, value: number): void {
		this.#data(pointer, 4).setUint32(0, value, true);
	}

	setU64(pointer: number | bigint, value: bigint): void {
		this.#data(pointer, 8).setBigUint64(0, value, true);
	}

	#data(pointer: number | bigint, length: number): DataView {
		const { buffer, byteOffset } = this.#view(pointer, length);
		return new DataView(buffer, byteOffset, length);
	}
}

/** The bytes themselves, not a copy: not to be kept beyond the host's call, nor given to an embedder, who might. */
export function viewOf(memory: GuestMemory, pointer: number | bigint, length: number | bigint): Uint8Array {
	return GuestMemory.view(memory, pointer, length);
}

/** Beyond it the buffer may be of no one: touching it would end the process. */
function sizeOf(memory: LinearMemory | undefined): number {
	return memory?.byteLength ?? memory?.buffer.byteLength ?? 0;
}

/** What cannot be an offset is beyond every memory. */
function toOffset(value: number | bigint): number {
	if (typeof value === "bigint") return value < 0n ? Number(BigInt.asUintN(64, value)) : Number(value);
	if (Number.isInteger(value)) return value < 0 ? value >>> 0 : value;
	return Infinity;
}
