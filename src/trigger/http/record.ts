/** How a request ended. */
export type RequestOutcome =
	/** The guest's response was sent whole. */
	| "answered"
	/** The guest answered with an error code. */
	| "error-code"
	/** The guest trapped, exited, returned or gave up without a response. */
	| "failed"
	/** The guest broke off in the middle of its response. */
	| "truncated"
	/** The limit `wall` ended the guest before it was done. */
	| "timed-out"
	/** The client went away before it had the whole response. */
	| "client-gone"
	/** No guest was called: the request is malformed, or there is no sandbox for it. */
	| "refused";

/** One line of the request log. */
export interface RequestRecord {
	/** Also in `x-skerry-request-id` of every response that is the server's own. */
	readonly id: string;
	readonly method: string;
	/** Without its query, which may hold secrets. */
	readonly path: string;
	/** `undefined` when no head was sent. */
	readonly status: number | undefined;
	/** Until the guest was ended and the response was sent. */
	readonly milliseconds: number;
	readonly outcome: RequestOutcome;
	/** What went wrong; with "answered", after the response was complete. */
	readonly reason: string | undefined;
	/** What the guest's call threw, if that is the reason. */
	readonly error: unknown;
}
