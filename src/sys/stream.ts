/**
 * Byte streams with backpressure, pulled without blocking: what `wasi:io/streams` and HTTP bodies stand on.
 * Sources and sinks never buffer more than their own bound, so memory does not grow with the length of a stream.
 */

/** Something that can be waited for. */
export interface Waitable {
	/** True when the next operation would not have to wait (also at the end of a stream and after a failure). */
	ready(): boolean;
	/** Settles when `ready()` may have become true; never rejects. Called only when `ready()` is false. */
	wait(): Promise<void>;
}

/** The stream broke: the message is for the guest's `error.to-debug-string`. */
export class StreamFailure extends Error {
	override readonly name = "StreamFailure";
}

export interface ByteSource extends Waitable {
	/**
	 * Up to `max` bytes that are there now: an empty array when there are none yet, `null` at the end of the stream.
	 * The bytes belong to the caller. Throws a `StreamFailure`.
	 */
	read(max: number): Uint8Array | null;
	/** The reader wants no more. Idempotent. */
	close(): void;
}

export interface ByteSink extends Waitable {
	/** How many bytes `write` takes now; 0 when it must be waited for; `null` when the other side has closed. Throws a `StreamFailure`. */
	capacity(): number | null;
	/**
	 * At most `capacity()` bytes; a sink that several writers share (standard output) may be given as much by each of them.
	 * The sink may keep the array: the caller does not write to it again. Does nothing once the other side has closed.
	 */
	write(bytes: Uint8Array): void;
	/** Starts flushing: there is no capacity until all that was written has left. */
	flush(): void;
	/** True when all that was written has left; never again once some of it was lost. */
	flushed(): boolean;
	/** No more will be written. Idempotent. What was written is still delivered. */
	close(): void;
}
