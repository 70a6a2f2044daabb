import type { FindNonAscii, LinearMemory, PassAcross, Realloc } from "../../abi/mod.ts";
import type { EngineImports } from "../../rewrite/mod.ts";
import { linkPasser, linkScanner } from "./links.ts";
import type { PageMapper } from "./pages.ts";
import { webAssembly, type WasmGlobal, type WasmMemory } from "../v8/v8.ts";

type MemoryLimits = EngineImports["memories"][number]["type"]["limits"];

/** Bytes of a WebAssembly page. */
export const WASM_PAGE = 65_536;
/** What a memory can hold, whatever it declares. */
const MAX_PAGES = { i32: 65_536n, i64: 2n ** 48n } as const;
/**
 * How far a slot's memory can grow and still be made small again. V8 counts all of it as its own, though nothing of it is there:
 * it collects garbage for every 64 MiB that are made.
 */
const HEADROOM = 16 * 1024 * 1024;

/** A linear memory of a guest. What belongs to the guest may be less than what V8 sees. */
export interface SlotMemory extends LinearMemory {
	/** What modules import. */
	readonly memory: WasmMemory;
	/** The logical size: beyond it nothing may be touched. */
	readonly byteLength: number;
	/** The guest's bytes, all of them and no more. Valid until the memory grows. */
	readonly bytes: Uint8Array;
	/** Whether it can be made smaller. */
	readonly shrinks: boolean;
	/** By so many pages; whether that was possible. */
	grow(pages: bigint): boolean;
	/** Back to so many bytes, which it has had before; what lay behind them is gone. False where that cannot be done. */
	shrink(byteLength: number): boolean;
	/** A global of a module in which the size in pages is to be kept. */
	watch(global: WasmGlobal): void;
	/** Such a global of ours, an i32. */
	readonly pages: WasmGlobal;
}

/**
 * @param capacity bytes up to which a memory is to grow without becoming another; 0 for what is usual
 * @param mapper where it is given, a memory that can shrink is made if possible
 * @throws RangeError when there is no room for it
 */
export function createSlotMemory(limits: MemoryLimits, mapper: PageMapper | undefined, capacity = 0): SlotMemory {
	const { minimum, maximum, shared, index } = limits;
	const bound = maximum ?? MAX_PAGES[index];
	// V8 checks accesses to other memories itself, against the size that it knows.
	if (mapper !== undefined && index === "i32" && !shared && minimum < bound) {
		const first = Number(minimum) * WASM_PAGE;
		const wanted = Math.max(first + HEADROOM, Math.ceil(capacity / WASM_PAGE) * WASM_PAGE);
		const size = Math.min(Number(bound) * WASM_PAGE, wanted);
		const reserved = reserve(limits, first, size, mapper);
		if (reserved !== undefined) return reserved;
	}
	return new V8Memory(createMemory(limits, minimum), bound);
}

/** A memory that the engine did not make. */
export function adoptMemory(memory: WasmMemory): SlotMemory {
	return new V8Memory(memory, MAX_PAGES.i64);
}

function createMemory({ maximum, shared, index }: MemoryLimits, initial: bigint): WasmMemory {
	const bound = (pages: bigint): number | bigint => (index === "i64" ? pages : Number(pages));
	return new (webAssembly().Memory)({
		initial: bound(initial),
		...(maximum === undefined ? {} : { maximum: bound(maximum) }),
		shared,
		address: index,
	});
}

function reserve(limits: MemoryLimits, first: number, size: number, mapper: PageMapper): SlotMemory | undefined {
	let memory: WasmMemory;
	try {
		memory = createMemory(limits, BigInt(size / WASM_PAGE));
	} catch {
		// No room for so much: perhaps there is for less.
		return undefined;
	}
	if (!mapper.protect(memory.buffer, first, size)) return undefined;
	return new ReservedMemory(memory, mapper, first, limits.maximum ?? MAX_PAGES.i32);
}

abstract class Sized {
	readonly memory: WasmMemory;
	buffer: ArrayBufferLike;
	byteLength: number;
	/** Pages. */
	readonly maximum: number;
	readonly #watching: WasmGlobal[] = [];
	readonly #resized: (() => void)[] = [];
	#bytes: Uint8Array | undefined;
	#pages: WasmGlobal | undefined;

