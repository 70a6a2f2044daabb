import type { ValueType } from "../../component/mod.ts";
import { isNumeric } from "../numeric-list.ts";
import type { ComponentInstance } from "../store.ts";
import { trap } from "../traps.ts";

/** CanonicalABI.md `Buffer.MAX_LENGTH` */
export const MAX_BUFFER_LENGTH: number = 2 ** 28 - 1;

/** CanonicalABI.md `Buffer`: elements of a stream or future on their way. */
export interface Buffer {
	/** A guest's values keep what JavaScript's would lose (`Context.carried`) when both sides are guests. */
	readonly guest: boolean;
	/** Elements that it can still give or take. */
	readonly remain: number;
	/** Of no elements from the beginning: used to ask whether the other side is ready. */
	readonly empty: boolean;
}

export interface ReadableBuffer extends Buffer {
	/** The next `count` elements: an array, or a typed array. `carried`: both sides are guests, and what is read is written at once. */
	read(count: number, carried: boolean): ArrayLike<unknown>;
}

export interface WritableBuffer extends Buffer {
	write(values: ArrayLike<unknown>, carried: boolean): void;
}

/** CanonicalABI.md `CopyResult`. */
export const COPY = { completed: 0, dropped: 1, cancelled: 2 } as const;

export type CopyResult = (typeof COPY)[keyof typeof COPY];

/** A side that reads or writes, and what it is told. */
export interface Copier<B extends Buffer = Buffer> {
	/** The component instance that copies; `null` for the host. */
	readonly instance: ComponentInstance | null;
	/** What it takes, or fills. */
	readonly buffer: B;
	/** It came first, and elements were copied: more may be until it is `reclaim`ed. */
	onCopy(): void;
	onDone(result: CopyResult): void;
}

/** What the two ends of a stream or a future share. */
export interface Shared {
	readonly element: ValueType | null;
	/** Of a stream that a host writes: writes what has come meanwhile, or learns of its end, where there is something. */
	readonly fill: (() => void) | null;
	/** Both ends are there, and nobody waits at one. */
	readonly isIdle: boolean;
	/** One end is no more: nothing is copied any longer. */
	readonly isDropped: boolean;
	/** Ends the copy of this side, where it waits for the other, or could still go on. */
	cancel(copier: Copier): void;
	/** One end is no more. */
	drop(): void;
	/** Of a side that came first: no more is copied. */
	reclaim(copier: Copier): void;
	/** Copies now or when the other side comes. */
	read(copier: Copier<WritableBuffer>): void;
	write(copier: Copier<ReadableBuffer>): void;
}

abstract class SharedBase {
	readonly element: ValueType | null;
	fill: (() => void) | null = null;
	/** Told when the first end is dropped. */
	readonly #ended: (() => void) | undefined;
	protected dropped = false;
	/** The side that has come first, and waits for the other. */
	protected pending: Copier | null = null;

	constructor(element: ValueType | null, ended?: () => void) {
		this.element = element;
		this.#ended = ended;
	}

	get isDropped(): boolean {
		return this.dropped;
	}

	get isIdle(): boolean {
		return this.pending === null && !this.dropped;
	}

	protected notify(result: CopyResult): void {
		const { pending } = this;
		this.pending = null;
		pending?.onDone(result);
	}

	cancel(copier: Copier): void {
		if (this.pending === copier) this.notify(COPY.cancelled);
	}

	reclaim(copier: Copier): void {
		if (this.pending === copier) this.pending = null;
	}

	drop(): void {
		if (this.dropped) return;
		this.dropped = true;
		this.#ended?.();
		if (this.pending !== null) this.notify(COPY.dropped);
		// A host may have given what was to be written with the next read.
		else this.fill?.();
	}

	/** Values with pointers or handles would have to be copied from an instance to itself, which the specification puts off. */
	protected checkInstances(copier: Copier, kind: string): void {
		const { element } = this;
		const same = copier.instance !== null && copier.instance === this.pending?.instance;
		if (same && element !== null && !isNumeric(element)) trap(`cannot read from and write to intra-component ${kind}`);
	}
}

function copy(from: ReadableBuffer, to: WritableBuffer, count: number): void {
	const carried = from.guest && to.guest;
	to.write(from.read(count, carried), carried);
}

/** CanonicalABI.md `SharedStreamImpl`. */
export class SharedStream extends SharedBase implements Shared {
	read(copier: Copier<WritableBuffer>): void {
		const { buffer } = copier;
		if (this.pending === null && !this.dropped) this.fill?.();
		const { pending } = this;
		if (this.dropped) return copier.onDone(COPY.dropped);
		if (pending === null) return this.#wait(copier);
		this.checkInstances(copier, "stream");
		const { remain } = pending.buffer;
		if (remain === 0) {
			this.notify(COPY.completed);
			// A host whose chunk is lost has dropped its end by now.
			if (this.dropped) return copier.onDone(COPY.dropped);
			return this.#wait(copier);
		}
		if (buffer.remain > 0) {
			copy(pending.buffer as ReadableBuffer, buffer, Math.min(buffer.remain, remain));
			pending.onCopy();
		}
		// A host that has no more to write drops its end at once.
		copier.onDone(this.isDropped ? COPY.dropped : COPY.completed);
	}

	write(copier: Copier<ReadableBuffer>): void {
		const { buffer } = copier;
		const { pending } = this;
		if (this.dropped) return copier.onDone(COPY.dropped);
		if (pending === null) return this.#wait(copier);
		this.checkInstances(copier, "stream");
		const { remain } = pending.buffer;
		if (remain > 0) {
			if (buffer.remain > 0) {
				copy(buffer, pending.buffer as WritableBuffer, Math.min(buffer.remain, remain));
				pending.onCopy();
			}
			// As in `read`: a host that wants no more drops its end.
			return copier.onDone(this.isDropped ? COPY.dropped : COPY.completed);
		}
		// A write of nothing asks whether a reader is there, and is answered; a read of nothing waits for one of something.
		if (buffer.empty && pending.buffer.empty) return copier.onDone(COPY.completed);
		this.notify(COPY.completed);
		this.#wait(copier);
	}

	#wait(copier: Copier): void {
		this.pending = copier;
	}
}

/** CanonicalABI.md `SharedFutureImpl`. */
export class SharedFuture extends SharedBase implements Shared {
	read(copier: Copier<WritableBuffer>): void {
		const { pending } = this;
		if (pending === null) {
			this.pending = copier;
			return;
		}
		this.checkInstances(copier, "future");
		copy(pending.buffer as ReadableBuffer, copier.buffer, 1);
		this.notify(COPY.completed);
		copier.onDone(COPY.completed);
	}

	write(copier: Copier<ReadableBuffer>): void {
		const { pending } = this;
		if (this.dropped) return copier.onDone(COPY.dropped);
		if (pending === null) {
			this.pending = copier;
			return;
		}
		this.checkInstances(copier, "future");
		copy(copier.buffer, pending.buffer as WritableBuffer, 1);
		this.notify(COPY.completed);
		copier.onDone(COPY.completed);
	}
}
