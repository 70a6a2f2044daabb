/** What a call may take beside what its trigger bounds. Each has a default; see the comment for its origin. */
export interface ServerLimits {
	/** Milliseconds that a guest may hold the thread at a stretch. */
	readonly hold: number;
	/** Bytes of standard output, and as many of standard error, that reach the log per call. */
	readonly output: number;
	/** Handles that a component instance of a guest may have at a time. */
	readonly handles: number;
}

export const DEFAULT_SERVER_LIMITS: ServerLimits = {
	// Long enough for a request that computes; every other request waits meanwhile.
	hold: 5_000,
	// A stack trace and what led to it.
	output: 64 * 1024,
	// A guest should have a few dozen, but StarlingMonkey (componentize-js 0.23) leaks a pollable for every 8 KiB of a body that it
	// reads: enough for one of 8 GB. At some 100 bytes each, a guest that takes them on purpose gets some 100 MB.
	handles: 1_000_000,
};
