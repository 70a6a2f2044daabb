import { type BodySource, EMPTY_BODY } from "../../sys/mod.ts";
import type { WasiContext } from "../context.ts";
import { err, ok, type Result } from "../result.ts";
import { Fields } from "./fields.ts";
import { IncomingBody } from "./incoming-body.ts";
import { type Method, type Scheme, toMethod } from "./request-line.ts";

/** What `incoming-request` and `incoming-response` have in common: fields, and a body that can be consumed once. */
class IncomingMessage {
	readonly #context: WasiContext;
	readonly #rawHeaders: readonly string[];
	readonly #source: BodySource;
	#headers: Fields | undefined;
	#consumed = false;

	/** `rawHeaders`: names and values in turn. */
	constructor(context: WasiContext, rawHeaders: readonly string[], source: BodySource) {
		this.#context = context;
		this.#rawHeaders = rawHeaders;
		this.#source = source;
	}

	/** Made when the guest asks. */
	get headers(): Fields {
		this.#headers ??= Fields.received(this.#rawHeaders, this.#context.http.limits.fieldBytes);
		return this.#headers;
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

/** `wasi:http/types.incoming-request`. */
export class IncomingRequest extends IncomingMessage {
	readonly #received: ReceivedRequest;

	constructor(context: WasiContext, received: ReceivedRequest) {
		super(context, received.rawHeaders, received.body);
		this.#received = received;
	}

	get method(): Method {
		return toMethod(this.#received.method);
	}

	get scheme(): Scheme {
		return { tag: this.#received.scheme === "http" ? "HTTP" : "HTTPS" };
	}

	get authority(): string | undefined {
		return this.#received.authority;
	}

	get pathWithQuery(): string {
		return this.#received.pathWithQuery;
	}
}

/** The resource to call `wasi:http/incoming-handler.handle` with. Its body is closed when the sandbox ends. */
export function createIncomingRequest(context: WasiContext, received: ReceivedRequest): IncomingRequest {
	const { body } = received;
	if (body !== EMPTY_BODY) context.onEnd(() => body.close());
	return new IncomingRequest(context, received);
}

/** `wasi:http/types.incoming-response`. */
export class IncomingResponse extends IncomingMessage {
	readonly status: number;
	readonly #context: WasiContext;
	/** Characters of its fields. */
	readonly #size: number;

	/** @throws LimitExceeded */
	constructor(context: WasiContext, status: number, rawHeaders: readonly string[], source: BodySource) {
		super(context, rawHeaders, source);
		this.status = status;
		this.#context = context;
		this.#size = rawHeaders.reduce((sum, text) => sum + text.length, 0);
		context.hold(this.#size);
	}

	override drop(): void {
		super.drop();
		this.#context.release(this.#size);
	}
}
