import type { BodySource } from "../../sys/mod.ts";
import type { WasiContext } from "../context.ts";
import { err, ok, type Result } from "../result.ts";
import { Fields } from "./fields.ts";
import { IncomingBody } from "./incoming-body.ts";
import { type Method, type Scheme, toMethod } from "./request-line.ts";

/** What `incoming-request` and `incoming-response` have in common: fields, and a body that can be consumed once. */
class IncomingMessage {
	readonly headers: Fields;
	readonly #context: WasiContext;
	readonly #source: BodySource;
	#consumed = false;

	constructor(context: WasiContext, headers: Fields, source: BodySource) {
		this.headers = headers;
		this.#context = context;
		this.#source = source;
	}

	/** The guest has taken the body. */
	get consumed(): boolean {
		return this.#consumed;
	}

	/** Once. */
	consume(): Result<IncomingBody, undefined> {
		if (this.#consumed) return err(undefined);
		this.#consumed = true;
		return ok(new IncomingBody(this.#context, this.#source));
	}

	drop(): void {
		if (!this.#consumed) this.#source.close();
	}
}

interface IncomingRequestHead {
	readonly method: Method;
	readonly pathWithQuery: string | undefined;
	readonly scheme: Scheme | undefined;
	readonly authority: string | undefined;
}

/** `wasi:http/types.incoming-request`. */
export class IncomingRequest extends IncomingMessage {
	readonly head: IncomingRequestHead;

	constructor(context: WasiContext, head: IncomingRequestHead, headers: Fields, source: BodySource) {
		super(context, headers, source);
		this.head = head;
	}
}

/** A request as a server received it. */
export interface ReceivedRequest {
	readonly method: string;
	readonly scheme: "http" | "https";
	readonly authority: string | undefined;
	readonly pathWithQuery: string;
	/** Names and values in turn. */
	readonly rawHeaders: readonly string[];
	readonly body: BodySource;
}

/** The resource to call `wasi:http/incoming-handler.handle` with. Its body is closed when the sandbox ends. */
export function createIncomingRequest(context: WasiContext, received: ReceivedRequest): IncomingRequest {
	const { method, scheme, authority, pathWithQuery, rawHeaders, body } = received;
	context.onEnd(() => body.close());
	return new IncomingRequest(
		context,
		{ method: toMethod(method), pathWithQuery, scheme: { tag: scheme === "http" ? "HTTP" : "HTTPS" }, authority },
		Fields.received(rawHeaders, context.http.limits.fieldBytes),
		body,
	);
}

/** `wasi:http/types.incoming-response`. */
export class IncomingResponse extends IncomingMessage {
	readonly status: number;

	constructor(context: WasiContext, status: number, headers: Fields, source: BodySource) {
		super(context, headers, source);
		this.status = status;
	}
}
