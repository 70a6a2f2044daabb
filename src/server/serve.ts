import { createLinuxPageMapper } from "../engine/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { linkComponent, type LoadedComponent, openComponent } from "../link/mod.ts";
import {
	type ArtefactOptions,
	createCompileCache,
	type PoolCounts,
	type PooledSandbox,
	SandboxPool,
} from "../pool/mod.ts";
import { BufferMeter, type ByteSink, createHttpClient } from "../sys/mod.ts";
import {
	createHttpHandler,
	type GuestHandler,
	type HttpListener,
	listen,
	type RequestRecord,
	type TriggerLimits,
} from "../trigger/mod.ts";
import { parseOutboundPolicy, WASI_HOST } from "../wasi/mod.ts";
import { DEFAULT_SERVER_LIMITS, type ServerLimits } from "./limits.ts";
import { createLineSink } from "./output.ts";
import { Watchdog } from "./watchdog.ts";

export interface ServeOptions extends ArtefactOptions {
	/** The component's binary, or what `skerry compile` made of it. */
	readonly bytes: Uint8Array;
	readonly listen: { readonly host: string; readonly port: number };
	readonly env: Readonly<Record<string, string>>;
	/** Origins that guests may send requests to, such as `https://api.example.com`. */
	readonly allowOutbound: readonly string[];
	readonly limits?: Partial<ServerLimits & TriggerLimits>;
	readonly onRequest?: (record: RequestRecord) => void;
	/** Something that the guest wanted and was not granted, and what grants it. */
	readonly onDenied?: (what: string, hint: string) => void;
	/** A line that a guest wrote. */
	readonly onOutput?: (stream: "stdout" | "stderr", line: string) => void;
}

/** What is in use. All zero when no request is under way: anything else is a leak. */
export interface ServerUsage {
	readonly requests: number;
	readonly sandboxes: number;
	readonly handles: number;
	readonly outgoing: number;
	readonly bufferedBytes: number;
}

export interface Server {
	readonly url: string;
	/** Milliseconds that decoding, validating, linking and compiling took. */
	readonly loadTime: number;
	usage(): ServerUsage;
	/** What became of sandboxes so far. */
	counts(): PoolCounts;
	/** Accepts nothing more, lets what is under way finish for `grace` milliseconds, then ends it. Idempotent. */
	close(grace?: number): Promise<void>;
}

/**
 * Serves a component's `wasi:http/incoming-handler`, each request in a fresh sandbox.
 * @throws SkerryError `binary/*`, `component/invalid`, `link/*`, `core/invalid`, `cli/port-in-use`
 */
export async function serve(options: ServeOptions): Promise<Server> {
	const started = performance.now();
	const limits = { ...DEFAULT_SERVER_LIMITS, ...options.limits };
	const cache = createCompileCache(options);
	const loaded = await openComponent(options.bytes, cache);
	const handle = [findHandler(loaded), "handle"];
	const linked = await linkComponent(loaded, WASI_HOST, cache);
	const loadTime = performance.now() - started;

	const policy = parseOutboundPolicy(options.allowOutbound);
	const client = createHttpClient();
	const meter = new BufferMeter();
	const output = (stream: "stdout" | "stderr"): ByteSink =>
		createLineSink(limits.output, (line) => options.onOutput?.(stream, line));
	const held = (): SkerryError =>
		new SkerryError("guest/killed", `killed: held the thread for ${limits.hold} ms (limit "hold")`);
	const watchdog = new Watchdog<PooledSandbox>({
		limit: limits.hold,
		reason: held,
		live: () => pool.live,
		onTerminated: (sandbox) => sandbox.interrupt(held()),
	});
	const mapper = createLinuxPageMapper();
	const pool = new SandboxPool(linked, {
		wasi: () => ({
			env: options.env,
			stdout: output("stdout"),
			stderr: output("stderr"),
			http: { outbound: { policy, client }, meter },
			...(options.onDenied === undefined ? {} : { onDenied: options.onDenied }),
		}),
		mapper: typeof mapper === "string" ? undefined : mapper,
		maxHandles: limits.handles,
		onCount: (live) => watchdog.count(live),
	});
	const handler = createHttpHandler({
		acquire: async (): Promise<GuestHandler> => {
			const sandbox = await pool.acquire();
			return {
				context: sandbox.context,
				call: async (request, response) => {
					await sandbox.call(handle, [request, response]);
				},
				end: (reason) => sandbox.end(reason ?? REQUEST_OVER),
			};
		},
		limits,
		client,
		meter,
		...(options.onRequest === undefined ? {} : { onRequest: options.onRequest }),
	});
	let listener: HttpListener;
	try {
		listener = await listen({ ...options.listen, handler });
	} catch (error) {
		watchdog[Symbol.dispose]();
		throw error;
	}
	return {
		url: listener.url,
		loadTime,
		counts: () => pool.counts,
		usage: () => {
			const { requestsInFlight, outgoingInFlight, bufferedBytes } = handler.usage();
			return { requests: requestsInFlight, ...pool.usage(), outgoing: outgoingInFlight, bufferedBytes };
		},
		async close(grace) {
			await listener.close(grace);
			pool.close(new SkerryError("guest/killed", "the server is stopping"));
			watchdog[Symbol.dispose]();
			client.close();
		},
	};
}

/** Why a sandbox ends after its request; made once, for a stack costs more than the reset. */
const REQUEST_OVER = new SkerryError("guest/killed", "the request is over");

const HANDLER = /^wasi:http\/incoming-handler@0\.2\./;

function findHandler({ type }: LoadedComponent): string {
	const names = [...type.exports.keys()];
	const found = names.find((name) => HANDLER.test(name));
	if (found !== undefined) return found;
	const later = names.find((name) => name.startsWith("wasi:http/handler@"));
	if (later !== undefined) {
		const version = /@(\d+\.\d+)/.exec(later)?.[1];
		throw new SkerryError(
			"link/unsupported",
			`Cannot serve the component: it exports ${later}, and WASI ${version} is not supported yet`,
			{ hint: "Skerry serves wasi:http/incoming-handler of WASI 0.2.0 to 0.2.12" },
		);
	}
	const command = names.some((name) => name.startsWith("wasi:cli/run@"));
	throw new SkerryError("link/no-export", "Cannot serve the component: it does not export wasi:http/incoming-handler", {
		hint: command ? "it is a command: `skerry run` runs it" : "`skerry inspect` shows what it exports",
	});
}
