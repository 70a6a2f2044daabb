import { type ByteSource, StreamFailure } from "../../sys/mod.ts";
import { err, ok, type Result } from "../result.ts";
import { IoError, type StreamError } from "./io-error.ts";
import { Pollable } from "./pollable.ts";
import { attemptUntil, watchOf } from "./watch.ts";

export type ReadResult = Result<Uint8Array, StreamError>;

/** `wasi:io/streams.input-stream` over a source of bytes. */
export class InputStream {
	readonly source: ByteSource;
	readonly #onDrop: () => void;
	#open = true;
	#pollable: Pollable | undefined;

	/** `onDrop` is what the end of the guest's handle means; without it, the source is closed. */
	constructor(source: ByteSource, onDrop: () => void = () => source.close()) {
		this.source = source;
		this.#onDrop = onDrop;
	}

	/** At most `length` bytes; an empty array when there are none yet. */
	read(length: number): ReadResult {
		if (!this.#open) return err({ tag: "closed" });
		try {
			const bytes = this.source.read(length);
			if (bytes !== null) return ok(bytes);
			this.#open = false;
			return err({ tag: "closed" });
		} catch (failure) {
			if (!(failure instanceof StreamFailure)) throw failure;
			this.#open = false;
			return err({ tag: "last-operation-failed", val: new IoError(failure) });
		}
	}

	/** As `read`, after waiting until it has something to say. */
	blockingRead(length: number): ReadResult | Promise<ReadResult> {
		return attemptUntil(
			() => [watchOf(this.source)],
			() => {
				if (length === 0) return this.#open && !this.source.ready() ? undefined : this.read(0);
				const result = this.read(length);
				return result.tag === "ok" && result.val.length === 0 ? undefined : result;
			},
		);
	}

	ready(): boolean {
		return !this.#open || this.source.ready();
	}

	/** The same each time: it holds nothing, and StarlingMonkey asks for one before each read without ever dropping it. */
	subscribe(): Pollable {
		if (this.#pollable === undefined) {
			this.#pollable = new Pollable({
				ready: () => this.ready(),
				watch: (wake) => watchOf(this.source).watch(wake),
			});
		}
		return this.#pollable;
	}

	drop(): void {
		this.#open = false;
		this.#onDrop();
	}
}
