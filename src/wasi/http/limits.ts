import { SkerryError } from "../../fault/mod.ts";

/** What the HTTP of one sandbox may hold or do. Each has a default; see the comment for its origin. */
export interface HttpLimits {
	/** Outgoing exchanges at a time; one more fails with `connection-limit-reached`. */
	readonly outgoingRequests: number;
	/** Bytes of one `fields`: names, values and 32 for each entry. A guest that exceeds it is ended. */
	readonly fieldBytes: number;
	/** Bytes of one body, in one direction, that the host holds. */
	readonly bodyBytes: number;
	/** Milliseconds; what a guest asks for in `request-options` can only be shorter. */
	readonly connectTimeout: number;
	/** Milliseconds; as above. */
	readonly firstByteTimeout: number;
	/** Milliseconds; as above. */
	readonly betweenBytesTimeout: number;
	/** Denied destinations that are reported; a guest that tries more is denied silently. */
	readonly deniedReports: number;
}

export const DEFAULT_HTTP_LIMITS: HttpLimits = {
	// Fastly Compute's number of backend requests.
	outgoingRequests: 32,
	// Wasmtime's limit for a `fields`; the 32 are HTTP/2's reckoning of an entry (RFC 9113, 6.5.2).
	fieldBytes: 128 * 1024,
	// Node's high-water mark of a stream, so that both directions hold the same.
	bodyBytes: 64 * 1024,
	// Wasmtime's defaults are ten minutes each; a sandbox's own deadline comes long before.
	connectTimeout: 30_000,
	firstByteTimeout: 600_000,
	betweenBytesTimeout: 600_000,
	deniedReports: 16,
};

/** Ends a guest that asked for more than a limit where the interface has no error to return. */
export function exceedHttpLimit(limit: keyof HttpLimits, allowed: number, asked: number): SkerryError {
	return new SkerryError("guest/killed", `the guest asked for ${asked}; the limit ${limit} is ${allowed}`);
}
