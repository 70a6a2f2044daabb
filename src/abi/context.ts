import type { CallScope } from "./handles.ts";
import { GuestMemory, OFTEN } from "./memory.ts";
import type { CanonicalOptions, ComponentInstance, PassAcross } from "./store.ts";
import { trap, trapAtLimit } from "./traps.ts";

/** CanonicalABI.md `MAX_STRING_BYTE_LENGTH` and `MAX_LIST_BYTE_LENGTH`. */
export const MAX_BYTE_LENGTH: number = 2 ** 28 - 1;

/** The last byte that an i32 can tell. */
const MOST = 0xffff_ffff;

function copy(from: GuestMemory, source: number, to: GuestMemory, target: number, size: number): void {
	to.bytes.set(new Uint8Array(from.buffer, source, size), target);
}

/** CanonicalABI.md `LiftLowerContext`. One for each lifted or lowered function; `scope` and `carried` are set for each call. */
export class Context {
	readonly instance: ComponentInstance;
	readonly encoding: CanonicalOptions["encoding"];
	/** Where borrows of the call are counted; `null` where its type has none. */
	scope: CallScope | null = null;
	/**
	 * True when the other side is a guest too. Then values keep what JavaScript's would lose: strings their encoding
	 * (`CarriedString`), maps their order and duplicates (an array of pairs), resources are bare representations.
	 */
	carried = false;
	/** True when what is lifted is lowered into another guest before this one runs again: its lists of numbers need not be copied for that. */
	passes = false;
	readonly memory: GuestMemory;
	/** The length, as the guest is told it, of the string that generated code stored last. */
	stored = 0;
	/** Bytes that the lists lifted for this call have become: see `Store.maxValues`. */
	#spent = 0;
	/** Of lists, around what is lifted; 1 also where there is much beside lists. Generated code knows. */
	#depth = 0;
	readonly #realloc: CanonicalOptions["realloc"];
	/** How bytes of the memory `#from` are received. */
	#from: GuestMemory | undefined;
	#pass: PassAcross | undefined;
	/** By memory: how its bytes are received, or how often they were. */
	readonly #passers = new Map<GuestMemory, PassAcross | number>();

	constructor(options: CanonicalOptions, instance: ComponentInstance, carried = false) {
		this.memory = GuestMemory.of(options.memory);
		this.#realloc = options.realloc;
		this.instance = instance;
		this.encoding = options.encoding;
		this.carried = carried;
	}

	get view(): DataView {
		return this.memory.view;
	}

	get bytes(): Uint8Array {
		return this.memory.bytes;
	}

	/**
	 * Values are to be lifted, for a call of their own.
	 * @param many see `hasMany`
	 */
	begin(many = false): void {
		this.#spent = 0;
		this.#depth = many ? 1 : 0;
	}

	/** Before so many bytes become part of a list. */
	spend(bytes: number): void {
		this.#spent += bytes;
		const { app, maxValues } = this.instance.store;
		if (this.#spent > maxValues) trapAtLimit("too much in the lists of one call", "values", maxValues, app);
	}

	/** The same for what may be in a list or not: by itself it is no larger than where it is. */
	spendWithin(bytes: number): void {
		if (this.#depth > 0) this.spend(bytes);
	}

	/** Elements of a list are lifted until `leaveList`. */
	enterList(bytes: number): void {
		this.spend(bytes);
		this.#depth++;
	}

	leaveList(): void {
		this.#depth--;
	}

	/** To be called whenever the guest may have run; `realloc` does. */
	refresh(): void {
		this.memory.refresh();
	}

	/** Traps unless `size` bytes at `pointer` are aligned and inside the memory. */
	checkRange(pointer: number, size: number, alignment: number, outside: string): void {
		if (pointer % alignment !== 0) trap(`unaligned pointer 0x${pointer.toString(16)}`);
		if (pointer + size > this.bytes.length) trap(outside);
	}

	/** Calls the guest's realloc and checks its answer. */
	realloc(oldPointer: number, oldSize: number, alignment: number, newSize: number): number {
		const realloc = this.#realloc;
		if (realloc === null) trap("realloc is required but was not given");
		// Larger than any 32-bit memory, and than what an i32 can tell the guest.
		if (newSize >= 2 ** 32) trap("realloc return: beyond end of memory: list content out-of-bounds");
		const pointer = realloc(oldPointer, oldSize, alignment, newSize) >>> 0;
		this.refresh();
		this.checkAllocated(pointer, alignment, newSize);
		return pointer;
	}

	/**
	 * The same for bytes that lie in the memory of another guest, which was refreshed and has not run since: they are copied there.
	 * @param alignment a power of two
	 */
	receive(from: GuestMemory, source: number, size: number, alignment: number): number {
		if (from !== this.#from) return this.#receive(from, source, size, alignment);
		const { memory } = this;
		memory.refresh();
		const limit = Math.min(memory.bytes.length, MOST);
		const pointer = this.#pass!(source, size, alignment, limit) >>> 0;
		memory.refresh();
		if (pointer + size > limit || (pointer & (alignment - 1)) !== 0) {
			this.checkAllocated(pointer, alignment, size);
			copy(from, source, memory, pointer, size);
		}
		return pointer;
	}

	#receive(from: GuestMemory, source: number, size: number, alignment: number): number {
		let passer = this.#passers.get(from) ?? 0;
		if (typeof passer === "number" && this.#realloc !== null) {
			if (++passer === OFTEN) passer = from.linkPasser(this.memory, this.#realloc) ?? passer;
			this.#passers.set(from, passer);
		}
		if (typeof passer === "function") {
			this.#from = from;
			this.#pass = passer;
			return this.receive(from, source, size, alignment);
		}
		const pointer = this.realloc(0, 0, alignment, size);
		copy(from, source, this.memory, pointer, size);
		return pointer;
	}

	/** Traps unless what realloc returned is such a place. */
	checkAllocated(pointer: number, alignment: number, size: number): void {
		const aligned = (pointer & (alignment - 1)) === 0;
		if (!aligned || pointer + size > this.bytes.length) refuseAllocated(pointer, alignment);
	}
}

/** Traps for what realloc returned: a pointer that is not aligned, or not inside of the memory. */
export function refuseAllocated(pointer: number, alignment: number): never {
	// The tests know each of these failures by two names, one for a host's and one for a guest's values.
	if ((pointer & (alignment - 1)) !== 0) {
		trap(`realloc return: result not aligned: unaligned pointer 0x${pointer.toString(16)}`);
	}
	trap("realloc return: beyond end of memory: list content out-of-bounds");
}
