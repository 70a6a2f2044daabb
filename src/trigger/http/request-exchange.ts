import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { TLSSocket } from "node:tls";
import { LimitExceeded, SkerryError } from "../../fault/mod.ts";
import { DiscardingSink, IncomingMessageSource, OutgoingMessageSink } from "../../sys/mod.ts";
import {
	createIncomingRequest,
	createResponseOutparam,
	type ErrorCode,
	type OutgoingResponse,
	renderErrorCode,
	type Result,
	statusOf,
} from "../../wasi/mod.ts";
import { discardRest } from "./discard-rest.ts";
import type { GuestHandler, HttpHandlerOptions } from "./guest-handler.ts";
import type { TriggerLimits } from "./limits.ts";
import type { RequestOutcome } from "./record.ts";
import { parseRequestTarget, type RequestTarget } from "./request-target.ts";

export interface ExchangeOptions {
	readonly id: string;
	readonly request: IncomingMessage;
	readonly response: ServerResponse;
	readonly continueDue: boolean;
	readonly limits: TriggerLimits;
	/** Counted up and down here. */
	readonly counts: { requestsInFlight: number; guestsInUse: number };
	readonly options: HttpHandlerOptions;
}

/** The name of the response field, and of the log's, by which a failure is found again. */
const ID_FIELD = "x-skerry-request-id";
const BROKEN_OFF = "the guest dropped its response body before it had finished it";

/**
 * One request and its guest. Two things end, in either order: the guest's call, and the response. When both have, everything
 * is released and the record is written.
 */
export class RequestExchange {
	readonly #id: string;
	readonly #request: IncomingMessage;
	readonly #response: ServerResponse;
	/** The client waits for `100 Continue` before it sends the body, and the guest may still want that. */
	#continueDue: boolean;
	readonly #limits: TriggerLimits;
	readonly #counts: ExchangeOptions["counts"];
	readonly #options: HttpHandlerOptions;
	readonly #started = performance.now();
	#timer: NodeJS.Timeout | undefined;
	#guest: GuestHandler | undefined;
	/** The guest has set its response, or can no longer set one. */
	#decided = false;
	#guestOver = false;
	/** The kernel has taken the whole response. */
	#sent = false;
	#responseOver = false;
	#outcome: RequestOutcome = "answered";
	#reason: string | undefined;
	#error: unknown;
	/** The guest has taken the request's body. */
	#consumed: () => boolean = () => false;
	#bodyEnd: () => "open" | "finished" | "aborted" = () => "finished";

	constructor({ id, request, response, continueDue, limits, counts, options }: ExchangeOptions) {
		this.#id = id;
		this.#request = request;
		this.#response = response;
		this.#continueDue = continueDue;
		this.#limits = limits;
		this.#counts = counts;
		this.#options = options;
	}

