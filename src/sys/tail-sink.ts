import { PassingSink } from "./passing-sink.ts";
import type { ByteSink } from "./stream.ts";

/** Passes everything on to another sink, and keeps the end of it. */
export class TailSink extends PassingSink {
	readonly #most: number;
	/** Made with the first write. */
	#kept: Uint8Array | undefined;
	#length = 0;
	#cut = false;

	/** @param most bytes that are kept */
	constructor(sink: ByteSink, most: number) {
		super(sink);
		this.#most = most;
	}

	override write(bytes: Uint8Array): void {
		this.#keep(bytes);
		super.write(bytes);
	}

	/** From here on it is as if nothing had been written. */
	forget(): void {
		this.#length = 0;
		this.#cut = false;
	}

	/**
	 * The last of what was written, as UTF-8, without the ends of lines behind the last; U+FFFD where it is not UTF-8. With `…` in front where something
	 * is left out, it begins with a line where there is more than one. `undefined`: nothing was written.
	 */
	text(): string | undefined {
		if (this.#kept === undefined || this.#length === 0) return undefined;
		let from = 0;
		if (this.#cut) {
			const line = this.#kept.indexOf(NEWLINE) + 1;
			if (line > 0 && line < this.#length) from = line;
			// Not from the middle of a character
			else while (from < 3 && ((this.#kept[from] ?? 0) & 0xc0) === 0x80) from++;
		}
		const text = new TextDecoder().decode(this.#kept.subarray(from, this.#length)).replace(/[\r\n]+$/, "");
		return this.#cut ? `…${from > 0 && this.#kept[from - 1] === NEWLINE ? "\n" : ""}${text}` : text;
	}

	#keep(bytes: Uint8Array): void {
		if (bytes.length === 0) return;
		const kept = (this.#kept ??= new Uint8Array(this.#most));
		const over = this.#length + bytes.length - this.#most;
		if (over > 0) {
			this.#cut = true;
			const left = Math.max(0, this.#length - over);
			kept.copyWithin(0, this.#length - left, this.#length);
			this.#length = left;
		}
		const last = bytes.subarray(-this.#most);
		kept.set(last, this.#length);
		this.#length += last.length;
	}
}

const NEWLINE = 10;
