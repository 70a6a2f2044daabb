import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { HttpFailure, toHttpFailure } from "./http-failure.ts";
import type { ByteSource } from "./stream.ts";
import { Signal } from "./signal.ts";

/** Where the body of an HTTP message comes from. */
export interface BodySource extends ByteSource {
	/** Names and values in turn, complete once the source has ended. */
	readonly rawTrailers: readonly string[];
}

const NOTHING = new Uint8Array(0);

/** The body of a message that has none. It holds nothing, so that all messages can share it. */
export const EMPTY_BODY: BodySource = {
	rawTrailers: [],
	ready: () => true,
	wait: () => Promise.resolve(),
	read: () => null,
	close() {},
};

export interface IncomingSourceOptions {
	/** Milliseconds that a waiting reader may be left without bytes; then the message is destroyed and the source fails with `read-timeout`. */
	readonly idleTimeout?: number;
	/** Called once, when the reader has reached the end, has closed the source, or the message broke. */
	readonly onDone?: (outcome: "ended" | "closed" | "failed") => void;
	/** Called before the first byte is asked for. */
	readonly onStart?: () => void;
}

/**
 * The body of an HTTP message that arrives, as a request of a server or as a response of a client. The message is paused
 * whenever nobody reads: no more than Node's high-water mark (64 KiB and one read of the socket) is held.
 */
export class IncomingMessageSource implements BodySource {
	readonly #message: IncomingMessage;
	readonly #options: IncomingSourceOptions;
	readonly #signal = new Signal();
	#socket: Socket | undefined;
	#timer: NodeJS.Timeout | undefined;
	#state: "idle" | "reading" | "ended" | "closed" | "failed" = "idle";
	#failure: HttpFailure | undefined;

	readonly #onReadable = (): void => {
		this.#stopTimer();
		this.#signal.fire();
	};
	readonly #onError = (error: unknown): void => this.#fail(toHttpFailure(error));
	readonly #onClose = (): void => {
		if (this.#message.complete) this.#signal.fire();
		else this.#fail(new HttpFailure("connection-terminated", "the connection closed before the body was complete"));
	};

	constructor(message: IncomingMessage, options: IncomingSourceOptions = {}) {
		this.#message = message;
		this.#options = options;
		// Before the first read already: a message without a listener for errors would end the process.
		message.on("error", this.#onError);
		message.on("close", this.#onClose);
		if (message.destroyed && !message.complete) this.#onClose();
	}

	get rawTrailers(): readonly string[] {
		return this.#message.rawTrailers;
	}

	ready(): boolean {
		if (this.#state === "idle") this.#start();
		return this.#state !== "reading" || this.#message.readableLength > 0 || this.#message.complete;
	}

	wait(): Promise<void> {
		if (this.#socket === undefined && this.#state === "reading") {
			// A server that has answered forgets the request: then only the socket tells of the connection's end.
			this.#socket = this.#message.socket;
			this.#socket.on("close", this.#onClose);
		}
		if (this.#options.idleTimeout !== undefined && this.#timer === undefined && this.#state === "reading") {
			this.#timer = setTimeout(() => {
				this.#fail(new HttpFailure("read-timeout", `no bytes arrived within ${this.#options.idleTimeout} ms`));
				this.#message.destroy();
			}, this.#options.idleTimeout);
		}
		return this.#signal.wait();
	}

	read(max: number): Uint8Array | null {
		if (this.#state === "idle") this.#start();
		if (this.#failure !== undefined) throw this.#failure;
		if (this.#state !== "reading") return null;
		const available = this.#message.readableLength;
		if (available === 0) {
			if (this.#message.complete) {
				this.#finish("ended");
				return null;
			}
			this.#message.read(0);
			return NOTHING;
		}
		if (max <= 0) return NOTHING;
		const chunk: Uint8Array | null = this.#message.read(Math.min(max, available));
		return chunk === null ? NOTHING : new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
	}

	/** What is unread stays with the message: whoever owns the connection drains or destroys it (`onDone`). */
	close(): void {
		if (this.#state === "idle" || this.#state === "reading") this.#finish("closed");
	}

	#start(): void {
		this.#state = "reading";
		this.#options.onStart?.();
		this.#message.on("readable", this.#onReadable);
	}

	#fail(failure: HttpFailure): void {
		if (this.#state !== "idle" && this.#state !== "reading") return;
		this.#failure = failure;
		this.#finish("failed");
	}

	#finish(state: "ended" | "closed" | "failed"): void {
		this.#state = state;
		this.#stopTimer();
		this.#message.off("readable", this.#onReadable);
		this.#message.off("close", this.#onClose);
		this.#socket?.off("close", this.#onClose);
		// Lets Node see its own end, so that the connection can be used again. `#onError` stays: a late error is nobody's.
		if (state === "ended") this.#message.resume();
		this.#signal.fire();
		this.#options.onDone?.(state);
	}

	#stopTimer(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
	}
}
