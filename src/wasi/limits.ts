import { SkerryError } from "../fault/mod.ts";

/** What a guest may make the host hold or do in one call. Each has a default; see the comment for its origin. */
export interface WasiLimits {
	/** Bytes that one call of `wasi:random` returns. */
	readonly randomBytes: number;
	/** Pollables in one call of `poll`. */
	readonly pollables: number;
	/** Bytes that one read or skip takes; more is a matter of calling again. */
	readonly readBytes: number;
	/** Bytes that one `check-write` permits. */
	readonly writeBytes: number;
	/** Files and folders that a guest has open at a time. */
	readonly descriptors: number;
	/** Bytes that one call reads of a file or writes to one; more is a matter of calling again. */
	readonly fileBytes: number;
}

export const DEFAULT_WASI_LIMITS: WasiLimits = {
	// Seeds and keys are small; a guest that fills a large buffer can loop.
	randomBytes: 16 * 1024 * 1024,
	// Each costs a table look-up and a listener; Wasmtime has no bound but its table's.
	pollables: 65_536,
	// What an HTTP/1 chunk or a socket read brings at most.
	readBytes: 64 * 1024,
	writeBytes: 64 * 1024,
	// Each is one of the process's own, of which there are often but 1,024 for all guests.
	descriptors: 256,
	// A few milliseconds' work.
	fileBytes: 16 * 1024 * 1024,
};

/** Ends a guest that asked for more than a limit where the interface has no error to return. */
export function exceedLimit(limit: keyof WasiLimits, allowed: number, asked: number | bigint): SkerryError {
	return new SkerryError("guest/killed", `the guest asked for ${asked}; the limit ${limit} is ${allowed}`);
}

/** The length of a random list: it has to be exactly what was asked for, so a longer one than the limit ends the guest. */
export function randomLength(asked: bigint, limits: WasiLimits): number {
	if (asked > BigInt(limits.randomBytes)) throw exceedLimit("randomBytes", limits.randomBytes, asked);
	return Number(asked);
}
