import { Trap } from "../../fault/mod.ts";
import { type BodySink, type ByteSink, DeferredSink } from "../../sys/mod.ts";
import type { WasiContext } from "../context.ts";
import { OutputStream } from "../io/output-stream.ts";
import { err, ok, type Result } from "../result.ts";
import { BodyFailure, type ErrorCode } from "./error-code.ts";
import type { Fields } from "./fields.ts";

/** The `content-length` that fields announce; `undefined` for none, "invalid" for one that is no number or contradicts another. */
export function contentLength(fields: Fields): number | undefined | "invalid" {
	const values = new Set(fields.values("content-length").map((value) => value.trim()));
	if (values.size === 0) return undefined;
	const [value] = values;
	return values.size === 1 && value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : "invalid";
}

/**
 * `wasi:http/types.outgoing-body`. It is complete when it is finished; dropped before that, or ended with its sandbox, it is
 * corrupt, and its connection is aborted. Its stream is a child: as the WIT demands, dropping or finishing the body while the
 * stream lives traps.
 */
export class OutgoingBody {
	readonly sink: DeferredSink;
	readonly #context: WasiContext;
	readonly #tag: "HTTP-request-body-size" | "HTTP-response-body-size";
	readonly #forget: () => void;
	#length: number | undefined;
	#written = 0;
	#stream: "whole" | "open" | "dropped" = "whole";

	/** `length` is what `content-length` announces. */
	constructor(context: WasiContext, side: "request" | "response", length: number | undefined) {
		this.#context = context;
		this.#tag = `HTTP-${side}-body-size`;
		this.#length = length;
		this.sink = new DeferredSink({ bound: context.http.limits.bodyBytes, meter: context.http.meter });
		this.#forget = context.onEnd(() => this.sink.abort());
	}

	/** Once. */
	write(): Result<OutputStream, undefined> {
		if (this.#stream !== "whole") return err(undefined);
		this.#stream = "open";
		return ok(
			new OutputStream(this.#counted(), () => {
				this.#stream = "dropped";
			}),
		);
	}

	/** Consumes the body. */
	finish(trailers: Fields | undefined): Result<undefined, ErrorCode> {
		this.#checkChildren("finish");
		if (this.#length !== undefined && this.#written !== this.#length) {
			this.#forget();
			this.sink.abort();
			return err(this.#sizeError());
		}
		this.sink.finish(trailers?.toRaw() ?? []);
		if (this.sink.attached) this.#forget();
		return ok();
	}

	drop(): void {
		this.#forget();
		this.sink.abort();
		this.#checkChildren("drop");
	}

	/** Names where the body goes. Until then its sandbox's end drops it, even when it is finished. */
	attach(target: BodySink): void {
		this.sink.attach(target);
		if (this.sink.end !== "open") this.#forget();
	}

	/** The body will not be sent, as with the answer to HEAD: what `content-length` announces need not be written. */
	ignoreLength(): void {
		this.#length = undefined;
	}

	#sizeError(): ErrorCode {
		return { tag: this.#tag, val: BigInt(this.#written) };
	}

	#checkChildren(operation: string): void {
		if (this.#stream === "open" && !this.#context.ended) {
			throw new Trap(`outgoing-body.${operation}: the output-stream child is still alive`);
		}
	}

	/** The sink as the guest's stream sees it: it breaks at the first byte beyond what was announced. */
	#counted(): ByteSink {
		const { sink } = this;
		return {
			ready: () => sink.ready(),
			wait: () => sink.wait(),
			capacity: () => sink.capacity(),
			write: (bytes) => {
				this.#written += bytes.length;
				if (this.#length !== undefined && this.#written > this.#length) {
					sink.abort();
					throw new BodyFailure(
						this.#sizeError(),
						`the body has more than the ${this.#length} bytes that content-length announces`,
					);
				}
				sink.write(bytes);
			},
			flush: () => sink.flush(),
			flushed: () => sink.flushed(),
			close: () => {},
		};
	}
}
