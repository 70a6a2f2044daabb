import { ChunkQueue } from "./chunk-queue.ts";
import { Signal } from "./signal.ts";
import type { ByteSink, ByteSource, StreamFailure } from "./stream.ts";

const DEFAULT_PIPE_BYTES = 64 * 1024;

/** A bounded pipe: what is written to `sink` is read from `source`. */
export interface Pipe {
	readonly source: ByteSource;
	readonly sink: ByteSink;
	/** Bytes that were written and not yet read. */
	readonly buffered: () => number;
	/** Breaks both ends; what is in the pipe is lost. The first failure stays; none after both ends have closed. */
	readonly fail: (failure: StreamFailure) => void;
}

/** Holds at most `limit` bytes: the writer waits while it is full, the reader while it is empty. */
export function createPipe(limit: number = DEFAULT_PIPE_BYTES): Pipe {
	const queue = new ChunkQueue();
	const readable = new Signal();
	const writable = new Signal();
	let readerClosed = false;
	let writerClosed = false;
	let flushing = false;
	/** Something was written that nobody will read: it is never flushed. */
	let lost = false;
	let failure: StreamFailure | undefined;

	const source: ByteSource = {
		ready: () => queue.length > 0 || writerClosed || readerClosed || failure !== undefined,
		wait: () => readable.wait(),
		read(max) {
			if (failure !== undefined && !readerClosed) throw failure;
			if (readerClosed || (writerClosed && queue.length === 0)) return null;
			const bytes = queue.shift(max);
			if (queue.length === 0) flushing = false;
			if (bytes.length > 0 && !flushing) writable.fire();
			return bytes;
		},
		close() {
			if (readerClosed) return;
			readerClosed = true;
			lost = queue.length > 0;
			queue.clear();
			readable.fire();
			writable.fire();
		},
	};

	const sink: ByteSink = {
		ready: () => readerClosed || writerClosed || failure !== undefined || (!flushing && queue.length < limit),
		wait: () => writable.wait(),
		capacity() {
			if (failure !== undefined && !writerClosed) throw failure;
			if (readerClosed || writerClosed) return null;
			return flushing ? 0 : Math.max(0, limit - queue.length);
		},
		write(bytes) {
			if (readerClosed || writerClosed || failure !== undefined || bytes.length === 0) return;
			queue.push(bytes);
			readable.fire();
		},
		flush() {
			flushing = queue.length > 0;
		},
		flushed: () => queue.length === 0 && !lost,
		close() {
			if (writerClosed) return;
			writerClosed = true;
			readable.fire();
			writable.fire();
		},
	};

	return {
		source,
		sink,
		buffered: () => queue.length,
		fail(reason) {
			if (failure !== undefined || (readerClosed && writerClosed)) return;
			failure = reason;
			lost ||= queue.length > 0;
			queue.clear();
			readable.fire();
			writable.fire();
		},
	};
}
