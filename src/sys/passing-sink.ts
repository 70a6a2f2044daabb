import type { ByteSink } from "./stream.ts";

/** Passes everything on to another sink: for those that do something more with some of it. */
export class PassingSink implements ByteSink {
	readonly #sink: ByteSink;

	constructor(sink: ByteSink) {
		this.#sink = sink;
	}

	ready(): boolean {
		return this.#sink.ready();
	}

	wait(): Promise<void> {
		return this.#sink.wait();
	}

	capacity(): number | null {
		return this.#sink.capacity();
	}

	write(bytes: Uint8Array): void {
		this.#sink.write(bytes);
	}

	flush(): void {
		this.#sink.flush();
	}

	flushed(): boolean {
		return this.#sink.flushed();
	}

	close(): void {
		this.#sink.close();
	}
}
