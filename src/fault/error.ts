import { CODES, type Code } from "./codes.ts";

/** Where an error lies: a byte offset in a binary, or a line or key of a file. */
export interface Place {
	readonly file?: string;
	/** Byte offset from the start of the outermost binary. */
	readonly offset?: number;
	/** 1-based. */
	readonly line?: number;
	/** 1-based. */
	readonly column?: number;
	/** Dotted path of a manifest key. */
	readonly key?: string;
}

export interface FaultOptions {
	readonly place?: Place;
	/** What to do about it: a flag, a command or a manifest line that helps. */
	readonly hint?: string;
	readonly cause?: unknown;
}

/** Every error that Skerry raises on purpose. Match `code`, never the message. */
export class SkerryError extends Error {
	override readonly name: string = "SkerryError";
	readonly code: Code;
	readonly place: Place | undefined;
	readonly hint: string | undefined;

	constructor(code: Code, message: string, options: FaultOptions = {}) {
		super(message, options.cause === undefined ? undefined : { cause: options.cause });
		this.code = code;
		this.place = options.place;
		this.hint = options.hint;
	}

	/** The process status for this error on the command line. */
	get exitStatus(): number {
		return CODES[this.code].exit;
	}
}

/** The guest broke a rule of the specification; its instance is poisoned. The message holds the specification's wording. */
export class Trap extends SkerryError {
	override readonly name = "Trap";
	/** The guest's stack, innermost frame first, where it is known. */
	readonly frames: readonly string[];

	constructor(message: string, options: FaultOptions & { readonly frames?: readonly string[] } = {}) {
		super("guest/trap", message, options);
		this.frames = options.frames ?? [];
	}
}

/** The same error with a file added to its place. */
export function inFile(error: unknown, file: string): unknown {
	if (!(error instanceof SkerryError) || error.place?.file !== undefined) return error;
	return new SkerryError(error.code, error.message, {
		place: { ...error.place, file },
		...(error.hint === undefined ? {} : { hint: error.hint }),
		cause: error,
	});
}
