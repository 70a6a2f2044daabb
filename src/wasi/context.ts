import {
	type ByteSink,
	type ByteSource,
	type Folder,
	createBytesSource,
	createMonotonicClock,
	createNullSink,
	createSecureRandom,
	createSeededRandom,
	createWallClock,
	type MonotonicClock,
	type RandomSource,
	TailSink,
	type WallClock,
} from "../sys/mod.ts";
import { LimitExceeded, LIMITS } from "../fault/mod.ts";
import { type HttpOptions, HttpState } from "./http/http-state.ts";
import { DEFAULT_WASI_LIMITS, type WasiLimits } from "./limits.ts";

// These two have no state of their own.
const SYSTEM_WALL_CLOCK: WallClock = createWallClock();
const SYSTEM_RANDOM: RandomSource = createSecureRandom();

// There is a context for every request: what all have is made once.
const NOTHING: readonly never[] = [];
const NO_NAMES: Readonly<Record<string, never>> = {};

/** Which of the standard streams are a terminal. */
export interface TerminalFlags {
	readonly stdin?: boolean;
	readonly stdout?: boolean;
	readonly stderr?: boolean;
}

/** A folder that the guest finds open. */
export interface GrantedFolder {
	/** The guest's name of it: `/`, `data`. */
	readonly guest: string;
	/** Called for each sandbox, when it first asks; the sandbox closes it. */
	readonly open: () => Folder;
}

type OutputOption = ByteSink | ((context: WasiContext) => ByteSink);

/** What one sandbox is given. Everything that is left out is empty: no arguments, no environment, no input, output to nowhere. */
export interface WasiOptions {
	/** The command's name first. */
	readonly args?: readonly string[];
	readonly env?: Readonly<Record<string, string>>;
	readonly initialCwd?: string;
	/** The context owns the three and closes them when it ends. */
	readonly stdin?: ByteSource;
	/** A function makes it when the guest first asks. */
	readonly stdout?: OutputOption;
	readonly stderr?: OutputOption;
	/** Bytes of the end of standard error that are kept, for `lastStderr`; by default none. */
	readonly keptStderr?: number;
	readonly terminal?: TerminalFlags;
	readonly folders?: readonly GrantedFolder[];
	readonly monotonicClock?: MonotonicClock;
	readonly wallClock?: WallClock;
	readonly random?: RandomSource;
	readonly insecureRandom?: RandomSource;
	readonly insecureSeed?: readonly [bigint, bigint];
	/** Without it, outgoing requests are denied. */
	readonly http?: HttpOptions;
	readonly limits?: Partial<WasiLimits>;
	/** Called once per kind of thing that the guest wanted and was not granted; of a request with the origin that it was for. */
	readonly onDenied?: OnDenied;
}

/**
 * @param what "an HTTP request to https://api.example.com"
 * @param hint what grants it, on the command line
 * @param origin of an HTTP request, as it is granted
 */
export type OnDenied = (what: string, hint: string, origin?: string) => void;

/** Linked with each other: a set for the one that most requests have takes longer to make than all the rest of it. */
interface Ending {
	/** `undefined` once it was done, or taken back. */
	ending: (() => void) | undefined;
	before: Ending | undefined;
	after: Ending | undefined;
}

/** The limit `buffered` of a sandbox. */
export interface BufferedLimit {
	readonly buffered: number;
	/** Whose it is, for errors. */
	readonly app?: string | undefined;
}

const DEFAULT_BUFFERED: BufferedLimit = { buffered: LIMITS.buffered.default };

/** The state of WASI in one sandbox: the first argument of every host function. */
export class WasiContext {
	readonly args: readonly string[];
	readonly env: Readonly<Record<string, string>>;
	readonly initialCwd: string | undefined;
	readonly terminal: TerminalFlags;
	readonly folders: readonly GrantedFolder[];
	readonly wallClock: WallClock;
	readonly random: RandomSource;
	readonly http: HttpState;
	readonly limits: WasiLimits;
	/** The request that it is there for, once that is known. */
	serves: { readonly id: string } | undefined;
	// Made when first asked for: there is a context for every request, and most guests never ask.
	#stdin: ByteSource | undefined;
	#stdout: OutputOption | undefined;
	#stderr: OutputOption | undefined;
	readonly #keptStderr: number;
	#stderrTail: TailSink | undefined;
	#monotonicClock: MonotonicClock | undefined;
	#insecureRandom: RandomSource | undefined;
	#insecureSeed: readonly [bigint, bigint] | undefined;
	readonly #onDenied: OnDenied | undefined;
	#denied: Set<string> | undefined;
	/** What is to be done at the end, in the order in which it was registered. */
	#firstEnding: Ending | undefined;
	#lastEnding: Ending | undefined;
	#ended = false;
	readonly #bounds: BufferedLimit;
	#held = 0;

