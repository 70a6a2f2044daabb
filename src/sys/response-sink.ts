import type { ServerResponse } from "node:http";
import type { BufferMeter } from "./buffer-meter.ts";
import { type BodySink, OutgoingMessageSink } from "./http-sink.ts";
import { atTurnEnd, type TurnEnding } from "./turn-end.ts";

const NOTHING = new Uint8Array(0);

export interface ResponseSinkOptions {
	/** Bytes that may be held here or on their way to the kernel. */
	readonly bound: number;
	readonly meter?: BufferMeter;
}

/** Where a response goes. */
export interface ResponseOutlet {
	/** Nobody gets it any more. */
	readonly destroyed: boolean;
	/**
	 * Sends a response that is whole: its fields, names and values in turn, say how long the body is.
	 * @returns false while some of it waits for the kernel
	 */
	send(status: number, headers: string[], body: Uint8Array): boolean;
	/** Calls back once nothing of what was sent waits any longer. */
	onSent(callback: () => void): void;
	/** Node's response, for one that is sent in pieces. The same each time. */
	open(): ServerResponse;
}

/** The head of a response, which nobody has sent yet. */
export interface ResponseHead {
	readonly status: number;
	/** Names and values in turn; the sink's own from here on. */
	readonly headers: string[];
	/** `content-length` is among them. */
	readonly sized: boolean;
}

/**
 * The body of a server's response whose head is decided but not sent. Both are held until the writer is done, gives up the thread, or
 * has filled the bound. A response that is complete by then goes out in one write, with its length; any other is streamed.
 * While they are held, flushing has nothing to wait for: what was written leaves with the turn of the event loop, without the writer.
 */
export class ResponseSink implements BodySink, TurnEnding {
	readonly #outlet: ResponseOutlet;
	readonly #head: ResponseHead;
	readonly #options: ResponseSinkOptions;
	#held: Uint8Array[] = [];
	#heldBytes = 0;
	#flushing = false;
	/** Finished or aborted while everything was held. */
	#done = false;
	#aborted = false;
	/** Takes over when the head is sent before the end of the body. */
	#streaming: OutgoingMessageSink | undefined;

	constructor(outlet: ResponseOutlet, head: ResponseHead, options: ResponseSinkOptions) {
		this.#outlet = outlet;
		this.#head = head;
		this.#options = options;
	}

	/** Sends what is held when the turn is over, if it was not sent by then. */
	sendWithTurn(): void {
		if (this.#isHolding()) atTurnEnd(this);
	}

	onTurnEnd(): void {
		if (this.#isHolding() && !this.#outlet.destroyed) this.#stream();
	}

	ready(): boolean {
		return this.#streaming?.ready() ?? true;
	}

	wait(): Promise<void> {
		return (this.#streaming ?? this.#stream()).wait();
	}

	capacity(): number | null {
		if (this.#streaming !== undefined) return this.#streaming.capacity();
		return this.#done || this.#outlet.destroyed ? null : this.#options.bound - this.#heldBytes;
	}

	write(bytes: Uint8Array): void {
		if (this.#streaming !== undefined) {
			this.#streaming.write(bytes);
			return;
		}
		if (bytes.length === 0 || this.#done || this.#outlet.destroyed) return;
		this.#held.push(bytes);
		this.#heldBytes += bytes.length;
		this.#options.meter?.add(bytes.length);
		if (this.#heldBytes >= this.#options.bound) this.#stream();
	}

	flush(): void {
		if (this.#streaming === undefined) this.#flushing = true;
		else this.#streaming.flush();
	}

	flushed(): boolean {
		return this.#streaming?.flushed() ?? (this.#heldBytes === 0 || !this.#outlet.destroyed);
	}

	close(): void {
		this.finish([]);
	}

	finish(trailers: readonly string[]): void {
		if (!this.#isHolding()) {
			this.#streaming?.finish(trailers);
			return;
		}
		if (this.#outlet.destroyed) {
			this.#done = true;
			this.#drop();
			return;
		}
		// Trailers, and the announcement of some, are for chunked bodies only.
		if (trailers.length > 0 || announcesTrailers(this.#head.headers)) this.#stream().finish(trailers);
		else this.#sendWhole();
	}

	/** What was flushed is still delivered before the response is cut off: the client sees where it broke. */
	abort(): void {
		if (this.#aborted) return;
		this.#aborted = true;
		if (!this.#isHolding()) {
			this.#streaming?.abort();
			return;
		}
		if (this.#flushing && !this.#outlet.destroyed) {
			void abortWhenFlushed(this.#stream());
		} else {
			this.#done = true;
			this.#drop();
			this.#outlet.open().destroy();
		}
	}

	#isHolding(): boolean {
		return this.#streaming === undefined && !this.#done;
	}

	#sendWhole(): void {
		const { status, headers, sized } = this.#head;
		const bytes = this.#heldBytes;
		this.#done = true;
		if (!sized) headers.push("content-length", String(bytes));
		if (this.#outlet.send(status, headers, this.#takeHeld())) this.#options.meter?.add(-bytes);
		else this.#outlet.onSent(() => this.#options.meter?.add(-bytes));
	}

	#takeHeld(): Uint8Array {
		const [first] = this.#held;
		const body = this.#held.length === 1 && first !== undefined ? first : Buffer.concat(this.#held);
		this.#held = [];
		this.#heldBytes = 0;
		return body;
	}

	/** Sends the head and what is held; from here on every write goes to the connection. */
	#stream(): OutgoingMessageSink {
		const { status, headers } = this.#head;
		const response = this.#outlet.open();
		response.writeHead(status, headers);
		const sink = new OutgoingMessageSink(response, this.#options);
		this.#streaming = sink;
		const held = this.#held;
		this.#drop();
		for (const bytes of held) sink.write(bytes);
		// Not `flushHeaders`: that sends the head as UTF-8, and fields are Latin-1.
		if (held.length === 0) response.write(NOTHING);
		else if (this.#flushing) sink.flush();
		return sink;
	}

	#drop(): void {
		this.#options.meter?.add(-this.#heldBytes);
		this.#held = [];
		this.#heldBytes = 0;
	}
}

async function abortWhenFlushed(sink: OutgoingMessageSink): Promise<void> {
	while (!sink.flushed()) await sink.wait();
	sink.abort();
}

/** Whether a head, names and values in turn, has the field `trailer`. */
export function announcesTrailers(headers: readonly string[]): boolean {
	for (let i = 0; i < headers.length; i += 2) {
		const name = headers[i] as string;
		if (name.length === 7 && name.toLowerCase() === "trailer") return true;
	}
	return false;
}
