import type { HttpExchange, Waitable } from "../../sys/mod.ts";
import type { WasiContext } from "../context.ts";
import { err, ok, type Result } from "../result.ts";
import { type ErrorCode, toErrorCode } from "./error-code.ts";
import { IncomingResponse } from "./incoming-message.ts";

/** A request on its way, whose exchange begins when it must. */
export interface PendingExchange {
	/** Starts the exchange unless it has been started; the code of what prevented it otherwise. */
	start(): HttpExchange | ErrorCode;
	/** Ends the exchange wherever it is, also before its start. Idempotent. */
	abort(): void;
}

/** `wasi:http/types.future-incoming-response`. Asking for the response starts the exchange. */
export class FutureIncomingResponse implements Waitable {
	readonly #context: WasiContext;
	readonly #pending: PendingExchange;
	#taken = false;

	constructor(context: WasiContext, pending: PendingExchange) {
		this.#context = context;
		this.#pending = pending;
	}

	ready(): boolean {
		const exchange = this.#pending.start();
		return this.#taken || "tag" in exchange || exchange.ready();
	}

	async wait(): Promise<void> {
		const exchange = this.#pending.start();
		if (!("tag" in exchange)) await exchange.wait();
	}

	/** `undefined` until there is a response; the inner result once, `err` after that. */
	get(): Result<Result<IncomingResponse, ErrorCode>, undefined> | undefined {
		if (this.#taken) return err(undefined);
		const result = this.#attempt(this.#pending.start());
		if (result === undefined) return undefined;
		this.#taken = true;
		return ok(result);
	}

	/** Nobody will have the response: the exchange ends. */
	drop(): void {
		if (!this.#taken) this.#pending.abort();
		this.#taken = true;
	}

	#attempt(exchange: HttpExchange | ErrorCode): Result<IncomingResponse, ErrorCode> | undefined {
		if ("tag" in exchange) return err(exchange);
		let response: ReturnType<HttpExchange["response"]>;
		try {
			response = exchange.response();
		} catch (failure) {
			return err(toErrorCode(failure));
		}
		if (response === undefined) return undefined;
		return ok(new IncomingResponse(this.#context, response.status, response.rawHeaders, response.body));
	}
}
