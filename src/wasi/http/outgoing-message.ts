import type { WasiContext } from "../context.ts";
import { err, ok, type Result } from "../result.ts";
import type { Fields } from "./fields.ts";
import { OutgoingBody } from "./outgoing-body.ts";
import {
	isMethod,
	isPathWithQuery,
	isScheme,
	type Method,
	methodName,
	parseAuthority,
	type Scheme,
	toMethod,
} from "./request-line.ts";

/** What `outgoing-request` and `outgoing-response` have in common: fields, and a body that can be taken once. */
class OutgoingMessage {
	readonly #context: WasiContext;
	readonly #side: "request" | "response";
	readonly #headers: Fields;
	#body: OutgoingBody | undefined;
	#sent = false;

	constructor(context: WasiContext, side: "request" | "response", headers: Fields) {
		this.#context = context;
		this.#side = side;
		this.#headers = headers;
	}

	/** For reading only. */
	headers(): Fields {
		return this.#headers.asImmutable();
	}

	/** What the guest took; `undefined` while it took none, which means an empty body. */
	get takenBody(): OutgoingBody | undefined {
		return this.#body;
	}

	/** Once. Refused, too, when the fields announce a length that is none. */
	body(): Result<OutgoingBody, undefined> {
		if (this.#body !== undefined) return err(undefined);
		const length = this.#headers.contentLength;
		if (length === "invalid") return err(undefined);
		this.#context.hold(this.#context.http.limits.bodyBytes);
		this.#body = new OutgoingBody(this.#context, this.#side, length);
		return ok(this.#body);
	}

	/** What `content-length` announces. */
	get announcedLength(): number | undefined | "invalid" {
		return this.#headers.contentLength;
	}

	/** Names and values in turn, as they are sent. */
	rawHeaders(): string[] {
		return this.#headers.toRaw();
	}

	/** The message goes on its way: from now on it is no longer the guest's. */
	send(): void {
		this.#letGo();
		this.#sent = true;
	}

	/** A message that goes nowhere takes its body along: nothing will ever read that. */
	drop(): void {
		if (this.#sent) return;
		this.#body?.sink.abort();
		this.#letGo();
	}

	/** What is held of it is little, or somebody else's, who bounds it. */
	#letGo(): void {
		this.#headers.drop();
		if (this.#body !== undefined) this.#context.release(this.#context.http.limits.bodyBytes);
	}
}

/** `wasi:http/types.outgoing-request`. */
export class OutgoingRequest extends OutgoingMessage {
	method: Method = { tag: "get" };
	pathWithQuery: string | undefined;
	scheme: Scheme | undefined;
	authority: string | undefined;

	constructor(context: WasiContext, headers: Fields) {
		super(context, "request", headers);
	}

	setMethod(method: Method): Result<undefined, undefined> {
		if (!isMethod(method)) return err(undefined);
		// `other("GET")` is `get`.
		this.method = toMethod(methodName(method));
		return ok();
	}

	setPathWithQuery(path: string | undefined): Result<undefined, undefined> {
		if (path !== undefined && !isPathWithQuery(path)) return err(undefined);
		this.pathWithQuery = path;
		return ok();
	}

	setScheme(scheme: Scheme | undefined): Result<undefined, undefined> {
		if (scheme !== undefined && !isScheme(scheme)) return err(undefined);
		this.scheme = scheme;
		return ok();
	}

	setAuthority(authority: string | undefined): Result<undefined, undefined> {
		if (authority !== undefined && parseAuthority(authority) === undefined) return err(undefined);
		this.authority = authority;
		return ok();
	}
}

/** `wasi:http/types.outgoing-response`. */
export class OutgoingResponse extends OutgoingMessage {
	status = 200;

	constructor(context: WasiContext, headers: Fields) {
		super(context, "response", headers);
	}

	/** A final status of RFC 9110, 15: 1xx announce another response, above 599 there is none. */
	setStatus(status: number): Result<undefined, undefined> {
		if (status < 200 || status > 599) return err(undefined);
		this.status = status;
		return ok();
	}
}

/** `wasi:http/types.request-options`: durations in nanoseconds. */
export class RequestOptions {
	connectTimeout: bigint | undefined;
	firstByteTimeout: bigint | undefined;
	betweenBytesTimeout: bigint | undefined;
}
