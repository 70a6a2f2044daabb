import { Readable, type Writable } from "node:stream";
import {
	type ByteSink,
	type ByteSource,
	createBytesSource,
	createHttpClient,
	createReadableSource,
	createWritableSink,
	type HttpClient,
} from "../sys/mod.ts";
import { parseOutboundPolicy, type WasiOptions } from "../wasi/mod.ts";

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
	/** Origins that the guest may send HTTP requests to: `scheme://host[:port]`, such as `https://api.example.com`. */
	readonly allowOutbound?: readonly string[];
	/** Told once of each thing that the guest wanted and was not granted, with what would grant it. */
	readonly onDenied?: (what: string, hint: string) => void;
}

/**
 * Grants as WASI takes them. Call it anew for each sandbox: streams belong to one.
 * @throws SkerryError `cli/usage` for an origin that cannot be parsed
 */
export function toWasiOptions(grants: Grants, client: HttpClient): WasiOptions {
	const { args, env, stdin, stdout, stderr, terminal, allowOutbound, onDenied } = grants;
	return {
		...(args === undefined ? {} : { args }),
		...(env === undefined ? {} : { env }),
		...(stdin === undefined ? {} : { stdin: toSource(stdin) }),
		...(stdout === undefined ? {} : { stdout: toSink(stdout) }),
		...(stderr === undefined ? {} : { stderr: toSink(stderr) }),
		...(terminal === undefined ? {} : { terminal }),
		...(onDenied === undefined ? {} : { onDenied }),
		...(allowOutbound === undefined
			? {}
			: { http: { outbound: { policy: parseOutboundPolicy(allowOutbound), client } } }),
	};
}

/** Connections are shared by the sandboxes of the process; idle ones keep no process alive. */
export const SHARED_CLIENT: HttpClient = createHttpClient();

function toSource(given: string | Uint8Array | Readable | (() => Readable)): ByteSource {
	if (typeof given === "function") return createReadableSource(given, { destroy: false });
	if (given instanceof Readable) return createReadableSource(() => given, { destroy: false });
	return createBytesSource(typeof given === "string" ? new TextEncoder().encode(given) : given);
}

function toSink(stream: Writable): ByteSink {
	return createWritableSink(stream, { end: false });
}
