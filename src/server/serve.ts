import {
	limitStacks,
	type MemoryChoice,
	optimizeGuestsEarly,
	optimizeHostEarly,
	watchdogReady,
} from "../engine/mod.ts";
import { checkMetered, type Limits, type MeteringMode, SkerryError, withDefaultLimits } from "../fault/mod.ts";
import { linkComponent, type LoadedComponent, openComponent } from "../link/mod.ts";
import {
	type ArtefactOptions,
	createCompileCache,
	findPageMapper,
	type PoolCounts,
	type PooledSandbox,
	SandboxPool,
} from "../pool/mod.ts";
import { BufferMeter, createHttpClient } from "../sys/mod.ts";
import {
	createHttpHandler,
	type GuestHandler,
	listen,
	type RequestRecord,
	type TriggerLimits,
} from "../trigger/mod.ts";
import {
	type IncomingRequest,
	type OnDenied,
	parseOutboundPolicy,
	type ResponseOutparam,
	WASI_HOST,
	type WasiContext,
} from "../wasi/mod.ts";
import { Admission } from "./admission.ts";
import { checkStart } from "./check-start.ts";
import { LineSink } from "./output.ts";

export interface ServeOptions extends ArtefactOptions {
	/** The component's binary, or what `skerry compile` made of it. */
	readonly bytes: Uint8Array;
	/** What the app is called in errors. */
	readonly app?: string;
	readonly listen: { readonly host: string; readonly port: number };
	readonly env: Readonly<Record<string, string>>;
	/** Origins that guests may send requests to, such as `https://api.example.com`. */
	readonly allowOutbound: readonly string[];
	/** What each call may take, and what its request may beside that; what is left out has its default. */
	readonly limits?: Limits & Partial<TriggerLimits>;
	/** How guests are stopped that hold the thread. */
	readonly metering?: MeteringMode;
	readonly onRequest?: (record: RequestRecord) => void;
	/** `onRequest` is not told of requests that were answered as they should be. */
	readonly troubleOnly?: boolean;
	/** Something that the guest wanted and was not granted, and what grants it. */
	readonly onDenied?: OnDenied;
	/** A line that a guest wrote, with the id of its request; while it started there was none. */
	readonly onOutput?: (stream: "stdout" | "stderr", line: string, request: string | undefined) => void;
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
	/** How the memories of sandboxes are put back, and why so. */
	memories(): readonly MemoryChoice[];
	/** Accepts nothing more, lets what is under way finish for `grace` milliseconds, then ends it. Idempotent. */
	close(grace?: number): Promise<void>;
}

/**
 * Serves a component's `wasi:http/incoming-handler`, each request in a fresh sandbox.
 * @throws SkerryError `binary/*`, `component/invalid`, `link/*`, `core/invalid`, `engine/options`, `engine/stop/watchdog`, `cli/port-in-use`
 */
export async function serve(options: ServeOptions): Promise<Server> {
	const started = performance.now();
	const limits = withDefaultLimits(options.limits);
	limitStacks(limits.stack);
	optimizeGuestsEarly();
	const { metering } = options;
	const cache = createCompileCache(options);
	const loaded = await openComponent(options.bytes, cache, { metering });
	const handle = [findHandler(loaded), "handle"];
	const linked = await linkComponent(loaded, WASI_HOST, cache, { metering });
	const loadTime = performance.now() - started;

	const policy = parseOutboundPolicy(options.allowOutbound);
	const client = createHttpClient();
	const meter = new BufferMeter();
	const output =
		(stream: "stdout" | "stderr") =>
		(context: WasiContext): LineSink =>
			new LineSink(limits.output, (line) => options.onOutput?.(stream, line, context.serves?.id));
	const http = { outbound: { policy, client }, meter };
	const mapper = findPageMapper(options.onWarning);
	const grants = {
		env: options.env,
		stdout: output("stdout"),
		stderr: output("stderr"),
		http,
		...(options.onDenied === undefined ? {} : { onDenied: options.onDenied }),
	};
	checkMetered(options.limits ?? {}, linked.metering);
	const pool = new SandboxPool(linked, {
		wasi: () => grants,
		mapper,
		limits,
		...(options.app === undefined ? {} : { app: options.app }),
	});
	const admission = new Admission(pool);
	const toGuest = (sandbox: PooledSandbox): GuestHandler => new ServedGuest(sandbox, handle, admission);
	const handler = createHttpHandler({
		acquire: () => {
			const sandbox = admission.acquire();
			return sandbox instanceof Promise ? sandbox.then(toGuest) : toGuest(sandbox);
		},
		limits: { ...options.limits, wall: Math.min(limits.wall, LONGEST_TIMER) },
		app: options.app,
		client,
		meter,
		...(options.onRequest === undefined ? {} : { onRequest: options.onRequest }),
		troubleOnly: options.troubleOnly === true,
	});
	if (metering !== "off") await watchdogReady();
	await checkStart(pool, linked, { limits, app: options.app, reason: REQUEST_OVER });
	const listener = await listen({ ...options.listen, handler });
	void admission.prepare(REQUEST_OVER).then(optimizeHostEarly);
	return {
		url: listener.url,
		loadTime,
		counts: () => pool.counts,
		memories: () => pool.memories(),
		usage: () => {
			const { requestsInFlight, outgoingInFlight, bufferedBytes } = handler.usage();
			return { requests: requestsInFlight, ...pool.usage(), outgoing: outgoingInFlight, bufferedBytes };
		},
		async close(grace) {
			await listener.close(grace);
			pool.close(new SkerryError("guest/killed", "the server is stopping"));
			client.close();
		},
	};
}

/** A sandbox with the export that serves requests. */
class ServedGuest implements GuestHandler {
	readonly #sandbox: PooledSandbox;
	readonly #path: readonly string[];
	readonly #admission: Admission;

	constructor(sandbox: PooledSandbox, path: readonly string[], admission: Admission) {
		this.#sandbox = sandbox;
		this.#path = path;
		this.#admission = admission;
	}

	get context(): WasiContext {
		return this.#sandbox.context;
	}

	call(request: IncomingRequest, response: ResponseOutparam): unknown {
		return this.#sandbox.start(this.#path, [request, response]);
	}

	end(reason: unknown): void {
		this.#sandbox.end(reason ?? REQUEST_OVER);
		this.#admission.released();
	}
}
/** The longest timer that Node has, in milliseconds; beyond it, one is due at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

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
