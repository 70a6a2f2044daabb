import { Trap } from "../../fault/mod.ts";
import { PassingSink, type BodySink, type ByteSink, DeferredSink } from "../../sys/mod.ts";
import type { WasiContext } from "../context.ts";
import { OutputStream } from "../io/output-stream.ts";
import { err, ok, type Result } from "../result.ts";
import { BodyFailure, type ErrorCode } from "./error-code.ts";
import type { Fields } from "./fields.ts";

/**
 * `wasi:http/types.outgoing-body`. It is complete when it is finished; dropped before that, or ended with its sandbox, it is
 * corrupt, and its connection is aborted. Its stream is a child: as the WIT demands, dropping or finishing the body while the
 * stream lives traps.
 */
export class OutgoingBody {
	readonly sink: DeferredSink;
	readonly #context: WasiContext;
	readonly #tag: "HTTP-request-body-size" | "HTTP-response-body-size";
	#forget: (() => void) | undefined;
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
		const sink = new CountedSink(this.sink, (bytes) => this.#accept(bytes));
		return ok(
			new OutputStream(sink, () => {
				this.#stream = "dropped";
			}),
		);
	}

	/** Consumes the body. */
	finish(trailers: Fields | undefined): Result<undefined, ErrorCode> {
		this.#checkChildren("finish");
		if (this.#length !== undefined && this.#written !== this.#length) {
			this.#forget?.();
			this.sink.abort();
			return err(this.#sizeError());
		}
		this.sink.finish(trailers?.toRaw() ?? []);
		trailers?.drop();
		if (this.sink.attached) this.#forget?.();
		return ok();
	}

	drop(): void {
		this.#forget?.();
		this.sink.abort();
		this.#checkChildren("drop");
	}

	/** Names where the body goes. Until then its sandbox's end drops it, even when it is finished. */
	attach(target: BodySink): void {
		this.sink.attach(target);
		if (this.sink.end !== "open") this.#forget?.();
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

	/** Counts what the guest writes; breaks the body at the first byte beyond what was announced. */
	#accept(bytes: Uint8Array): void {
		this.#written += bytes.length;
		if (this.#length !== undefined && this.#written > this.#length) {
			this.sink.abort();
			throw new BodyFailure(
				this.#sizeError(),
				`the body has more than the ${this.#length} bytes that content-length announces`,
			);
		}
	}
}

/** A body's sink as the guest's stream sees it: what is written is counted first, and the stream's end is not the body's. */
class CountedSink extends PassingSink {
	readonly #accept: (bytes: Uint8Array) => void;

	constructor(sink: ByteSink, accept: (bytes: Uint8Array) => void) {
		super(sink);
		this.#accept = accept;
	}

	override write(bytes: Uint8Array): void {
		this.#accept(bytes);
		super.write(bytes);
	}

	override close(): void {}
}
