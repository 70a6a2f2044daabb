/** What is said of an error that can tell nothing of itself. */
const UNREADABLE = "an error that cannot be read";

type Class<T> = abstract new (...args: never[]) => T;

/** Node 22 has none; it is told that it is too old, in an error like any other. */
const isError = (value: unknown): value is Error =>
	"isError" in Error ? Error.isError(value) : value instanceof Error;

/**
 * `instanceof` for errors that somebody else threw: never throws itself. A proxy, which may answer anything or throw whenever it is asked,
 * is no error.
 */
export function isErrorOf<T extends Error>(value: unknown, type: Class<T>): value is T {
	try {
		return isError(value) && Function.prototype[Symbol.hasInstance].call(type, value);
	} catch {
		// A prototype may be a proxy, too.
		return false;
	}
}

/** What an error says, or whatever else was thrown; never throws itself, and is text whatever that answers. */
export function messageOf(thrown: unknown): string {
	try {
		return String(isError(thrown) ? thrown.message : thrown);
	} catch {
		return UNREADABLE;
	}
}

/** An error with its stack, where it has one, or its message; never throws itself. */
export function stackOf(thrown: unknown): string {
	try {
		// Which may have been set to anything
		const stack: unknown = isError(thrown) ? thrown.stack : undefined;
		if (typeof stack === "string") return stack;
	} catch {
		// As where there is none
	}
	return messageOf(thrown);
}
