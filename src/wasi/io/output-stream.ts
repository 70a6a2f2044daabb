import { Trap } from "../../fault/mod.ts";
import { type ByteSink, StreamFailure } from "../../sys/mod.ts";
import { err, ok, type Result } from "../result.ts";
import type { InputStream } from "./input-stream.ts";
import { IoError, type StreamError } from "./io-error.ts";
import { Pollable } from "./pollable.ts";
import { attemptUntil, type Watch, watchOf } from "./watch.ts";

export type WriteResult = Result<undefined, StreamError>;

/** WASI 0.2 `blocking-write-and-flush`: "Perform a write of up to 4096 bytes". */
const BLOCKING_WRITE_BYTES = 4096;

/** `wasi:io/streams.output-stream` over a sink of bytes. */
export class OutputStream implements Watch {
	readonly sink: ByteSink;
	readonly #onDrop: () => void;
	#open = true;
	/** What the last `check-write` permitted and was not yet written. */
	#permit = 0;

	/** `onDrop` is what the end of the guest's handle means; without it, the sink is closed. */
	constructor(sink: ByteSink, onDrop: () => void = () => sink.close()) {
		this.sink = sink;
		this.#onDrop = onDrop;
	}

	/** How many bytes the next `write` may have, at most `limit`. */
	checkWrite(limit: number): Result<number, StreamError> {
		this.#permit = 0;
		const capacity = this.#capacity();
		if (capacity.tag === "ok") this.#permit = Math.min(capacity.val, limit);
		return capacity.tag === "ok" ? ok(this.#permit) : capacity;
	}

	/** Traps when there are more bytes than the last `checkWrite` permitted. */
	write(bytes: Uint8Array): WriteResult {
		this.#spend(bytes.length);
		return this.#write(bytes);
	}

	writeZeroes(length: bigint): WriteResult {
		this.#spend(length);
		return this.#write(new Uint8Array(Number(length)));
	}

	flush(): WriteResult {
		this.#permit = 0;
		return this.#guard(() => {
			// A sink tells of its end and of its failure through its capacity.
			if (this.sink.capacity() === null) return this.#closed();
			this.sink.flush();
			return ok();
		});
	}

	blockingFlush(): WriteResult | Promise<WriteResult> {
		const started = this.flush();
		return started.tag === "err" ? started : this.#untilFlushed();
	}

	/** Traps above 4096 bytes. */
	blockingWriteAndFlush(bytes: Uint8Array): WriteResult | Promise<WriteResult> {
		if (bytes.length > BLOCKING_WRITE_BYTES) throw tooLong(bytes.length);
		this.#permit = 0;
		const quick = this.#writeAndFlushNow(bytes);
		if (quick !== undefined) return quick;
		let rest = bytes;
		const written = attemptUntil<WriteResult>(
			() => [watchOf(this.sink)],
			() => {
				for (;;) {
					const capacity = this.#capacity();
					if (capacity.tag === "err") return capacity;
					if (rest.length === 0) return this.flush();
					if (capacity.val === 0) return undefined;
					const result = this.#write(rest.subarray(0, capacity.val));
					if (result.tag === "err") return result;
					rest = rest.subarray(capacity.val);
				}
			},
		);
		if (written instanceof Promise) {
			return written.then((result) => (result.tag === "err" ? result : this.#untilFlushed()));
		}
		return written.tag === "err" ? written : this.#untilFlushed();
	}

	/** Most sinks take all at once and have nothing to flush; `undefined` where that is not so, and nothing is done then. */
	#writeAndFlushNow(bytes: Uint8Array): WriteResult | Promise<WriteResult> | undefined {
		const capacity = this.#capacity();
		if (capacity.tag === "err") return capacity;
		if (capacity.val < bytes.length) return undefined;
		const written = this.#write(bytes);
		if (written.tag === "err") return written;
		return this.blockingFlush();
	}

	/** Traps above 4096. */
	blockingWriteZeroesAndFlush(length: bigint): WriteResult | Promise<WriteResult> {
		if (length > BigInt(BLOCKING_WRITE_BYTES)) throw tooLong(length);
		return this.blockingWriteAndFlush(new Uint8Array(Number(length)));
	}

	/** Moves at most `length` bytes that are there now; how many it moved. */
	splice(source: InputStream, length: number): Result<number, StreamError> {
		const permitted = this.checkWrite(length);
		if (permitted.tag === "err") return permitted;
		const read = source.read(permitted.val);
		if (read.tag === "err") return read;
		const written = this.write(read.val);
		return written.tag === "err" ? written : ok(read.val.length);
	}

	/** As `splice`, after waiting until both streams are ready. */
	blockingSplice(
		source: InputStream,
		length: number,
	): Result<number, StreamError> | Promise<Result<number, StreamError>> {
		const both = (): Result<number, StreamError> | undefined =>
			this.ready() && source.ready() ? this.splice(source, length) : undefined;
		const first = both();
		if (first !== undefined) return first;
		return this.#spliceWhenReady(source, both);
	}

	async #spliceWhenReady(
		source: InputStream,
		both: () => Result<number, StreamError> | undefined,
	): Promise<Result<number, StreamError>> {
		for (;;) {
			await attemptUntil(
				() => [watchOf(this.sink)],
				() => this.ready() || undefined,
			);
			await attemptUntil(
				() => [watchOf(source.source)],
				() => source.ready() || undefined,
			);
			const result = both();
			if (result !== undefined) return result;
		}
	}

	ready(): boolean {
		return !this.#open || this.sink.ready();
	}

	subscribe(): Pollable {
		return new Pollable(this);
	}

	/** As the watch of its pollables. */
	watch(wake: () => void): () => void {
		return watchOf(this.sink).watch(wake);
	}

	drop(): void {
		this.#open = false;
		this.#onDrop();
	}

	#spend(length: number | bigint): void {
		if (length > this.#permit) {
			throw new Trap(`write of ${length} bytes exceeds the permit of ${this.#permit} that check-write gave`);
		}
		this.#permit -= Number(length);
	}

	#capacity(): Result<number, StreamError> {
		return this.#guard(() => {
			const capacity = this.sink.capacity();
			return capacity === null ? this.#closed() : ok(capacity);
		});
	}

	#write(bytes: Uint8Array): WriteResult {
		return this.#guard(() => {
			if (this.sink.capacity() === null) return this.#closed();
			if (bytes.length > 0) this.sink.write(bytes);
			return ok();
		});
	}

	/** Once `flush` was called. */
	#untilFlushed(): WriteResult | Promise<WriteResult> {
		return attemptUntil<WriteResult>(
			() => [watchOf(this.sink)],
			() =>
				this.#guard<WriteResult | undefined>(() => {
					// The capacity first, for it tells of a failure; but who read all and then went has not closed too early.
					const capacity = this.sink.capacity();
					if (this.sink.flushed()) return ok();
					return capacity === null ? this.#closed() : undefined;
				}),
		);
	}

	#closed(): Result<never, StreamError> {
		this.#open = false;
		return err({ tag: "closed" });
	}

	/** A failure is told once; after it the stream is closed. */
	#guard<T>(operation: () => T): T | Result<never, StreamError> {
		if (!this.#open) return err({ tag: "closed" });
		try {
			return operation();
		} catch (failure) {
			if (!(failure instanceof StreamFailure)) throw failure;
			this.#open = false;
			return err({ tag: "last-operation-failed", val: new IoError(failure) });
		}
	}
}

function tooLong(length: number | bigint): Trap {
	return new Trap(`blocking write of ${length} bytes exceeds ${BLOCKING_WRITE_BYTES}`);
}