	constructor(memory: WasmMemory, byteLength: number, maximum: bigint) {
		this.memory = memory;
		this.buffer = memory.buffer;
		this.byteLength = byteLength;
		this.maximum = Number(maximum);
	}

	get bytes(): Uint8Array {
		const { buffer, byteLength } = this;
		if (this.#bytes?.buffer !== buffer || this.#bytes.length !== byteLength)
			this.#bytes = new Uint8Array(buffer, 0, byteLength);
		return this.#bytes;
	}

	linkScanner(): FindNonAscii | null {
		return linkScanner(this.memory);
	}

	linkPasser(to: LinearMemory, realloc: Realloc): PassAcross | null {
		return to instanceof Sized ? linkPasser(this.memory, to.memory, realloc) : null;
	}

	onResize(resized: () => void): void {
		this.#resized.push(resized);
	}

	watch(global: WasmGlobal): void {
		this.#watching.push(global);
		this.#tell(global);
	}

	get pages(): WasmGlobal {
		if (this.#pages === undefined) {
			this.#pages = new (webAssembly().Global)({ value: "i32", mutable: true }, 0);
			this.watch(this.#pages);
		}
		return this.#pages;
	}

	/** @param pages at most `maximum` */
	abstract resize(pages: number): boolean;

	grow(pages: bigint): boolean {
		const wanted = BigInt.asUintN(64, pages) + BigInt(this.byteLength / WASM_PAGE);
		if (wanted > this.maximum) return false;
		return pages === 0n || this.resize(Number(wanted));
	}

	protected setSize(byteLength: number): void {
		this.byteLength = byteLength;
		for (const global of this.#watching) this.#tell(global);
		for (const resized of this.#resized) resized();
	}

	#tell(global: WasmGlobal): void {
		const pages = this.byteLength / WASM_PAGE;
		global.value = typeof global.value === "bigint" ? BigInt(pages) : pages;
	}

	/** Grows what V8 sees; there is no way back. */
	protected growV8(pages: number): boolean {
		const delta = pages - this.buffer.byteLength / WASM_PAGE;
		try {
			// V8 wants a number of the memory's own kind, and says so before it does anything.
			try {
				this.memory.grow(delta);
			} catch (error) {
				if (!(error instanceof TypeError)) throw error;
				this.memory.grow(BigInt(delta));
			}
		} catch {
			return false;
		}
		this.buffer = this.memory.buffer;
		this.setSize(this.buffer.byteLength);
		return true;
	}
}

/** As large as V8 has it. */
class V8Memory extends Sized implements SlotMemory {
	readonly shrinks = false;

	constructor(memory: WasmMemory, maximum: bigint) {
		super(memory, memory.buffer.byteLength, maximum);
	}

	override resize(pages: number): boolean {
		return this.growV8(pages);
	}

	shrink(byteLength: number): boolean {
		return this.byteLength === byteLength;
	}
}

/** V8 sees all that is reserved; the part that is not the guest's yet is inaccessible, so that it traps there. */
class ReservedMemory extends Sized implements SlotMemory {
	readonly #mapper: PageMapper;
	/** Bytes. */
	readonly #reserved: number;

	constructor(memory: WasmMemory, mapper: PageMapper, byteLength: number, maximum: bigint) {
		super(memory, byteLength, maximum);
		this.#mapper = mapper;
		this.#reserved = this.buffer.byteLength;
	}

	get shrinks(): boolean {
		return this.buffer.byteLength === this.#reserved;
	}

	override resize(pages: number): boolean {
		const to = pages * WASM_PAGE;
		const within = Math.min(to, this.#reserved);
		if (within > this.byteLength) {
			if (!this.#mapper.unprotect(this.buffer, this.byteLength, within)) return false;
			// What V8 sees is accessible from here on, whether the rest can be had or not.
			if (within === to) {
				this.setSize(to);
				return true;
			}
			if (this.growV8(pages)) return true;
			if (!this.#mapper.protect(this.buffer, this.byteLength, within)) this.setSize(within);
			return false;
		}
		return this.growV8(pages);
	}

	shrink(byteLength: number): boolean {
		if (this.byteLength === byteLength) return true;
		if (!this.shrinks || !this.#mapper.protect(this.buffer, byteLength, this.byteLength)) return false;
		this.setSize(byteLength);
		return true;
	}
}
