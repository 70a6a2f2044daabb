import type { OutgoingMessage } from "node:http";
import type { BufferMeter } from "./buffer-meter.ts";
import { type HttpFailure, toHttpFailure } from "./http-failure.ts";
import type { ByteSink } from "./stream.ts";
import { Signal } from "./signal.ts";

/** Where the body of an HTTP message goes. */
export interface BodySink extends ByteSink {
	/** The body is complete; `trailers` are names and values in turn. */
	finish(trailers: readonly string[]): void;
	/** The body will never be complete: the other side must see that. */
	abort(): void;
}

export interface OutgoingSinkOptions {
	/** Bytes that may be on their way to the kernel. */
	readonly bound: number;
	readonly meter?: BufferMeter;
	/** Called when bytes have left. */
	readonly onProgress?: () => void;
}

/**
 * The body of an HTTP message that is sent, as the response of a server or the request of a client. A byte counts as held
 * until the kernel has taken it, so a slow peer stops the writer after `bound` bytes.
 */
export class OutgoingMessageSink implements BodySink {
	readonly #message: OutgoingMessage;
	readonly #options: OutgoingSinkOptions;
	readonly #signal = new Signal();
	#buffered = 0;
	#flushing = false;
	#waking = false;
	#done = false;
	#peerClosed = false;
	#failure: HttpFailure | undefined;

	constructor(message: OutgoingMessage, options: OutgoingSinkOptions) {
		this.#message = message;
		this.#options = options;
		message.on("error", (error) => {
			this.#failure ??= toHttpFailure(error);
			this.#release(this.#buffered);
		});
		message.on("close", () => {
			this.#peerClosed = true;
			this.#release(this.#buffered);
		});
	}

	ready(): boolean {
		if (this.#isOver()) return true;
		return this.#flushing ? this.#buffered === 0 : this.#buffered < this.#options.bound;
	}

	wait(): Promise<void> {
		return this.#signal.wait();
	}

	capacity(): number | null {
		if (this.#failure !== undefined && !this.#done) throw this.#failure;
		if (this.#isOver()) return null;
		if (this.#flushing && this.#buffered > 0) return 0;
		return Math.max(0, this.#options.bound - this.#buffered);
	}

	write(bytes: Uint8Array): void {
		if (bytes.length === 0 || this.#isOver()) return;
		this.#buffered += bytes.length;
		this.#options.meter?.add(bytes.length);
		this.#message.write(bytes, () => {
			this.#release(bytes.length);
			this.#options.onProgress?.();
		});
	}

	flush(): void {
		this.#flushing = this.#buffered > 0;
	}

	flushed(): boolean {
		return this.#buffered === 0;
	}

	close(): void {
		this.finish([]);
	}

	finish(trailers: readonly string[]): void {
		if (this.#done) return;
		this.#done = true;
		if (!this.#isDestroyed()) {
			const pairs: [string, string][] = [];
			for (let i = 0; i + 1 < trailers.length; i += 2) pairs.push([trailers[i] ?? "", trailers[i + 1] ?? ""]);
			// Node sends them with a chunked body only; RFC 9110, 6.5: a sender may leave trailers out elsewhere.
			if (pairs.length > 0) this.#message.addTrailers(pairs);
			this.#message.end();
		}
		this.#signal.fire();
	}

	abort(): void {
		if (this.#done) return;
		this.#done = true;
		this.#message.destroy();
		this.#signal.fire();
	}

	#isDestroyed(): boolean {
		return this.#peerClosed || this.#failure !== undefined || this.#message.destroyed;
	}

	#isOver(): boolean {
		return this.#done || this.#isDestroyed();
	}

	/** Callbacks of writes may come after the close that has released them all. */
	#release(bytes: number): void {
		const released = Math.min(bytes, this.#buffered);
		this.#buffered -= released;
		this.#options.meter?.add(-released);
		if (this.#buffered === 0) this.#flushing = false;
		if (this.#waking) return;
		// In another turn of the event loop: a writer whose bytes the kernel takes at once would never let go of this one.
		this.#waking = true;
		setImmediate(() => {
			this.#waking = false;
			this.#signal.fire();
		});
	}
}

/** Takes a body that must not be sent: of the answer to HEAD, of 204 and 304. */
export class DiscardingSink implements BodySink {
	readonly #onFinish: () => void;
	readonly #onAbort: () => void;
	#done = false;

	constructor(onFinish: () => void = () => {}, onAbort: () => void = () => {}) {
		this.#onFinish = onFinish;
		this.#onAbort = onAbort;
	}

	ready(): boolean {
		return true;
	}

	wait(): Promise<void> {
		return Promise.resolve();
	}

	capacity(): number | null {
		return this.#done ? null : 65_536;
	}

	write(_bytes: Uint8Array): void {}

	flush(): void {}

	flushed(): boolean {
		return true;
	}

	close(): void {
		this.finish();
	}

	finish(): void {
		if (this.#done) return;
		this.#done = true;
		this.#onFinish();
	}

	abort(): void {
		if (this.#done) return;
		this.#done = true;
		this.#onAbort();
	}
}
