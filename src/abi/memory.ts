import { ARRAY_NAMES, type NumericArray } from "./numeric-list.ts";
import type { FindNonAscii, LinearMemory, PassAcross, Realloc } from "./store.ts";

const NOTHING = new ArrayBuffer(0);
/** All of one shape, which V8 knows. */
const NO_ARRAYS = Object.fromEntries(ARRAY_NAMES.map((name) => [name, undefined]));
/** No length. */
const UNKNOWN = -1;
/** What is used this often has a Wasm function of its own, which takes as long to be made as some hundred uses. */
export const OFTEN = 100;

const memories = new WeakMap<LinearMemory, GuestMemory>();

/**
 * A guest's linear memory as lifting and lowering use it, and the only way in which they do: the views cover what logically belongs
 * to the guest and not one byte more. They are right from `refresh` until the guest runs again.
 */
export class GuestMemory {
	/** The guest's bytes; the length is the memory's logical length. */
	bytes: Uint8Array = new Uint8Array(NOTHING);
	view: DataView = new DataView(NOTHING);
	/** What lies under the views, from its beginning: not to be viewed beyond `bytes.length`. */
	buffer: ArrayBufferLike = NOTHING;
	/** The same bytes as numbers, by the name of the array: as many as were asked for, by those who put them here. */
	arrays: Partial<Record<string, NumericArray>> = {};
	readonly #source: LinearMemory | null;
	/** What the length of `bytes` is as long as they are right. */
	#length = UNKNOWN;
	/** Undefined until it is used often: whoever calls it is to see no other function. */
	#scan: FindNonAscii | undefined;
	#scans = 0;

	constructor(source: LinearMemory | null) {
		this.#source = source;
		source?.onResize?.(() => {
			this.#length = UNKNOWN;
		});
	}

	/** The one of `source`, shared by all functions that use it. */
	static of(source: LinearMemory | null): GuestMemory {
		if (source === null) return new GuestMemory(null);
		let memory = memories.get(source);
		if (memory === undefined) memories.set(source, (memory = new GuestMemory(source)));
		return memory;
	}

	/** To be called whenever the guest may have run. Asking V8 for the buffer costs more than all else here, so that it is not asked. */
	refresh(): void {
		if (this.bytes.length !== this.#length) this.#renew();
	}

	/** Whether these bytes, which lie in the memory, are known to be ASCII: true only where that is told fast. */
	isAscii(pointer: number, length: number): boolean {
		return this.#scan === undefined ? this.#countScan() : this.#scan(pointer, length) === 0;
	}

	#countScan(): false {
		if (++this.#scans === OFTEN) this.#scan = this.#source?.linkScanner?.() ?? undefined;
		return false;
	}

	/** What passes bytes of this memory on to another, which has that realloc; `null` where nothing does that fast. */
	linkPasser(to: GuestMemory, realloc: Realloc): PassAcross | null {
		return (to.#source !== null && this.#source?.linkPasser?.(to.#source, realloc)) || null;
	}

	#renew(): void {
		const source = this.#source;
		if (source === null) return;
		const { buffer } = source;
		const length = Math.min(source.byteLength ?? buffer.byteLength, buffer.byteLength);
		// A buffer that is shared stays what it is when its memory grows; another is detached then, and its views are empty.
		const isTold = source.byteLength === undefined || source.onResize !== undefined;
		this.#length = isTold && buffer instanceof ArrayBuffer && length > 0 ? length : UNKNOWN;
		if (buffer === this.buffer && length === this.bytes.length) return;
		this.buffer = buffer;
		this.bytes = new Uint8Array(buffer, 0, length);
		this.arrays = { ...NO_ARRAYS };
		this.view = new DataView(buffer, 0, length);
	}
}
