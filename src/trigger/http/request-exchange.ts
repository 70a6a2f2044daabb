import type { TLSSocket } from "node:tls";
import { Soon, threadRelay } from "../../engine/mod.ts";
import { LimitExceeded, messageOf, SkerryError } from "../../fault/mod.ts";
import {
	atTurnEnd,
	type BodySource,
	DiscardingSink,
	EMPTY_BODY,
	IncomingMessageSource,
	nodeHttp,
	ResponseSink,
	type TurnEnding,
} from "../../sys/mod.ts";
import {
	createIncomingRequest,
	createResponseOutparam,
	type ErrorCode,
	type IncomingRequest,
	type OutgoingResponse,
	renderErrorCode,
	type ResponseReceiver,
	type Result,
	statusOf,
} from "../../wasi/mod.ts";
import type { Deadlines, Expiring } from "./deadlines.ts";
import { discardRest } from "./discard-rest.ts";
import type { RequestHead } from "./express-head.ts";
import type { GuestHandler, HttpHandlerOptions } from "./guest-handler.ts";
import type { TriggerLimits } from "./limits.ts";
import type { RequestOutcome } from "./record.ts";
import { findField, parseRequestTarget, type RequestTarget } from "./request-target.ts";
import { BROKEN_OFF, bodilessHeaders, isBodiless, refusalOf } from "./response-rules.ts";
import type { Reply, ResponseWatcher } from "./watched-response.ts";

/** What all requests of a handler share. */
export interface Site {
	/** What the ids of its requests begin with. */
	readonly prefix: string;
	readonly limits: TriggerLimits;
	/** Of `limits.wall`. */
	readonly deadlines: Deadlines;
	/** Counted up and down here. */
	readonly counts: { requestsInFlight: number; guestsInUse: number };
	readonly options: HttpHandlerOptions;
}

/** The name of the response field, and of the log's, by which a failure is found again. */
const ID_FIELD = "x-skerry-request-id";

/**
 * One request and its guest. Two things end, in either order: the guest's call, and the response. When both have, everything
 * is released and the record is written.
 */
export class RequestExchange implements ResponseReceiver, ResponseWatcher, Expiring, TurnEnding {
	readonly started: number;
	// Of `Expiring`
	before: Expiring | undefined;
	after: Expiring | undefined;
	readonly #site: Site;
	readonly #serial: number;
	readonly #request: RequestHead;
	readonly #reply: Reply;
	/** The client waits for `100 Continue` before it sends the body, and the guest may still want that. */
	#continueDue: boolean;
	#guest: GuestHandler | undefined;
	/** The request as the guest has it. */
	#received: IncomingRequest | undefined;
	/** The guest has set its response, or can no longer set one. */
	#decided = false;
	#guestOver = false;
	/** The guest has to be waited for. */
	#waiting = false;
	/** The kernel has taken the whole response. */
	#sent = false;
	#responseOver = false;
	#outcome: RequestOutcome = "answered";
	#reason: string | undefined;
	#error: unknown;
	/** What the guest writes its response's body to. */
	#body: OutgoingResponse["takenBody"];
	/** Where that goes. */
	#sink: ResponseSink | undefined;

	/** @param serial different for each request of the site */
	constructor(site: Site, serial: number, request: RequestHead, reply: Reply, continueDue: boolean) {
		this.#site = site;
		this.#serial = serial;
		this.#request = request;
		this.#reply = reply;
		this.started = reply.arrived;
		this.#continueDue = continueDue;
	}

	/** Unique in the log. */
	get id(): string {
		return `${this.#site.prefix}-${this.#serial.toString(36)}`;
	}

	/** Once. Everything else follows from events. */
	begin(): void {
		this.#site.counts.requestsInFlight++;
		this.#reply.watcher = this;
		const target = parseRequestTarget(this.#request);
		if (target === undefined) {
			this.#guestOver = true;
			this.#fail(400, "refused", "the request's target or host is malformed");
			return;
		}
		let guest: GuestHandler | Promise<GuestHandler>;
		try {
			guest = this.#site.options.acquire();
		} catch (error) {
			this.#onRefused(error);
			return;
		}
		// A sandbox that is ready is used at once: a promise would cost a turn.
		if (!(guest instanceof Promise)) this.#enter(guest, target);
		else {
			this.#wait();
			guest.then(
				(late) => this.#enter(late, target),
				(error: unknown) => this.#onRefused(error),
			);
		}
	}

	#onRefused(error: unknown): void {
		const guestFailed = error instanceof SkerryError && error.code.startsWith("guest/");
		if (guestFailed) this.#failGuest(error);
		else this.#fail(503, "refused", messageOf(error), error);
		this.#endGuest(error);
	}

