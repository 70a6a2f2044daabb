import type { Socket } from "node:net";
import { nodeHttp, toLatin1 } from "../../sys/mod.ts";
import { isFieldValue, isToken } from "./express-head.ts";
import { SERVER_LIMITS } from "./limits.ts";
import type { Outbox, Parcel } from "./outbox.ts";
import { type Reply, type ResponseWatcher, TEXT_BYTES, type WatchedResponse } from "./watched-response.ts";

/** The connection on which a request came. */
export interface ReplayableConnection {
	readonly socket: Socket;
	/** Makes the connection Node's, and gives Node's response to the request. Once. */
	replay(): WatchedResponse;
}

/** How the head of a response ends whose connection is kept, as Node writes it. */
const KEPT = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(SERVER_LIMITS.keepAliveTimeout / 1000)}\r\n\r\n`;

/**
 * The answer to a request that was taken on an express connection. One that is whole goes out as it is. For any other the connection
 * becomes Node's, with the request, and this stands for Node's response.
 */
export class ExpressReply implements Reply, Parcel {
	readonly arrived: number;
	watcher: ResponseWatcher | undefined;
	readonly #connection: ReplayableConnection;
	readonly #outbox: Outbox;
	/** What waits for the end of the turn. */
	#text: string | undefined;
	/** Once the connection is Node's. */
	#response: WatchedResponse | undefined;
	#status: number | undefined;
	#sent = false;
	#onSent: (() => void) | undefined;

	constructor(connection: ReplayableConnection, outbox: Outbox, arrived: number) {
		this.arrived = arrived;
		this.#connection = connection;
		this.#outbox = outbox;
	}

	/** It is whole, and still here. */
	get held(): boolean {
		return this.#text !== undefined;
	}

	get destroyed(): boolean {
		return this.#response?.destroyed ?? this.#connection.socket.destroyed;
	}

	get response(): WatchedResponse | undefined {
		return this.#response;
	}

	get sentStatus(): number | undefined {
		return this.#response === undefined ? this.#status : this.#response.sentStatus;
	}

	send(status: number, headers: string[], body: Uint8Array): boolean {
		if (this.#response !== undefined) return this.#response.send(status, headers, body);
		const { socket } = this.#connection;
		const head = `HTTP/1.1 ${status} ${nodeHttp.STATUS_CODES[status] ?? "unknown"}\r\n${renderFields(headers)}`;
		this.#status = status;
		if (body.length <= TEXT_BYTES) {
			this.#text = head + toLatin1(body);
			this.#outbox.add(this);
		} else {
			socket.cork();
			socket.write(head, "latin1");
			socket.write(body, this.#onWritten);
			socket.uncork();
			this.#look();
		}
		return this.#sent;
	}

	deliver(): void {
		const text = this.#text as string;
		this.#text = undefined;
		this.#connection.socket.write(text, "latin1", this.#onWritten);
		this.#look();
	}

	onSent(callback: () => void): void {
		if (this.#response === undefined) this.#onSent = callback;
		else this.#response.onSent(callback);
	}

	open(): WatchedResponse {
		if (this.#response === undefined) {
			this.#response = this.#connection.replay();
			this.#response.watcher = this.watcher;
		}
		return this.#response;
	}

	readonly #onWritten = (error?: Error | null): void => {
		if (!this.#sent) this.#end(error);
	};

	/** Node tells later of what the kernel has now. */
	#look(): void {
		const { socket } = this.#connection;
		if (socket.writableLength === 0 && !socket.destroyed) this.#end(undefined);
	}

	/** Nothing more happens to it. */
	#end(error: Error | null | undefined): void {
		this.#sent = true;
		if (!error) this.watcher?.onResponseFinished();
		this.watcher?.onResponseClosed();
		this.#onSent?.();
	}
}

/** The fields of a response on a connection that is kept, those that are the server's too, and the empty line. */
function renderFields(headers: readonly string[]): string {
	let text = "";
	let dated = false;
	for (let i = 0; i + 1 < headers.length; i += 2) {
		const name = headers[i] as string;
		const value = headers[i + 1] as string;
		// What guests make is checked when they make it. What they pass on from elsewhere is not.
		if (!isToken(name) || !isFieldValue(value)) {
			throw new TypeError(`invalid character in the field ${JSON.stringify(name)}`);
		}
		if (name.length === 4 && name.toLowerCase() === "date") dated = true;
		text += `${name}: ${value}\r\n`;
	}
	return `${text}${dated ? "" : dateField()}${KEPT}`;
}

/** Of this second. */
let date: string | undefined;

/** RFC 9110, 6.6.1. */
function dateField(): string {
	if (date === undefined) {
		const now = Date.now();
		date = `Date: ${new Date(now).toUTCString()}\r\n`;
		// A look at the clock for each response takes longer than this for all of a second.
		setTimeout(() => (date = undefined), 1000 - (now % 1000)).unref();
	}
	return date;
}
