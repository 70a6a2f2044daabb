import type { Readable } from "node:stream";
import { Signal } from "./signal.ts";
import { type ByteSource, StreamFailure } from "./stream.ts";

/** A handle that keeps the process alive unless told otherwise, as `process.stdin` is. */
interface Unreferable {
	unref?(): unknown;
}

/**
 * A source over a Node stream of bytes. `open` is called when the first byte is asked for: a stream that nobody reads
 * (`process.stdin` of a command that ignores it) is never touched and keeps no process alive.
 * `destroy` says whether closing the source destroys the stream or only stops reading it.
 */
export function createReadableSource(open: () => Readable, options: { readonly destroy: boolean }): ByteSource {
	const signal = new Signal();
	let stream: Readable | undefined;
	let ended = false;
	let closed = false;
	let failure: StreamFailure | undefined;

	const onReadable = (): void => {
		// The end is announced as readability with nothing to read, and comes only when it is read.
		if (stream?.readableLength === 0) stream.read(0);
		signal.fire();
	};
	const onEnd = (): void => {
		ended = true;
		signal.fire();
	};
	const onError = (error: Error): void => {
		failure ??= new StreamFailure(error.message, { cause: error });
		signal.fire();
	};
	const onClose = (): void => {
		if (!ended) failure ??= new StreamFailure("the stream was closed before its end");
		signal.fire();
	};

	const opened = (): Readable => {
		if (stream !== undefined) return stream;
		stream = open();
		if (stream.readableObjectMode) throw new TypeError("Cannot read bytes from a stream in object mode");
		if (stream.errored) onError(stream.errored);
		else if (stream.readableEnded) onEnd();
		else if (stream.destroyed) onClose();
		stream.on("readable", onReadable).on("end", onEnd).on("error", onError).on("close", onClose);
		return stream;
	};

	return {
		ready: () => closed || opened().readableLength > 0 || ended || failure !== undefined,
		wait: () => signal.wait(),
		read(max) {
			if (closed) return null;
			const from = opened();
			if (failure !== undefined) throw failure;
			const length = Math.min(max, from.readableLength);
			if (length === 0) return ended ? null : new Uint8Array(0);
			const chunk: unknown = from.read(length);
			if (chunk === null) return new Uint8Array(0);
			if (!(chunk instanceof Uint8Array)) throw new TypeError("Cannot read a stream of bytes: it gives no bytes");
			return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
		},
		close() {
			if (closed) return;
			closed = true;
			signal.fire();
			if (stream === undefined) return;
			stream.off("readable", onReadable).off("end", onEnd).off("close", onClose);
			if (options.destroy) {
				// The error listener stays: an error after this is of no interest, and must not end the process.
				stream.destroy();
				return;
			}
			stream.off("error", onError);
			stream.pause();
			(stream as Unreferable).unref?.();
		},
	};
}
