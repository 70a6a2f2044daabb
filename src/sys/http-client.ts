import type { Agent, ClientRequest, IncomingMessage } from "node:http";
import { nodeHttp, nodeHttps } from "./node-http.ts";
import type { BufferMeter } from "./buffer-meter.ts";
import { HttpFailure, toHttpFailure } from "./http-failure.ts";
import { type BodySink, DiscardingSink, OutgoingMessageSink } from "./http-sink.ts";
import { IncomingMessageSource } from "./http-source.ts";
import { Signal } from "./signal.ts";
import type { Waitable } from "./stream.ts";

/** All in milliseconds. */
export interface HttpTimeouts {
	/** From the start to a connection that is ready for use: name resolution, TCP and TLS. */
	readonly connect: number;
	/** From the request's last sign of progress to the head of the response. */
	readonly firstByte: number;
	/** How long a reader of the response's body is left without bytes. */
	readonly betweenBytes: number;
}

export interface HttpClientRequest {
	readonly scheme: "http" | "https";
	/** A name or an IP address, the latter without brackets. */
	readonly host: string;
	readonly port: number;
	readonly method: string;
	readonly path: string;
	/** Names and values in turn; sent as they are, so `host` and the framing of the body (`content-length`, `transfer-encoding`) are among them. */
	readonly headers: readonly string[];
	readonly hasBody: boolean;
	readonly timeouts: HttpTimeouts;
	/** Bytes of the body that may be on their way. */
	readonly bodyBound: number;
	readonly meter?: BufferMeter;
	/** Called once, when nothing of the exchange is left. */
	readonly onDone?: () => void;
}

export interface HttpClientResponse {
	readonly status: number;
	/** Names and values in turn. */
	readonly rawHeaders: readonly string[];
	/** Must be read to its end or closed. */
	readonly body: IncomingMessageSource;
}

/** One request and its response. It is ready when there is a response, or none will come. */
export interface HttpExchange extends Waitable {
	/** Takes the request's body; one that discards when there is none. */
	readonly body: BodySink;
	/** `undefined` as long as there is none. Throws the `HttpFailure`. */
	response(): HttpClientResponse | undefined;
	/** Ends the exchange wherever it is. Idempotent. */
	abort(): void;
}

export interface HttpClient {
	/** Starts at once. Whatever goes wrong is told by the exchange. No redirect is followed. */
	send(request: HttpClientRequest): HttpExchange;
	/** Exchanges of which something is left. */
	readonly inFlight: number;
	/** Aborts what is in flight and closes the idle connections. */
	close(): void;
}

export interface HttpClientOptions {
	/** Certificate authorities in PEM, in place of the built-in ones. */
	readonly ca?: string;
	/** The size of a response's head in bytes, above which it fails with `header-section-size`. */
	readonly maxHeaderBytes?: number;
}

/** Requests that a server can take twice without harm: RFC 9110, 9.2.2. */
const IDEMPOTENT = new Set(["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"]);

/**
 * A client over `node:http`, with connections that are kept and used again. Not undici's: it can send no trailers, and
 * here requests and responses of both sides go through the same two stream classes. Certificates are always verified.
 */
export function createHttpClient(options: HttpClientOptions = {}): HttpClient {
	const plain = new nodeHttp.Agent({ keepAlive: true, maxFreeSockets: 64 });
	let secure: Agent | undefined;
	const findAgent = (scheme: string): Agent => {
		if (scheme !== "https") return plain;
		return (secure ??= new (nodeHttps().Agent)({
			keepAlive: true,
			maxFreeSockets: 64,
			rejectUnauthorized: true,
			...(options.ca === undefined ? {} : { ca: options.ca }),
		}));
	};
	const exchanges = new Set<Exchange>();
	return {
		send(request) {
			const exchange = new Exchange(request, findAgent(request.scheme), options, () => {
				exchanges.delete(exchange);
				request.onDone?.();
			});
			exchanges.add(exchange);
			exchange.start();
			return exchange;
		},
		get inFlight() {
			return exchanges.size;
		},
		close() {
			for (const exchange of exchanges) exchange.abort();
			plain.destroy();
			secure?.destroy();
		},
	};
}

class Exchange implements HttpExchange {
	readonly #request: HttpClientRequest;
	readonly #agent: Agent;
	readonly #options: HttpClientOptions;
	readonly #onDone: () => void;
	readonly #signal = new Signal();
	#client: ClientRequest | undefined;
	#body: BodySink | undefined;
	#response: HttpClientResponse | undefined;
	#failure: HttpFailure | undefined;
	#connectTimer: NodeJS.Timeout | undefined;
	#firstByteTimer: NodeJS.Timeout | undefined;
	#connected = false;
	#done = false;

	constructor(request: HttpClientRequest, agent: Agent, options: HttpClientOptions, onDone: () => void) {
		this.#request = request;
		this.#agent = agent;
		this.#options = options;
		this.#onDone = onDone;
	}

