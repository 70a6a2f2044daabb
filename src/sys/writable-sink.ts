import type { Writable } from "node:stream";
import { Signal } from "./signal.ts";
import { type ByteSink, StreamFailure } from "./stream.ts";

function isPeerGone(error: Error): boolean {
	const code = (error as NodeJS.ErrnoException).code;
	return code === "EPIPE" || code === "ECONNRESET" || code === "ERR_STREAM_DESTROYED";
}

/**
 * A sink over a Node stream, with the stream's own high-water mark as its bound. `end` says whether closing the sink
 * ends the stream; `process.stdout` and its like are left open.
 */
export function createWritableSink(stream: Writable, options: { readonly end: boolean }): ByteSink {
	const signal = new Signal();
	let pending = 0;
	let flushing = false;
	let closed = false;
	let attached = false;
	let gone = false;
	let failure: StreamFailure | undefined;

	const onDrain = (): void => signal.fire();
	const onError = (error: Error): void => {
		if (isPeerGone(error)) gone = true;
		else failure ??= new StreamFailure(error.message, { cause: error });
		signal.fire();
	};
	const onClose = (): void => {
		gone = true;
		signal.fire();
	};
	const attach = (): void => {
		if (attached || closed) return;
		attached = true;
		stream.on("drain", onDrain).on("error", onError).on("close", onClose);
	};
	// The listeners stay until the last write is through, and that for errors longer where there may be one more.
	const detach = (): void => {
		if (!attached || !closed || pending > 0) return;
		attached = false;
		stream.off("drain", onDrain).off("close", onClose);
		if (!options.end && !gone && failure === undefined) stream.off("error", onError);
	};
	const over = (): boolean => closed || gone || stream.destroyed || stream.writableEnded;
	// A synchronous write that fails shows here first; its event comes later.
	const lookForError = (): void => {
		if (stream.errored && !gone && failure === undefined) onError(stream.errored);
	};

	return {
		ready: () => over() || failure !== undefined || (!flushing && !stream.writableNeedDrain),
		wait() {
			attach();
			return signal.wait();
		},
		capacity() {
			lookForError();
			if (failure !== undefined && !closed) throw failure;
			if (over()) return null;
			if (flushing || stream.writableNeedDrain) return 0;
			return Math.max(1, stream.writableHighWaterMark - stream.writableLength);
		},
		write(bytes) {
			if (over()) return;
			attach();
			pending++;
			stream.write(bytes, (error) => {
				if (error) onError(error);
				pending--;
				if (stream.writableLength > 0) return;
				flushing = false;
				signal.fire();
				detach();
			});
		},
		flush() {
			flushing = stream.writableLength > 0;
		},
		// Not by the callbacks: where Node writes synchronously (files, terminals, pipes) nothing is left after the write,
		// though its callback comes later, and the guest need not be suspended for it.
		flushed: () => stream.writableLength === 0,
		close() {
			if (closed) return;
			if (options.end) attach();
			closed = true;
			if (options.end) stream.end();
			signal.fire();
			detach();
		},
	};
}
