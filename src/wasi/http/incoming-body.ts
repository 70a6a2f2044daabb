import { Trap } from "../../fault/mod.ts";
import type { BodySource, Waitable } from "../../sys/mod.ts";
import type { WasiContext } from "../context.ts";
import { InputStream } from "../io/input-stream.ts";
import { err, ok, type Result } from "../result.ts";
import { type ErrorCode, toErrorCode } from "./error-code.ts";
import { Fields } from "./fields.ts";

/** How much of an unread body one step of `FutureTrailers` throws away. */
const DRAIN_BYTES = 64 * 1024;

/**
 * `wasi:http/types.incoming-body`. Its stream is a child: as the WIT demands, finishing the body while the stream lives traps.
 * Dropping it then is against the WIT, too, but there a trap is not demanded, and StarlingMonkey does it at the end of an
 * echo: the stream reads as closed from then on. (Headers and pollables are children by the WIT as well, but nothing of theirs
 * breaks when the parent goes: they are tolerated in any order.)
 */
export class IncomingBody {
	readonly #context: WasiContext;
	readonly #source: BodySource;
	#stream: "whole" | "open" | "dropped" = "whole";

	constructor(context: WasiContext, source: BodySource) {
		this.#context = context;
		this.#source = source;
	}

	/** Once. */
	stream(): Result<InputStream, undefined> {
		if (this.#stream !== "whole") return err(undefined);
		this.#stream = "open";
		return ok(
			new InputStream(this.#source, () => {
				// The rest is still needed for the trailers.
				this.#stream = "dropped";
			}),
		);
	}

	/** Consumes the body. */
	finish(): FutureTrailers {
		if (this.#stream === "open" && !this.#context.ended) {
			throw new Trap("incoming-body.finish: the input-stream child is still alive");
		}
		return new FutureTrailers(this.#context, this.#source);
	}

	drop(): void {
		this.#source.close();
	}
}

type TrailersResult = Result<Fields | undefined, ErrorCode>;

/** `wasi:http/types.future-trailers`: what of the body is unread is thrown away, without ever being held. */
export class FutureTrailers implements Waitable {
	readonly #context: WasiContext;
	readonly #source: BodySource;
	#result: TrailersResult | undefined;
	#taken = false;

	constructor(context: WasiContext, source: BodySource) {
		this.#context = context;
		this.#source = source;
	}

	ready(): boolean {
		this.#result ??= this.#drain();
		return this.#result !== undefined;
	}

	wait(): Promise<void> {
		return this.#source.wait();
	}

	/** `undefined` until they are there; the inner result once, `err` after that. */
	get(): Result<TrailersResult, undefined> | undefined {
		if (this.#taken) return err(undefined);
		this.#result ??= this.#drain();
		if (this.#result === undefined) return undefined;
		this.#taken = true;
		return ok(this.#result);
	}

	drop(): void {
		this.#source.close();
	}

	#drain(): TrailersResult | undefined {
		try {
			for (;;) {
				const bytes = this.#source.read(DRAIN_BYTES);
				if (bytes === null) break;
				if (bytes.length === 0) return undefined;
			}
		} catch (failure) {
			return err(toErrorCode(failure));
		}
		const raw = this.#source.rawTrailers;
		return ok(raw.length === 0 ? undefined : Fields.received(raw, this.#context.http.limits.fieldBytes));
	}
}
