/** Up to this many bytes, V8 keeps an array's numbers beside the array: nothing is quicker. */
export const INLINE = 64;
/** Longer lists have a buffer of their own: most of their time is the copy's. */
export const LONGEST = 2048;
/** The first buffer is its list's own, so that a sandbox of one call has no room that nobody uses; then they grow. */
const SECOND = 1 << 12;
const LARGEST = 1 << 16;
/** Whatever its numbers are, a list is aligned. */
const ALIGNMENT = 8;

type Mark = (buffer: ArrayBuffer) => void;

/** Node's: who would transfer the buffer with one list, whichever way, is told so, as the others would lose theirs. */
const keepHere: Mark | undefined = (
	globalThis as {
		process?: { getBuiltinModule?(name: string): { markAsUntransferable?: Mark } };
	}
).process?.getBuiltinModule?.("node:worker_threads").markAsUntransferable;

/**
 * Buffers that short lists of numbers share on their way out of one use of one sandbox, as V8 takes longer to make a buffer than to copy what
 * goes into it. Each list has its bytes to itself; what it can reach through `buffer` is of the same use, or zero.
 */
export class SharedBuffer {
	/** Where the last list was put. */
	buffer: ArrayBuffer = new ArrayBuffer(0);
	#bytes = new Uint8Array(this.buffer);
	#used = 0;
	#next = 0;

	/** Copies `size` bytes at `pointer`; returns where they are in `buffer`, which may be another one now. */
	put(bytes: Uint8Array, pointer: number, size: number): number {
		let at = (this.#used + ALIGNMENT - 1) & -ALIGNMENT;
		// One that was detached, where nothing keeps it here, has no room.
		if (at + size > this.#bytes.length) {
			this.#renew(size);
			at = 0;
		}
		this.#bytes.set(bytes.subarray(pointer, pointer + size), at);
		this.#used = at + size;
		return at;
	}

	/** The use of the sandbox is over: nobody else's lists come near those that were lifted. */
	drop(): void {
		if (this.#next === 0) return;
		this.buffer = new ArrayBuffer(0);
		this.#bytes = new Uint8Array(this.buffer);
		this.#used = 0;
		this.#next = 0;
	}

	#renew(size: number): void {
		const length = Math.max(size, this.#next);
		this.#next = this.#next === 0 ? SECOND : Math.min(LARGEST, this.#next * 4);
		this.buffer = new ArrayBuffer(length);
		if (length > size) keepHere?.(this.buffer);
		this.#bytes = new Uint8Array(this.buffer);
	}
}
