import type { ByteSink } from "../sys/mod.ts";

/** Longest line that is kept in one piece, in bytes. */
const LONGEST_LINE = 8 * 1024;

/**
 * A guest's standard output or error as lines of the operator's log. What goes beyond `limit` bytes is thrown away, and said so
 * once: a guest that floods its output fills neither memory nor disk.
 */
export class LineSink implements ByteSink {
	readonly #limit: number;
	readonly #onLine: (line: string) => void;
	// Made when first written to: there is a sink for every request, and most guests say nothing.
	#decoder: TextDecoder | undefined;
	#pending = "";
	#taken = 0;
	#closed = false;

	constructor(limit: number, onLine: (line: string) => void) {
		this.#limit = limit;
		this.#onLine = onLine;
	}

	ready(): boolean {
		return true;
	}

	wait(): Promise<void> {
		return Promise.resolve();
	}

	capacity(): number | null {
		return this.#closed ? null : 64 * 1024;
	}

	write(bytes: Uint8Array): void {
		if (this.#taken > this.#limit) return;
		const kept = bytes.subarray(0, this.#limit - this.#taken);
		this.#taken += bytes.length;
		this.#decoder ??= new TextDecoder();
		this.#push(this.#decoder.decode(kept, { stream: true }));
		if (this.#taken > this.#limit) {
			this.#push(`\n… more than ${this.#limit} bytes of output (limit "output"): the rest is not shown\n`);
		}
	}

	flush(): void {}

	flushed(): boolean {
		return true;
	}

	close(): void {
		if (this.#closed) return;
		this.#closed = true;
		if (this.#pending !== "") this.#onLine(this.#pending);
		this.#pending = "";
	}

	#push(text: string): void {
		const lines = `${this.#pending}${text}`.split("\n");
		this.#pending = lines.pop() ?? "";
		for (const line of lines) this.#onLine(line.replace(/\r$/, ""));
		while (this.#pending.length > LONGEST_LINE) {
			this.#onLine(this.#pending.slice(0, LONGEST_LINE));
			this.#pending = this.#pending.slice(LONGEST_LINE);
		}
	}
}
