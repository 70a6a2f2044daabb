import type { ServerOptions } from "node:http";

/** What one HTTP request may take of the server. Each has a default; see the comment for its origin. */
export interface TriggerLimits {
	/** Milliseconds from the arrival of a request until its guest is ended; 504 when there is no response by then. */
	readonly wall: number;
	/** Milliseconds that a client may leave a response untouched after the guest has gone. */
	readonly idle: number;
	/** Bytes of a request's body that are thrown away so that its connection can be used again; with more to come, it is closed. */
	readonly discardBytes: number;
	/** Milliseconds for the same. */
	readonly discardTime: number;
}

export const DEFAULT_TRIGGER_LIMITS: TriggerLimits = {
	// Akamai Functions' limit.
	wall: 30_000,
	// As long as a guest may take: a reader that slow is none.
	idle: 30_000,
	// About what is on its way at a time over a long path; more is cheaper on a new connection.
	discardBytes: 1024 * 1024,
	discardTime: 5_000,
};

/** The bounds of a server's connections. */
export const SERVER_LIMITS: ServerOptions & { readonly headersTimeout: number; readonly keepAliveTimeout: number } = {
	/** Bytes of a request's head; 431 above. Nginx allows 32 KiB, Node 16 KiB, which cookies and tokens do exceed. */
	maxHeaderSize: 64 * 1024,
	/** Milliseconds for the head of a request (slow-loris). */
	headersTimeout: 20_000,
	/** Milliseconds for a whole request: Node's default. */
	requestTimeout: 300_000,
	/** Milliseconds without a request until a kept connection is closed. */
	keepAliveTimeout: 30_000,
	/** A request without a body gets none of the machinery of a stream; `RequestExchange` never reads one there. */
	optimizeEmptyRequests: true,
};
