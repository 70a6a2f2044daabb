import { type ByteSink, type ByteSource, StreamFailure } from "./stream.ts";

/** A source of bytes that are all there; none by default. */
export function createBytesSource(bytes: Uint8Array = new Uint8Array(0)): ByteSource {
	let rest: Uint8Array | null = bytes;
	return {
		ready: () => true,
		wait: () => Promise.resolve(),
		read(max) {
			if (rest === null || rest.length === 0) return null;
			const taken = rest.slice(0, max);
			rest = rest.subarray(taken.length);
			return taken;
		},
		close() {
			rest = null;
		},
	};
}

/** A sink that takes everything and keeps nothing. */
export function createNullSink(): ByteSink {
	let closed = false;
	return {
		ready: () => true,
		wait: () => Promise.resolve(),
		capacity: () => (closed ? null : Number.MAX_SAFE_INTEGER),
		write() {},
		flush() {},
		flushed: () => true,
		close() {
			closed = true;
		},
	};
}

/** A sink that keeps what is written, up to a limit; the write that would pass it fails the stream. */
export class CollectingSink implements ByteSink {
	readonly limit: number;
	readonly #chunks: Uint8Array[] = [];
	#length = 0;
	#closed = false;

	constructor(limit: number = 1024 * 1024) {
		this.limit = limit;
	}

	/** A copy of all that was written. */
	bytes(): Uint8Array {
		const all = new Uint8Array(this.#length);
		let at = 0;
		for (const chunk of this.#chunks) {
			all.set(chunk, at);
			at += chunk.length;
		}
		return all;
	}

	/** What was written, as UTF-8; U+FFFD where it is not. */
	text(): string {
		return new TextDecoder().decode(this.bytes());
	}

	get closed(): boolean {
		return this.#closed;
	}

	ready(): boolean {
		return true;
	}

	wait(): Promise<void> {
		return Promise.resolve();
	}

	capacity(): number | null {
		if (this.#closed) return null;
		if (this.#length >= this.limit) throw this.#full();
		return this.limit - this.#length;
	}

	write(bytes: Uint8Array): void {
		if (this.#closed) return;
		if (this.#length + bytes.length > this.limit) throw this.#full();
		this.#chunks.push(bytes);
		this.#length += bytes.length;
	}

	flush(): void {}

	flushed(): boolean {
		return true;
	}

	close(): void {
		this.#closed = true;
	}

	#full(): StreamFailure {
		return new StreamFailure(`no more than ${this.limit} bytes are kept`);
	}
}