	#failGuest(error: unknown): void {
		if (error instanceof LimitExceeded && error.limit === "wall") this.#fail(504, "timed-out", error.message, error);
		else this.#fail(500, "failed", messageOf(error), error);
	}

	#enter(guest: GuestHandler, target: RequestTarget): void {
		this.#site.counts.guestsInUse++;
		if (this.#guestOver) {
			// The client has gone, or the deadline has passed, while the sandbox was waited for.
			this.#release(guest, this.#error);
			return;
		}
		this.#guest = guest;
		guest.context.serves = this;
		let returned: unknown;
		try {
			const request = createIncomingRequest(guest.context, {
				method: this.#request.method ?? "GET",
				scheme: (this.#request.socket as Partial<TLSSocket>).encrypted === true ? "https" : "http",
				authority: target.authority,
				pathWithQuery: target.pathWithQuery,
				rawHeaders: this.#request.rawHeaders,
				body: this.#requestBody(),
			});
			this.#received = request;
			returned = threadRelay().invite(() => guest.call(request, createResponseOutparam(this)));
		} catch (error) {
			this.#onThrown(error);
			return;
		}
		if (returned instanceof Promise) {
			if (returned instanceof Soon) returned.onLate(() => this.#wait());
			else this.#wait();
			returned.then(
				() => this.#onReturned(),
				(error: unknown) => this.#onThrown(error),
			);
		} else this.#onReturned();
	}

	/** Not all is done in this turn of the event loop: from here on the time counts, and the client may go away. */
	#wait(): void {
		if (!this.#waiting) this.#site.deadlines.add(this);
		this.#waiting = true;
		this.#sink?.sendWithTurn();
		if (!this.#responseOver && this.#reply.sentStatus === undefined) this.#reply.open();
	}

	#requestBody(): BodySource {
		// RFC 9112, 6.3: without either field there is none.
		const { rawHeaders } = this.#request;
		const announced =
			findField(rawHeaders, "content-length") !== undefined || findField(rawHeaders, "transfer-encoding") !== undefined;
		if (!announced) return EMPTY_BODY;
		return new IncomingMessageSource(this.#reply.open().req, {
			onStart: () => this.#continue(),
			onDone: () => {
				this.#continueDue = false;
			},
		});
	}

	#onReturned(): void {
		if (!this.#decided) this.#fail(500, "failed", "the guest returned without a response");
		else if (this.#body?.sink.end === "open") {
			this.#note("truncated", "the guest returned before it had finished its response");
		}
		this.#endGuest(undefined);
	}

	#onThrown(error: unknown): void {
		this.#failGuest(error);
		this.#endGuest(error);
	}

	/** The guest has set its response. */
	respond(result: Result<OutgoingResponse, ErrorCode>): void {
		// Whose body is not sent, learns that nobody reads.
		if (result.tag === "ok") {
			if (!this.#send(result.val)) result.val.takenBody?.sink.abort();
		} else if (!this.#decided) this.#fail(statusOf(result.val), "error-code", renderErrorCode(result.val));
	}

	abandon(): void {
		this.#fail(500, "failed", "the guest dropped its response-outparam without a response");
	}

	/** False when the response is not what the client gets. */
	#send(response: OutgoingResponse): boolean {
		if (this.#decided || this.#responseOver || this.#guest === undefined) return false;
		const { status, announcedLength, takenBody: body } = response;
		const headers = response.rawHeaders();
		const sized = announcedLength !== undefined;
		const bodiless = isBodiless(this.#request.method, status);
		const refusal = refusalOf(response, headers, bodiless);
		if (refusal !== undefined) {
			this.#fail(500, "failed", refusal);
			return false;
		}
		this.#decided = true;
		// A guest that streams its answer may read the request meanwhile; behind the head it is too late to ask for that.
		if (status < 400 && body?.sink.end === "open" && this.#received?.consumed === true) this.#continue();
		if (bodiless || body === undefined) {
			const head = this.#reply.open();
			head.writeHead(status, bodilessHeaders(headers, status, bodiless, sized));
			head.end();
			body?.ignoreLength();
			body?.attach(new DiscardingSink());
			return true;
		}
		this.#body = body;
		const { limits, meter } = this.#guest.context.http;
		this.#sink = new ResponseSink(this.#reply, { status, headers, sized }, { bound: limits.bodyBytes, meter });
		body.attach(this.#sink);
		// The head goes out in this turn, in one packet with what the guest writes right away. A guest that returns in it writes no more.
		if (this.#waiting) this.#sink.sendWithTurn();
		return true;
	}

	#continue(): void {
		if (!this.#continueDue || this.#reply.sentStatus !== undefined) return;
		this.#continueDue = false;
		this.#reply.open().writeContinue();
	}

	/** A response of the server's own; when the guest's has begun, that is cut off instead. */
	#fail(status: number, outcome: RequestOutcome, reason: string, error?: unknown): void {
		if (this.#responseOver || this.#sent) {
			// The client has everything; the log still says what became of the guest.
			this.#reason ??= reason;
			this.#error ??= error;
			return;
		}
		if (this.#decided) {
			// What the guest had finished is delivered, whatever happens to it after that.
			const finished = this.#body === undefined || this.#body.sink.end === "finished";
			if (!finished) this.#sink?.abort();
			this.#note(finished ? "answered" : outcome === "failed" ? "truncated" : outcome, reason, error);
			return;
		}
		this.#decided = true;
		this.#note(outcome, reason, error);
		const text = `${nodeHttp.STATUS_CODES[status] ?? "Error"}\nrequest id: ${this.id}\n`;
		const response = this.#reply.open();
		response.writeHead(status, {
			"content-type": "text/plain; charset=utf-8",
			"content-length": Buffer.byteLength(text),
			[ID_FIELD]: this.id,
		});
		response.end(text);
	}

	/** The first reason counts. */
	#note(outcome: RequestOutcome, reason: string, error?: unknown): void {
		if (this.#reason !== undefined) return;
		this.#outcome = outcome;
		this.#reason = reason;
		this.#error = error;
	}

	/** The limit `wall` is reached. */
	expire(): void {
		const { limits, options } = this.#site;
		const error = new LimitExceeded("wall", limits.wall, options.app);
		this.#fail(504, "timed-out", error.message, error);
		this.#endGuest(error);
	}

	onResponseFinished(): void {
		// Node says so of a connection that was cut, too.
		this.#sent = !this.#request.socket.destroyed;
	}

	onResponseClosed(): void {
		if (this.#responseOver) return;
		this.#responseOver = true;
		if (!this.#sent) {
			if (this.#body?.sink.end === "aborted") this.#note("truncated", BROKEN_OFF);
			else this.#note("client-gone", "the client closed the connection");
		}
		if (this.#guestOver) this.#finish();
		// With its response sent, the guest may still be at work.
		else if (!this.#sent) this.#endGuest(new SkerryError("guest/killed", this.#reason ?? ""));
	}

	#endGuest(reason: unknown): void {
		if (this.#guestOver) return;
		this.#guestOver = true;
		this.#error ??= reason;
		this.#site.deadlines.delete(this);
		if (this.#guest !== undefined) this.#release(this.#guest, reason);
		if (this.#responseOver) this.#finish();
		else {
			if (this.#body?.sink.end === "open") this.#sink?.abort();
			// What went out whole, in one, is watched by its connection.
			if (this.#reply.response !== undefined) atTurnEnd(this);
		}
	}

	/** The guest is over. From here on only the client can hold up the end, and few do: most responses are gone with the turn. */
	onTurnEnd(): void {
		const { response } = this.#reply;
		if (!this.#responseOver) response?.setTimeout(this.#site.limits.idle, () => response.destroy());
	}

	#release(guest: GuestHandler, reason: unknown): void {
		this.#site.counts.guestsInUse--;
		try {
			// First of all the context: when that has ended, what the guest's handles hold may be dropped in any order.
			guest.context.end();
			guest.end(reason);
		} catch (error) {
			this.#note(this.#outcome, messageOf(error), error);
		}
	}

	#finish(): void {
		this.#site.counts.requestsInFlight--;
		this.#site.deadlines.delete(this);
		const { response } = this.#reply;
		if (response !== undefined) discardRest(response.req, this.#site.limits);
		const { onRequest, troubleOnly } = this.#site.options;
		if (onRequest === undefined) return;
		if (troubleOnly === true && this.#outcome === "answered" && this.#reason === undefined) return;
		const path = this.#request.url ?? "";
		const query = path.indexOf("?");
		onRequest({
			id: this.id,
			method: this.#request.method ?? "",
			path: query === -1 ? path : path.slice(0, query),
			status: this.#reply.sentStatus,
			milliseconds: performance.now() - this.started,
			outcome: this.#outcome,
			reason: this.#reason,
			error: this.#error,
		});
	}
}
