import type { HttpClient, HttpExchange } from "../../sys/mod.ts";
import type { WasiContext } from "../context.ts";
import { err, ok, type Result } from "../result.ts";
import type { ErrorCode } from "./error-code.ts";
import { FutureIncomingResponse, type PendingExchange } from "./future-response.ts";
import type { OutgoingBody } from "./outgoing-body.ts";
import type { OutgoingRequest, RequestOptions } from "./outgoing-message.ts";
import { defaultPort, grantFor } from "./outbound-policy.ts";
import { methodName, parseAuthority } from "./request-line.ts";

/** RFC 9110, 8.6: methods for which no body is said with `content-length: 0`. */
const EXPECTING_BODY = new Set(["POST", "PUT", "PATCH"]);

/** Where a request goes and what it says, checked. */
interface Target {
	readonly scheme: "http" | "https";
	readonly host: string;
	readonly port: number;
	readonly authority: string;
	readonly method: string;
	readonly path: string;
}

/**
 * `wasi:http/outgoing-handler.handle`. A malformed request fails here; everything else, also that it is denied or one too many, is
 * told by the future, where guests expect what `fetch` may report. The exchange starts when the guest flushes the body, fills its buffer, finishes it, or wants the response: a body
 * that is complete by then is sent with its length, which many servers ask for, and not in chunks.
 */
export function sendRequest(
	context: WasiContext,
	request: OutgoingRequest,
	options: RequestOptions | undefined,
): Result<FutureIncomingResponse, ErrorCode> {
	const target = toTarget(request);
	if ("tag" in target) {
		request.drop();
		return err(target);
	}
	const client = admit(context, target);
	if ("tag" in client) {
		request.drop();
		return ok(new FutureIncomingResponse(context, { start: () => client, abort: () => {} }));
	}
	return ok(new FutureIncomingResponse(context, new Pending(context, client, target, request, options)));
}

/** The checked target, or what is malformed. */
function toTarget(request: OutgoingRequest): Target | ErrorCode {
	// As Wasmtime has it, a request without a scheme is one for HTTPS.
	const tag = request.scheme?.tag ?? "HTTPS";
	if (tag === "other") return { tag: "HTTP-protocol-error" };
	const destination = request.authority === undefined ? undefined : parseAuthority(request.authority);
	if (destination === undefined) return { tag: "HTTP-request-URI-invalid" };
	const method = methodName(request.method);
	// A tunnel has no response body in HTTP's sense; nothing in the interface could carry it.
	if (method === "CONNECT") return { tag: "HTTP-request-method-invalid" };
	const length = request.announcedLength;
	if (length === "invalid") return { tag: "HTTP-protocol-error" };
	if (length !== undefined && length > 0 && request.takenBody === undefined) {
		return { tag: "HTTP-request-body-size", val: 0n };
	}
	const scheme = tag === "HTTP" ? "http" : "https";
	const path = request.pathWithQuery ?? "/";
	return {
		scheme,
		host: destination.host,
		port: destination.port ?? defaultPort(scheme),
		authority: destination.authority,
		method,
		path: path === "" || path.startsWith("?") ? `/${path}` : path,
	};
}

/** What sends the request, or the reason why nothing does. */
function admit(context: WasiContext, target: Target): HttpClient | ErrorCode {
	const { http } = context;
	const { scheme, host, port } = target;
	if (http.outbound?.policy.allows(scheme, host, port) !== true) {
		if (http.deniedReports < http.limits.deniedReports) {
			http.deniedReports++;
			const grant = grantFor(scheme, host, port);
			context.denied(`an HTTP request to ${grant}`, `grant it with --allow-outbound ${grant}`, grant);
		}
		return { tag: "HTTP-request-denied" };
	}
	if (http.outgoing >= http.limits.outgoingRequests) return { tag: "connection-limit-reached" };
	return http.outbound.client;
}

/** A request that has been accepted. It counts against the limit until nothing of its exchange is left. */
class Pending implements PendingExchange {
	readonly #context: WasiContext;
	readonly #client: HttpClient;
	readonly #target: Target;
	readonly #request: OutgoingRequest;
	readonly #options: RequestOptions | undefined;
	readonly #body: OutgoingBody | undefined;
	readonly #forget: () => void;
	#exchange: HttpExchange | ErrorCode | undefined;
	#released = false;

	constructor(
		context: WasiContext,
		client: HttpClient,
		target: Target,
		request: OutgoingRequest,
		options: RequestOptions | undefined,
	) {
		this.#context = context;
		this.#client = client;
		this.#target = target;
		this.#request = request;
		this.#options = options;
		this.#body = request.takenBody;
		request.send();
		context.http.outgoing++;
		this.#forget = context.onEnd(() => this.abort());
		if (this.#body === undefined) this.start();
		else this.#body.sink.onDemand(() => void this.start());
	}

	start(): HttpExchange | ErrorCode {
		if (this.#exchange !== undefined) return this.#exchange;
		if (this.#body?.sink.end === "aborted") return this.#refuse("the body was dropped before it was finished");
		const { scheme, host, port, method, path } = this.#target;
		const { http } = this.#context;
		const { limits } = http;
		const framing = this.#framing();
		this.#exchange = this.#client.send({
			scheme,
			host,
			port,
			method,
			path,
			headers: ["host", this.#target.authority, ...this.#request.rawHeaders(), ...framing.headers],
			hasBody: framing.hasBody,
			timeouts: {
				connect: milliseconds(this.#options?.connectTimeout, limits.connectTimeout),
				firstByte: milliseconds(this.#options?.firstByteTimeout, limits.firstByteTimeout),
				betweenBytes: milliseconds(this.#options?.betweenBytesTimeout, limits.betweenBytesTimeout),
			},
			bodyBound: limits.bodyBytes,
			meter: http.meter,
			onDone: () => this.#release(),
		});
		this.#body?.attach(this.#exchange.body);
		return this.#exchange;
	}

	abort(): void {
		if (this.#exchange === undefined) {
			this.#refuse("the request was given up");
			this.#body?.sink.abort();
		} else if (!("tag" in this.#exchange)) this.#exchange.abort();
	}

	#refuse(reason: string): ErrorCode {
		this.#release();
		this.#exchange = { tag: "internal-error", val: reason };
		return this.#exchange;
	}

	#release(): void {
		if (this.#released) return;
		this.#released = true;
		this.#context.http.outgoing--;
		this.#forget();
	}

	/** RFC 9112, 6: how the end of the body is told. */
	#framing(): { headers: string[]; hasBody: boolean } {
		const length = this.#request.announcedLength;
		const sink = this.#body?.sink;
		if (sink === undefined || (sink.end === "finished" && sink.keptBytes === 0 && !sink.hasTrailers)) {
			const say = length === undefined && EXPECTING_BODY.has(this.#target.method);
			return { headers: say ? ["content-length", "0"] : [], hasBody: false };
		}
		if (length !== undefined) return { headers: [], hasBody: true };
		if (sink.end === "open" || sink.hasTrailers) return { headers: ["transfer-encoding", "chunked"], hasBody: true };
		return { headers: ["content-length", String(sink.keptBytes)], hasBody: true };
	}
}

/** A guest's nanoseconds; the host's limit where it has none or more. */
function milliseconds(duration: bigint | undefined, limit: number): number {
	if (duration === undefined) return limit;
	return Math.max(1, Math.min(limit, Math.ceil(Number(duration) / 1e6)));
}
