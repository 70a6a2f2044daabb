import { CODES, type Code } from "./codes.ts";
import { isErrorOf } from "./thrown.ts";

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

	/** Asked of whatever hosts throw, which may be a proxy that throws when it is asked. */
	static override [Symbol.hasInstance](value: unknown): boolean {
		return isErrorOf(value, this);
	}

	/** The process status for this error on the command line. */
	get exitStatus(): number {
		return CODES[this.code].exit;
	}

	/** For `JSON.stringify`: all that it says of itself, without `stack` and `cause`, which are the host's. */
	toJSON(): object {
		return Object.fromEntries([["message", this.message], ...Object.entries(this)]);
	}
}

/** A line of the guest's source. */
export interface SourceLine {
	readonly file: string;
	/** 1-based. */
	readonly line: number;
	/** 1-based. */
	readonly column?: number;
}

/** One call of the guest that was under way when it trapped, as its author knows it: nothing in it is of the rewriter. */
export interface TrapFrame {
	/** From the module's name section, or else the name under which the module exports it. Chosen by the guest: any text. */
	readonly name: string | undefined;
	/** In the module's index space of functions. */
	readonly index: number;
	/** The module's own name, as far as V8 gives it: chosen by the guest. */
	readonly module: string | undefined;
	/** Of the instruction, in bytes from the start of the module as its author built it; `undefined` where that is not known. */
	readonly offset: number | undefined;
	/** Where the module starts in the outermost binary: 0 for a module by itself, `undefined` where it is not known. */
	readonly moduleOffset: number | undefined;
	/** Where debugging information names it. */
	readonly source?: SourceLine;
}

export interface TrapOptions extends FaultOptions {
	readonly kind?: string;
	readonly explanation?: string;
	readonly frames?: readonly TrapFrame[];
}

/** The guest broke a rule of the specification; its instance is poisoned. The message holds the specification's wording. */
export class Trap extends SkerryError {
	override readonly name = "Trap";
	/** Which rule, by a name that does not change, such as `memory-bounds`; only for traps of the core specification. */
	readonly kind: string | undefined;
	/** What the guest did, in a plain sentence. */
	readonly explanation: string | undefined;
	/** The guest's stack, innermost frame first, where it is known. */
	readonly frames: readonly TrapFrame[];
	/** Whose guest it was, as `load` was told. */
	readonly app: string | undefined = undefined;
	/**
	 * The last of what the call wrote to standard error, at most 2 KiB, with `…` in front where there was more; `undefined` where it wrote
	 * nothing. Calls that are under way in one sandbox at the same time have it together. Chosen by the guest: any text, control characters too.
	 */
	readonly stderr: string | undefined = undefined;

	constructor(message: string, options: TrapOptions = {}) {
		super("guest/trap", message, options);
		this.kind = options.kind;
		this.explanation = options.explanation;
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
