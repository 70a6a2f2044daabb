import type { ValueType } from "../../component/mod.ts";
import { SkerryError } from "../../fault/mod.ts";
import type { Pledges } from "../store-part.ts";
import type { Store } from "../store.ts";
import type { EndKind } from "./copy-end.ts";
import {
	COPY,
	type Copier,
	type CopyResult,
	MAX_BUFFER_LENGTH,
	type Shared,
	type WritableBuffer,
} from "./shared-stream.ts";

type EndType = ValueType & { readonly kind: EndKind };

/** Elements as a host gets them: a typed array for numbers, otherwise an array. */
export type Chunk = ArrayLike<unknown>;

/** What is made of an end for the host's own code says here which end it is: given to a guest, that end is given. */
export const HOST_END: unique symbol = Symbol("the end behind it");

/** How many elements a host that does not say is given at most. */
const CHUNK = 64 * 1024;

export abstract class HostEnd {
	readonly #store: Store;
	readonly #epoch: object;
	#release: (() => void) | null;
	#shared: Shared | null;
	protected reading = false;
	#copier: Copier | null = null;
	/** Why it ended, where that was with its sandbox. */
	#ended: { readonly reason: unknown } | null = null;
	readonly reads = true;
	/** Told when it ends with its sandbox. */
	onEnd: (reason: unknown) => void = () => {};

	constructor(store: Store, shared: Shared) {
		this.#store = store;
		this.#epoch = store.epoch;
		this.#shared = shared;
		this.#release = pledgesOf(store).hold();
		store.held.add(this);
	}

	/** Whether it can be given to a guest of the store, or read. */
	isOf(store: Store): boolean {
		return this.#store === store && this.#epoch === store.epoch && this.#shared !== null && !this.reading;
	}

	/** Takes the shared part out: it is given back to a guest, or dropped. */
	take(kind: string): Shared {
		const shared = this.#shared;
		if (shared === null || this.reading) {
			const state = shared === null ? "it was given away or has ended" : "it is being read";
			throw new SkerryError("call/bad-value", `Cannot give a ${kind} away: ${state}`);
		}
		this.settle();
		return shared;
	}

	/** It has come to its end. */
	protected settle(): void {
		this.#shared = null;
		this.#release?.();
		this.#release = null;
		this.#store.held.delete(this);
	}

	/** The sandbox ends: whoever waits for more, or asks for it later, gets the reason. */
	end(reason: unknown): void {
		this.#ended = { reason };
		this.settle();
		this.failed(reason);
		this.onEnd(reason);
	}

	/** @param last whether the end is dropped with the copy, so that the guest is told of both at once */
	protected copy(count: number, last = false): Promise<{ readonly values: Chunk; readonly result: CopyResult }> {
		const shared = this.#shared;
		const store = this.#store;
		if (this.#ended !== null) return Promise.reject(this.#ended.reason);
		if (shared === null || store.isOver(this.#epoch)) {
			return Promise.resolve({ values: [], result: COPY.dropped });
		}
		if (this.reading) throw new SkerryError("call/bad-value", "Cannot read from a stream: it is being read");
		this.reading = true;
		return new Promise((resolve, reject) => {
			this.failed = reject;
			let values: Chunk = [];
			const buffer: WritableBuffer = {
				guest: false,
				remain: count,
				empty: count === 0,
				write(copied) {
					values = copied;
				},
			};
			const done = (result: CopyResult): void => {
				this.reading = false;
				if (last) shared.drop();
				if (last || result === COPY.dropped) this.settle();
				resolve({ values, result });
			};
			const copier: Copier<WritableBuffer> = (this.#copier = {
				instance: null,
				buffer,
				onCopy: () => {
					shared.reclaim(copier);
					done(COPY.completed);
				},
				onDone: done,
			});
			pledgesOf(store).enqueue(() => shared.read(copier));
		});
	}

	protected failed: (error: unknown) => void = () => {};

	/** No more is wanted: the guest that writes is told so. */
	cancel(): void {
		const shared = this.#shared;
		if (shared === null) return;
		this.#shared = null;
		pledgesOf(this.#store).enqueue(() => {
			if (this.#copier !== null) shared.cancel(this.#copier);
			shared.drop();
			// Only now: the guest is still to hear of it.
			this.settle();
		});
	}

	[Symbol.dispose](): void {
		this.cancel();
	}
}

/** The readable end of a guest's stream in the host's hands. To be read to its end, cancelled, or given to a guest. */
export class HostStream extends HostEnd implements AsyncIterable<Chunk> {
	/** At least one element and at most `most`; `undefined` at the end. */
	async read(most: number = CHUNK): Promise<Chunk | undefined> {
		for (;;) {
			const { values, result } = await this.copy(Math.min(Math.max(most, 1), MAX_BUFFER_LENGTH));
			if (values.length > 0) return values;
			if (result !== COPY.completed) return undefined;
		}
	}

	/** At most `most` elements, as one write has them, and no more: the end is dropped with that. `undefined` at the end. */
	async readLast(most: number): Promise<Chunk | undefined> {
		const { values } = await this.copy(Math.min(Math.max(most, 1), MAX_BUFFER_LENGTH), true);
		return values.length > 0 ? values : undefined;
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<Chunk, void, undefined> {
		try {
			for (let chunk = await this.read(); chunk !== undefined; chunk = await this.read()) yield chunk;
		} finally {
			this.cancel();
		}
	}
}

/** The readable end of a guest's future in the host's hands. */
export class HostFuture extends HostEnd {
	#value: Promise<unknown> | undefined;

	/** What the guest writes. Rejects when the sandbox ends before. */
	read(): Promise<unknown> {
		this.#value ??= this.copy(1).then(({ values, result }) => {
			if (result !== COPY.completed) throw new SkerryError("call/bad-value", "Cannot read a future: it has ended");
			this.settle();
			return values[0];
		});
		return this.#value;
	}
}

export function pledgesOf(store: Store): Pledges {
	if (store.pledges === null) throw new Error("the store has no streams");
	return store.pledges;
}

export function toHost(store: Store, type: EndType, shared: Shared): HostStream | HostFuture {
	return type.kind === "stream" ? new HostStream(store, shared) : new HostFuture(store, shared);
}

/** The end itself, where the value stands for one. */
export function endOf(value: unknown): HostEnd | undefined {
	if (value instanceof HostEnd) return value;
	if (typeof value !== "object" || value === null || !(HOST_END in value)) return undefined;
	return value[HOST_END] as HostEnd;
}

/** Whether `fromHost` can make something of the value. */
export function isHostEnd(store: Store, kind: EndKind, value: unknown): boolean {
	const end = endOf(value);
	const free = end?.isOf(store);
	if (kind === "future") return end === undefined || (free === true && end instanceof HostFuture);
	if (value instanceof ReadableStream && value.locked) return false;
	// One that was partly read has elements of its own.
	if (end !== undefined && free === true) return end instanceof HostStream;
	if (end !== undefined && !(value instanceof ReadableStream)) return false;
	if (typeof value !== "object" || value === null) return false;
	const { [Symbol.asyncIterator]: later, [Symbol.iterator]: now } = value as Partial<Record<symbol, unknown>>;
	return typeof (later ?? now) === "function";
}