	/** Never rejects. Settles when the guest's call is over. */
	async run(): Promise<void> {
		this.#counts.requestsInFlight++;
		// A write that loses the race against a disconnect; the close tells of it.
		this.#response.on("error", () => {});
		this.#response.on("finish", () => {
			// Node says so of a connection that was cut, too.
			this.#sent = !this.#request.socket.destroyed;
		});
		this.#response.on("close", () => this.#onResponseClosed());
		const target = parseRequestTarget(this.#request);
		if (target === undefined) {
			this.#guestOver = true;
			this.#fail(400, "refused", "the request's target or host is malformed");
			return;
		}
		this.#timer = setTimeout(() => this.#onDeadline(), this.#limits.wall);
		try {
			const guest = await this.#options.acquire();
			this.#counts.guestsInUse++;
			if (this.#guestOver) {
				// The client has gone, or the deadline has passed, while the sandbox was waited for.
				this.#release(guest, this.#error);
				return;
			}
			this.#guest = guest;
		} catch (error) {
			const guestFailed = error instanceof SkerryError && error.code.startsWith("guest/");
			if (guestFailed) this.#failGuest(error);
			else this.#fail(503, "refused", describe(error), error);
			this.#endGuest(error);
			return;
		}
		await this.#call(this.#guest, target);
	}

	async #call(guest: GuestHandler, target: RequestTarget): Promise<void> {
		try {
			const request = createIncomingRequest(guest.context, {
				method: this.#request.method ?? "GET",
				scheme: (this.#request.socket as Partial<TLSSocket>).encrypted === true ? "https" : "http",
				...target,
				rawHeaders: this.#request.rawHeaders,
				body: new IncomingMessageSource(this.#request, {
					onStart: () => this.#continue(),
					onDone: () => {
						this.#continueDue = false;
					},
				}),
			});
			this.#consumed = () => request.consumed;
			const response = createResponseOutparam({
				respond: (result) => this.#respond(guest, result),
				abandon: () => this.#fail(500, "failed", "the guest dropped its response-outparam without a response"),
			});
			await guest.call(request, response);
			if (!this.#decided) this.#fail(500, "failed", "the guest returned without a response");
			else if (this.#bodyEnd() === "open") {
				this.#note("truncated", "the guest returned before it had finished its response");
			}
			this.#endGuest(undefined);
		} catch (error) {
			this.#failGuest(error);
			this.#endGuest(error);
		}
	}

	#failGuest(error: unknown): void {
		if (error instanceof LimitExceeded && error.limit === "wall") this.#fail(504, "timed-out", error.message, error);
		else this.#fail(500, "failed", describe(error), error);
	}

	#respond(guest: GuestHandler, result: Result<OutgoingResponse, ErrorCode>): void {
		// Whose body is not sent, learns that nobody reads.
		if (result.tag === "ok") {
			if (!this.#send(guest, result.val)) result.val.takenBody?.sink.abort();
		} else if (!this.#decided) this.#fail(statusOf(result.val), "error-code", renderErrorCode(result.val));
	}

	/** False when the response is not what the client gets. */
	#send(guest: GuestHandler, response: OutgoingResponse): boolean {
		if (this.#decided || this.#responseOver) return false;
		const { status, announcedLength, takenBody: body } = response;
		const refusal = this.#refusal(response);
		if (refusal !== undefined) {
			this.#fail(500, "failed", refusal);
			return false;
		}
		const bodiless = this.#isBodiless(status);
		this.#decided = true;
		let headers = response.rawHeaders();
		if (status === 204) headers = without(headers, "content-length");
		else if (!bodiless && announcedLength === undefined) {
			if (body === undefined) headers.push("content-length", "0");
			else if (body.sink.end === "finished" && !body.sink.hasTrailers) {
				headers.push("content-length", String(body.sink.keptBytes));
			}
		}
		// A guest that streams its answer may read the request meanwhile; behind the head it is too late to ask for that.
		if (status < 400 && body?.sink.end === "open" && this.#consumed()) this.#continue();
		this.#response.writeHead(status, headers);
		if (bodiless || body === undefined) {
			this.#response.end();
			body?.ignoreLength();
			body?.attach(
				new DiscardingSink(
					() => {},
					() => {},
				),
			);
			return true;
		}
		this.#bodyEnd = () => body.sink.end;
		const { limits, meter } = guest.context.http;
		body.attach(new OutgoingMessageSink(this.#response, { bound: limits.bodyBytes, meter }));
		// The head goes out in this turn, in one packet with what the guest writes right away.
		setImmediate(() => {
			if (!this.#response.destroyed && !this.#response.writableEnded) this.#response.flushHeaders();
		});
		return true;
	}

	#continue(): void {
		if (!this.#continueDue || this.#response.headersSent) return;
		this.#continueDue = false;
		this.#response.writeContinue();
	}

	/** RFC 9110, 6.4.1: these have no body, whatever the guest writes. */
	#isBodiless(status: number): boolean {
		return this.#request.method === "HEAD" || status === 204 || status === 304;
	}

	/** Why a response cannot be sent. */
	#refusal({ status, announcedLength, takenBody }: OutgoingResponse): string | undefined {
		if (announcedLength === "invalid") return "the guest's content-length is not a length";
		if (this.#isBodiless(status)) return undefined;
		if (takenBody === undefined && announcedLength !== undefined && announcedLength > 0) {
			return `the guest announced ${announcedLength} bytes of a body that it did not take`;
		}
		return takenBody?.sink.end === "aborted" ? BROKEN_OFF : undefined;
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
			if (this.#bodyEnd() !== "finished") this.#response.destroy();
			// What the guest had finished is delivered, whatever happens to it after that.
			this.#note(
				this.#bodyEnd() === "finished" ? "answered" : outcome === "failed" ? "truncated" : outcome,
				reason,
				error,
			);
			return;
		}
		this.#decided = true;
		this.#note(outcome, reason, error);
		const text = `${STATUS_CODES[status] ?? "Error"}\nrequest id: ${this.#id}\n`;
		this.#response.writeHead(status, {
			"content-type": "text/plain; charset=utf-8",
			"content-length": Buffer.byteLength(text),
			[ID_FIELD]: this.#id,
		});
		this.#response.end(text);
	}

	/** The first reason counts. */
	#note(outcome: RequestOutcome, reason: string, error?: unknown): void {
		if (this.#reason !== undefined) return;
		this.#outcome = outcome;
		this.#reason = reason;
		this.#error = error;
	}

	#onDeadline(): void {
		const error = new SkerryError(
			"guest/killed",
			`the request took longer than the limit wall (${this.#limits.wall} ms)`,
		);
		this.#fail(504, "timed-out", error.message, error);
		this.#endGuest(error);
	}

	#onResponseClosed(): void {
		if (this.#responseOver) return;
		this.#responseOver = true;
		if (!this.#sent) {
			if (this.#bodyEnd() === "aborted") this.#note("truncated", BROKEN_OFF);
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
		clearTimeout(this.#timer);
		if (this.#guest !== undefined) this.#release(this.#guest, reason);
		if (this.#responseOver) this.#finish();
		else {
			if (this.#bodyEnd() === "open") this.#response.destroy();
			// From here on only the client can hold up the end.
			this.#response.setTimeout(this.#limits.idle, () => this.#response.destroy());
		}
	}

	#release(guest: GuestHandler, reason: unknown): void {
		this.#counts.guestsInUse--;
		try {
			// First of all the context: when that has ended, what the guest's handles hold may be dropped in any order.
			guest.context.end();
			guest.end(reason);
		} catch (error) {
			this.#note(this.#outcome, describe(error), error);
		}
	}

	#finish(): void {
		this.#counts.requestsInFlight--;
		clearTimeout(this.#timer);
		discardRest(this.#request, this.#limits);
		const path = this.#request.url ?? "";
		const query = path.indexOf("?");
		this.#options.onRequest?.({
			id: this.#id,
			method: this.#request.method ?? "",
			path: query === -1 ? path : path.slice(0, query),
			status: this.#response.headersSent ? this.#response.statusCode : undefined,
			milliseconds: performance.now() - this.#started,
			outcome: this.#outcome,
			reason: this.#reason,
			error: this.#error,
		});
	}
}

function describe(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}

/** Names and values in turn, less one field. */
function without(raw: readonly string[], key: string): string[] {
	const kept: string[] = [];
	for (let i = 0; i + 1 < raw.length; i += 2) {
		const name = raw[i] ?? "";
		if (name.toLowerCase() !== key) kept.push(name, raw[i + 1] ?? "");
	}
	return kept;
}
