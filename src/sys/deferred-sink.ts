import type { BufferMeter } from "./buffer-meter.ts";
import type { BodySink } from "./http-sink.ts";
import { Signal } from "./signal.ts";

export interface DeferredSinkOptions {
	/** Bytes that are kept until the destination is known. */
	readonly bound: number;
	readonly meter?: BufferMeter | undefined;
}

/** A body whose destination comes later: up to `bound` bytes are kept, then handed over; from then on it passes everything through. */
export class DeferredSink implements BodySink {
	readonly #options: DeferredSinkOptions;
	readonly #signal = new Signal();
	#onDemand: (() => void) | undefined;
	#target: BodySink | undefined;
	#kept: Uint8Array[] = [];
	#keptBytes = 0;
	#end: "open" | "finished" | "aborted" = "open";
	#trailers: readonly string[] = [];
	#flushing = false;
	#demanded = false;

	constructor(options: DeferredSinkOptions) {
		this.#options = options;
	}

	/** Whether the writer has said that no more comes. */
	get end(): "open" | "finished" | "aborted" {
		return this.#end;
	}

	get attached(): boolean {
		return this.#target !== undefined;
	}

	/** Bytes kept for a destination that is not known yet. */
	get keptBytes(): number {
		return this.#keptBytes;
	}

	/** Whether the body was finished with trailers. */
	get hasTrailers(): boolean {
		return this.#trailers.length > 0;
	}

	/** Calls back once, when the writer cannot get on without a destination, asks for delivery, or is done; at once if that was so already. */
	onDemand(callback: () => void): void {
		if (this.#demanded) callback();
		else this.#onDemand = callback;
	}

	/** Names the destination. It must be able to take what was kept, that is, have a bound at least as large. */
	attach(target: BodySink): void {
		this.#target = target;
		const kept = this.#drop();
		if (this.#end === "aborted") target.abort();
		else {
			for (const bytes of kept) target.write(bytes);
			if (this.#end === "finished") target.finish(this.#trailers);
			else if (this.#flushing) target.flush();
		}
		this.#signal.fire();
	}

	ready(): boolean {
		if (this.#end !== "open") return true;
		if (this.#target !== undefined) return this.#target.ready();
		return this.#keptBytes < this.#options.bound;
	}

	async wait(): Promise<void> {
		if (this.#target === undefined) await this.#signal.wait();
		else await this.#target.wait();
	}

	capacity(): number | null {
		if (this.#end !== "open") return null;
		if (this.#target !== undefined) return this.#target.capacity();
		return this.#options.bound - this.#keptBytes;
	}

	write(bytes: Uint8Array): void {
		if (this.#end !== "open" || bytes.length === 0) return;
		if (this.#target !== undefined) {
			this.#target.write(bytes);
			return;
		}
		this.#kept.push(bytes);
		this.#keptBytes += bytes.length;
		this.#options.meter?.add(bytes.length);
		if (this.#keptBytes >= this.#options.bound) this.#demand();
	}

	flush(): void {
		if (this.#target === undefined) {
			this.#flushing = true;
			this.#demand();
		}
		// A demand may have attached the target, which has flushed by then.
		else this.#target.flush();
	}

	/** Before the destination is known, keeping the bytes is all that can be done: a guest may flush before it sets its response. */
	flushed(): boolean {
		return this.#target?.flushed() ?? true;
	}

	close(): void {
		this.finish([]);
	}

	finish(trailers: readonly string[]): void {
		if (this.#end !== "open") return;
		this.#end = "finished";
		this.#trailers = trailers;
		if (this.#target === undefined) this.#demand();
		else this.#target.finish(trailers);
		this.#signal.fire();
	}

	/** Of a finished body that has no destination, too: what was kept for one is dropped. */
	abort(): void {
		if (this.#end === "aborted" || (this.#end === "finished" && this.#target !== undefined)) return;
		this.#end = "aborted";
		if (this.#target === undefined) {
			this.#drop();
			this.#demand();
		} else this.#target.abort();
		this.#signal.fire();
	}

	#demand(): void {
		if (this.#demanded) return;
		this.#demanded = true;
		this.#onDemand?.();
	}

	#drop(): Uint8Array[] {
		const kept = this.#kept;
		this.#kept = [];
		this.#options.meter?.add(-this.#keptBytes);
		this.#keptBytes = 0;
		return kept;
	}
}
