import { Readable, type Writable } from "node:stream";
import { LimitExceeded, SkerryError } from "../fault/mod.ts";
import {
	type ByteSink,
	type ByteSource,
	createBytesSource,
	createHttpClient,
	createReadableSource,
	createWritableSink,
	type HttpClient,
	openHostFolder,
} from "../sys/mod.ts";
import { type GrantedFolder, type OnDenied, parseOutboundPolicy, type WasiOptions } from "../wasi/mod.ts";

/** A folder of this machine. */
export type GrantedPath = string | { readonly path: string; readonly readOnly?: boolean };

/** What a sandbox gets of WASI. Whatever is left out, it does not have. */
export interface Grants {
	/** The guest's arguments, its own name first. */
	readonly args?: readonly string[];
	readonly env?: Readonly<Record<string, string>>;
	/** Empty by default. A stream is read when the guest reads; a function that gives it is called only then. */
	readonly stdin?: string | Uint8Array | Readable | (() => Readable);
	/** Nowhere by default. A stream is left open. */
	readonly stdout?: Writable;
	readonly stderr?: Writable;
	/** Whether the three are terminals; `false` each by default. */
	readonly terminal?: { readonly stdin?: boolean; readonly stdout?: boolean; readonly stderr?: boolean };
	/** Folders that the guest finds open, by its own names of them: `{ "/data": "./data" }`. WASI 0.1 only, as yet. */
	readonly folders?: Readonly<Record<string, GrantedPath>>;
	/** Origins that the guest may send HTTP requests to: `scheme://host[:port]`, such as `https://api.example.com`. */
	readonly allowOutbound?: readonly string[];
	/** Told once of each thing that the guest wanted and was not granted, with what would grant it; of a request with the origin that `allowOutbound` lacks. */
	readonly onDenied?: (what: string, hint: string, origin?: string) => void;
}

/** Bytes of a call's standard error that its error shows: a message and some lines of a stack. */
const KEPT_STDERR = 2 * 1024;

/** With what is bounded of it. */
export interface GrantsAndLimit extends Grants {
	/** Bytes of standard output, and as many of standard error; who writes more is ended. */
	readonly outputLimit?: number | undefined;
	/** Whose limit it is, for errors. */
	readonly app?: string | undefined;
}

/**
 * Grants as WASI takes them. Call it anew for each sandbox: streams belong to one.
 * @throws SkerryError `cli/usage` for an origin that cannot be parsed
 */
export function toWasiOptions(grants: GrantsAndLimit, client: HttpClient): WasiOptions {
	const { args, env, stdin, stdout, stderr, terminal, folders, allowOutbound, onDenied } = grants;
	const { outputLimit = Infinity, app } = grants;
	return {
		...(args === undefined ? {} : { args }),
		...(env === undefined ? {} : { env }),
		...(stdin === undefined ? {} : { stdin: toSource(stdin) }),
		...(stdout === undefined ? {} : { stdout: toSink(stdout, outputLimit, app) }),
		...(stderr === undefined ? {} : { stderr: toSink(stderr, outputLimit, app) }),
		keptStderr: KEPT_STDERR,
		...(terminal === undefined ? {} : { terminal }),
		...(folders === undefined ? {} : { folders: Object.entries(folders).map(toFolder) }),
		...(onDenied === undefined ? {} : { onDenied: inOptions(onDenied) }),
		...(allowOutbound === undefined
			? {}
			: { http: { outbound: { policy: parseOutboundPolicy(allowOutbound), client } } }),
	};
}

/** What wants to know is a program: it grants by options, and not by flags. */
function inOptions(onDenied: OnDenied): OnDenied {
	return (what, hint, origin) =>
		onDenied(what, origin === undefined ? hint : `grant it with wasi: { allowOutbound: ["${origin}"] }`, origin);
}

/** Connections are shared by the sandboxes of the process; idle ones keep no process alive. */
export const SHARED_CLIENT: HttpClient = createHttpClient();

function toSource(given: string | Uint8Array | Readable | (() => Readable)): ByteSource {
	if (typeof given === "function") return createReadableSource(given, { destroy: false });
	if (given instanceof Readable) return createReadableSource(() => given, { destroy: false });
	return createBytesSource(typeof given === "string" ? new TextEncoder().encode(given) : given);
}

function toSink(stream: Writable, limit: number, app: string | undefined): ByteSink {
	const sink = createWritableSink(stream, { end: false });
	if (limit === Infinity) return sink;
	let left = limit;
	return {
		ready: () => sink.ready(),
		wait: () => sink.wait(),
		capacity: () => sink.capacity(),
		write(bytes) {
			const fitting = bytes.subarray(0, left);
			left -= fitting.length;
			if (fitting.length > 0) sink.write(fitting);
			if (fitting.length < bytes.length) throw new LimitExceeded("output", limit, app);
		},
		flush: () => sink.flush(),
		flushed: () => sink.flushed(),
		close: () => sink.close(),
	};
}

function toFolder([guest, given]: [string, GrantedPath]): GrantedFolder {
	const { path, readOnly = false } = typeof given === "string" ? { path: given } : given;
	return {
		guest,
		open() {
			try {
				return openHostFolder(path, { readOnly });
			} catch (error) {
				throw new SkerryError("cli/file-not-found", `Cannot open the folder ${path}: ${(error as Error).message}`, {
					cause: error,
				});
			}
		},
	};
}
