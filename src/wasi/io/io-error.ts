import type { StreamFailure } from "../../sys/mod.ts";

/** `wasi:io/error.error`. The failure's class tells interfaces above whether the error is one of theirs. */
export class IoError {
	readonly failure: StreamFailure;

	constructor(failure: StreamFailure) {
		this.failure = failure;
	}

	toDebugString(): string {
		return this.failure.message;
	}
}

/** `wasi:io/streams.stream-error`. */
export type StreamError = { readonly tag: "closed" } | { readonly tag: "last-operation-failed"; readonly val: IoError };