	constructor(options: WasiOptions, bounds: BufferedLimit = DEFAULT_BUFFERED) {
		this.#bounds = bounds;
		this.args = options.args ?? NOTHING;
		this.env = options.env ?? NO_NAMES;
		this.initialCwd = options.initialCwd;
		this.#stdin = options.stdin;
		this.#stdout = options.stdout;
		this.#stderr = options.stderr;
		this.#keptStderr = options.keptStderr ?? 0;
		this.terminal = options.terminal ?? NO_NAMES;
		this.folders = options.folders ?? NOTHING;
		this.#monotonicClock = options.monotonicClock;
		this.wallClock = options.wallClock ?? SYSTEM_WALL_CLOCK;
		this.random = options.random ?? SYSTEM_RANDOM;
		this.#insecureSeed = options.insecureSeed;
		this.#insecureRandom = options.insecureRandom;
		this.http = new HttpState(options.http);
		this.limits = options.limits === undefined ? DEFAULT_WASI_LIMITS : { ...DEFAULT_WASI_LIMITS, ...options.limits };
		this.#onDenied = options.onDenied;
	}

	get stdin(): ByteSource {
		return (this.#stdin ??= createBytesSource());
	}

	get stdout(): ByteSink {
		return (this.#stdout = toSink(this.#stdout, this));
	}

	get stderr(): ByteSink {
		if (this.#stderrTail !== undefined) return this.#stderrTail;
		const sink = toSink(this.#stderr, this);
		if (this.#keptStderr > 0) this.#stderrTail = new TailSink(sink, this.#keptStderr);
		return (this.#stderr = this.#stderrTail ?? sink);
	}

	/** The end of what was written to standard error since `forgetStderr`; `undefined` when that was nothing, or none is kept. */
	get lastStderr(): string | undefined {
		return this.#stderrTail?.text();
	}

	/** A call begins: what was written before is not its own. */
	forgetStderr(): void {
		this.#stderrTail?.forget();
	}

	get monotonicClock(): MonotonicClock {
		return (this.#monotonicClock ??= createMonotonicClock());
	}

	/** The same for the life of the sandbox. */
	get insecureSeed(): readonly [bigint, bigint] {
		this.#insecureSeed ??= [this.random.u64(), this.random.u64()];
		return this.#insecureSeed;
	}

	get insecureRandom(): RandomSource {
		// Not from the guest's own seed: what it learns from one must not tell it the other.
		this.#insecureRandom ??= createSeededRandom([this.random.u64(), this.random.u64()]);
		return this.#insecureRandom;
	}

	get ended(): boolean {
		return this.#ended;
	}

	/**
	 * The host holds so many bytes for the guest, until `release`.
	 * @throws LimitExceeded
	 */
	hold(bytes: number): void {
		const { buffered, app } = this.#bounds;
		if (this.#held + bytes > buffered) throw new LimitExceeded("buffered", buffered, app);
		this.#held += bytes;
	}

	release(bytes: number): void {
		this.#held -= bytes;
	}

	/** Says, once per `what`, that the guest wanted something that it was not granted, and what would grant it. */
	denied(what: string, hint: string, origin?: string): void {
		this.#denied ??= new Set();
		if (this.#denied.has(what)) return;
		this.#denied.add(what);
		this.#onDenied?.(what, hint, origin);
	}

	/** Runs `ending` when the sandbox ends (at once if it has); returns what takes the registration back. */
	onEnd(ending: () => void): () => void {
		if (this.#ended) {
			ending();
			return () => {};
		}
		const before = this.#lastEnding;
		const entry: Ending = { ending, before, after: undefined };
		this.#lastEnding = entry;
		if (before === undefined) this.#firstEnding = entry;
		else before.after = entry;
		return () => this.#forget(entry);
	}

	#forget(entry: Ending): void {
		if (entry.ending === undefined) return;
		entry.ending = undefined;
		const { before, after } = entry;
		if (before === undefined) this.#firstEnding = after;
		else before.after = after;
		if (after === undefined) this.#lastEnding = before;
		else after.before = before;
	}

	/** Cancels timers and closes what is open. Idempotent. */
	end(): void {
		if (this.#ended) return;
		this.#ended = true;
		// One that fails must not keep the others open.
		let failures: unknown[] | undefined;
		for (let entry = this.#firstEnding; entry !== undefined; entry = this.#firstEnding) {
			const { ending } = entry;
			this.#forget(entry);
			try {
				ending?.();
			} catch (failure) {
				(failures ??= []).push(failure);
			}
		}
		failures = closeStream(this.#stdin, failures);
		failures = closeStream(this.#stdout, failures);
		failures = closeStream(this.#stderr, failures);
		if (failures !== undefined) throw new AggregateError(failures, "a sandbox's context did not end cleanly");
	}
}

function toSink(given: OutputOption | undefined, context: WasiContext): ByteSink {
	if (given === undefined) return createNullSink();
	return typeof given === "function" ? given(context) : given;
}

function closeStream(
	stream: ByteSource | OutputOption | undefined,
	failures: unknown[] | undefined,
): unknown[] | undefined {
	// Nobody asked for one that is still to be made.
	if (stream === undefined || typeof stream === "function") return failures;
	try {
		stream.close();
	} catch (failure) {
		return [...(failures ?? []), failure];
	}
	return failures;
}

export function createWasiContext(options: WasiOptions = {}, bounds?: BufferedLimit): WasiContext {
	return new WasiContext(options, bounds);
}
