/** Chunks below this are copied together, so that a writer of single bytes does not cost an object per byte. */
const SMALL = 1024;
const BLOCK = 4096;

interface Chunk {
	readonly bytes: Uint8Array;
	start: number;
	end: number;
	/** A block of our own with room behind `end`; otherwise the writer's array. */
	readonly block: boolean;
}

/** A first-in first-out queue of bytes. */
export class ChunkQueue {
	#chunks: Chunk[] = [];
	#head = 0;
	#length = 0;

	/** Bytes in the queue. */
	get length(): number {
		return this.#length;
	}

	/** Keeps `bytes` without a copy when they are many. */
	push(bytes: Uint8Array): void {
		if (bytes.length === 0) return;
		this.#length += bytes.length;
		if (bytes.length >= SMALL) {
			this.#chunks.push({ bytes, start: 0, end: bytes.length, block: false });
			return;
		}
		let tail = this.#chunks.at(-1);
		if (tail === undefined || !tail.block || tail.bytes.length - tail.end < bytes.length) {
			tail = { bytes: new Uint8Array(BLOCK), start: 0, end: 0, block: true };
			this.#chunks.push(tail);
		}
		tail.bytes.set(bytes, tail.end);
		tail.end += bytes.length;
	}

	/** The next bytes, at most `max`; empty only when the queue or `max` is. */
	shift(max: number): Uint8Array {
		const chunk = this.#chunks[this.#head];
		if (chunk === undefined || max <= 0) return new Uint8Array(0);
		const end = Math.min(chunk.end, chunk.start + max);
		const taken = chunk.block ? chunk.bytes.slice(chunk.start, end) : chunk.bytes.subarray(chunk.start, end);
		chunk.start = end;
		this.#length -= taken.length;
		if (chunk.start === chunk.end) this.#drop();
		return taken;
	}

	clear(): void {
		this.#chunks = [];
		this.#head = 0;
		this.#length = 0;
	}

	#drop(): void {
		this.#head++;
		// Array.shift would be linear for long queues; the dead front is cut off when it is half of the array.
		if (this.#head * 2 >= this.#chunks.length) {
			this.#chunks.splice(0, this.#head);
			this.#head = 0;
		}
	}
}