	get body(): BodySink {
		this.#body ??= new DiscardingSink(
			() => {},
			() => this.abort(),
		);
		return this.#body;
	}

	ready(): boolean {
		return this.#response !== undefined || this.#failure !== undefined;
	}

	wait(): Promise<void> {
		this.#armFirstByte();
		return this.#signal.wait();
	}

	response(): HttpClientResponse | undefined {
		if (this.#response !== undefined) return this.#response;
		if (this.#failure !== undefined) throw this.#failure;
		return undefined;
	}

	abort(): void {
		this.#fail(new HttpFailure("connection-terminated", "the exchange was aborted"));
	}

	start(): void {
		const { timeouts } = this.#request;
		this.#connectTimer = setTimeout(
			() => this.#fail(new HttpFailure("connection-timeout", `no connection within ${timeouts.connect} ms`)),
			timeouts.connect,
		);
		this.#open(this.#agent);
	}

	/** Sends over a connection of `agent`; without one, over a connection of its own. */
	#open(agent: Agent | undefined): void {
		const { scheme, host, port, method, path, headers, hasBody, bodyBound, meter } = this.#request;
		let client: ClientRequest;
		try {
			client = (scheme === "https" ? nodeHttps() : nodeHttp).request({
				host,
				port,
				method,
				path,
				headers,
				agent: agent ?? false,
				rejectUnauthorized: true,
				...(this.#options.ca === undefined ? {} : { ca: this.#options.ca }),
				...(this.#options.maxHeaderBytes === undefined ? {} : { maxHeaderSize: this.#options.maxHeaderBytes }),
			});
		} catch (error) {
			// Node refuses a head that it cannot write.
			this.#failure = toHttpFailure(error);
			this.#finish();
			return;
		}
		this.#client = client;
		client.on("socket", (socket) => {
			if (client.reusedSocket || !socket.connecting) this.#onConnected();
			else socket.once(scheme === "https" ? "secureConnect" : "connect", () => this.#onConnected());
		});
		client.on("response", (message) => this.#onResponse(message));
		client.on("upgrade", (_message, socket) => {
			// Node has taken it off the request: nobody else would close it.
			socket.destroy();
			this.#fail(new HttpFailure("upgrade", "the server switched protocols"));
		});
		client.on("finish", () => this.#armFirstByte());
		client.on("error", (error) => {
			if (this.#client !== client) return;
			if (this.#isStale(client, error)) {
				this.#connected = false;
				this.#open(undefined);
			} else this.#fail(toHttpFailure(error));
		});
		client.on("close", () => {
			if (this.#client !== client) return;
			if (!this.ready()) this.#failure = new HttpFailure("connection-terminated", "the server closed the connection");
			this.#finish();
		});
		if (hasBody) {
			client.flushHeaders();
			this.#body = new OutgoingMessageSink(client, {
				bound: bodyBound,
				...(meter === undefined ? {} : { meter }),
				onProgress: () => this.#firstByteTimer?.refresh(),
			});
		} else client.end();
	}

	/** A kept connection that the server had closed when the request was sent: nothing was done with it, so it may be sent again. */
	#isStale(client: ClientRequest, error: Error): boolean {
		return (
			client.reusedSocket &&
			!this.ready() &&
			!this.#request.hasBody &&
			IDEMPOTENT.has(this.#request.method) &&
			toHttpFailure(error).kind === "connection-terminated"
		);
	}

	#onConnected(): void {
		this.#connected = true;
		clearTimeout(this.#connectTimer);
		if (this.#client?.writableFinished === true) this.#armFirstByte();
	}

	/** Armed when the request is out, or when the guest waits for nothing but the response. */
	#armFirstByte(): void {
		if (!this.#connected || this.#firstByteTimer !== undefined || this.#done || this.ready()) return;
		const { firstByte } = this.#request.timeouts;
		this.#firstByteTimer = setTimeout(
			() => this.#fail(new HttpFailure("read-timeout", `no response within ${firstByte} ms`)),
			firstByte,
		);
	}

	#onResponse(message: IncomingMessage): void {
		this.#stopTimers();
		if (this.#failure !== undefined || this.#done) {
			message.destroy();
			return;
		}
		this.#response = {
			status: message.statusCode ?? 0,
			rawHeaders: message.rawHeaders,
			body: new IncomingMessageSource(message, {
				idleTimeout: this.#request.timeouts.betweenBytes,
				// What is left unread is not worth the transfer: the connection goes.
				onDone: (outcome) => {
					if (outcome !== "ended") this.#client?.destroy();
				},
			}),
		};
		this.#signal.fire();
	}

	#fail(failure: HttpFailure): void {
		if (this.#done) return;
		if (!this.ready()) this.#failure = failure;
		this.#stopTimers();
		// The failure is the sink's, too. The exchange is done when Node says that the request has closed.
		this.#client?.destroy(failure);
		this.#signal.fire();
	}

	#finish(): void {
		if (this.#done) return;
		this.#done = true;
		this.#stopTimers();
		this.#signal.fire();
		this.#onDone();
	}

	#stopTimers(): void {
		clearTimeout(this.#connectTimer);
		clearTimeout(this.#firstByteTimer);
	}
}
