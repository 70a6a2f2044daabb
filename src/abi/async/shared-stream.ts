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

/** What a side that reads or writes is told. */
export interface Copier {
	/** The component instance that copies; `null` for the host. */
	readonly instance: ComponentInstance | null;
	/** Elements were copied, and more may be until `pending` is reclaimed. */
	onCopy(pending: Pending): void;
	onDone(result: CopyResult): void;
}

/** A side that has come first. */
export class Pending {
	readonly copier: Copier;
	readonly buffer: Buffer;
	readonly #shared: SharedBase;

	constructor(shared: SharedBase, copier: Copier, buffer: Buffer) {
		this.copier = copier;
		this.buffer = buffer;
		this.#shared = shared;
	}

	/** Gives the buffer back: no more is copied. */
	reclaim(): void {
		if (this.#shared.pending === this) this.#shared.pending = null;
	}
}

/** What the two ends of a stream or a future share. */
export interface Shared {
	readonly element: ValueType | null;
	/** Of a stream that a host writes: writes what has come meanwhile, or ends, where there is something. */
	readonly fill: (() => void) | null;
	/** Ends the copy of this side, where it waits for the other, or could still go on. */
	cancel(copier: Copier): void;
	/** One end is no more. */
	drop(): void;
	/** Takes `buffer` or fills it, now or when the other side comes. */
	read(copier: Copier, buffer: WritableBuffer): void;
	write(copier: Copier, buffer: ReadableBuffer): void;
}

abstract class SharedBase {
	readonly element: ValueType | null;
	fill: (() => void) | null = null;
	/** Told when the first end is dropped. */
	readonly #ended: (() => void) | undefined;
	protected dropped = false;
	/** The side that has come first, and waits for the other. */
	pending: Pending | null = null;

	constructor(element: ValueType | null, ended?: () => void) {
		this.element = element;
		this.#ended = ended;
	}

	protected get isDropped(): boolean {
		return this.dropped;
	}

	protected notify(result: CopyResult): void {
		const { pending } = this;
		this.pending = null;
		pending?.copier.onDone(result);
	}

	cancel(copier: Copier): void {
		if (this.pending?.copier === copier) this.notify(COPY.cancelled);
	}

	drop(): void {
		if (this.dropped) return;
		this.dropped = true;
		this.#ended?.();
		if (this.pending !== null) this.notify(COPY.dropped);
	}

	/** Values with pointers or handles would have to be copied from an instance to itself, which the specification puts off. */
	protected checkInstances(copier: Copier, kind: string): void {
		const { element } = this;
		const same = copier.instance !== null && copier.instance === this.pending?.copier.instance;
		if (same && element !== null && !isNumeric(element)) trap(`cannot read from and write to intra-component ${kind}`);
	}
}

function copy(from: ReadableBuffer, to: WritableBuffer, count: number): void {
	const carried = from.guest && to.guest;
	to.write(from.read(count, carried), carried);
}

/** CanonicalABI.md `SharedStreamImpl`. */
export class SharedStream extends SharedBase implements Shared {
	read(copier: Copier, buffer: WritableBuffer): void {
		if (this.pending === null && this.fill !== null && buffer.remain > 0 && !this.dropped) this.fill();
		const { pending } = this;
		if (this.dropped) return copier.onDone(COPY.dropped);
		if (pending === null) return this.#wait(copier, buffer);
		this.checkInstances(copier, "stream");
		if (pending.buffer.remain === 0) {
			this.notify(COPY.completed);
			return this.#wait(copier, buffer);
		}
		if (buffer.remain > 0) {
			copy(pending.buffer as ReadableBuffer, buffer, Math.min(buffer.remain, pending.buffer.remain));
			pending.copier.onCopy(pending);
		}
		// A host that has no more to write drops its end at once.
		copier.onDone(this.isDropped ? COPY.dropped : COPY.completed);
	}

	write(copier: Copier, buffer: ReadableBuffer): void {
		const { pending } = this;
		if (this.dropped) return copier.onDone(COPY.dropped);
		if (pending === null) return this.#wait(copier, buffer);
		this.checkInstances(copier, "stream");
		if (pending.buffer.remain > 0) {
			if (buffer.remain > 0) {
				copy(buffer, pending.buffer as WritableBuffer, Math.min(buffer.remain, pending.buffer.remain));
				pending.copier.onCopy(pending);
			}
			// As in `read`: a host that wants no more drops its end.
			return copier.onDone(this.isDropped ? COPY.dropped : COPY.completed);
		}
		// A write of nothing asks whether a reader is there, and is answered; a read of nothing waits for one of something.
		if (buffer.empty && pending.buffer.empty) return copier.onDone(COPY.completed);
		this.notify(COPY.completed);
		this.#wait(copier, buffer);
	}

	#wait(copier: Copier, buffer: Buffer): void {
		this.pending = new Pending(this, copier, buffer);
	}
}

/** CanonicalABI.md `SharedFutureImpl`. */
export class SharedFuture extends SharedBase implements Shared {
	read(copier: Copier, buffer: WritableBuffer): void {
		const { pending } = this;
		if (pending === null) {
			this.pending = new Pending(this, copier, buffer);
			return;
		}
		this.checkInstances(copier, "future");
		copy(pending.buffer as ReadableBuffer, buffer, 1);
		this.notify(COPY.completed);
		copier.onDone(COPY.completed);
	}

	write(copier: Copier, buffer: ReadableBuffer): void {
		const { pending } = this;
		if (this.dropped) return copier.onDone(COPY.dropped);
		if (pending === null) {
			this.pending = new Pending(this, copier, buffer);
			return;
		}
		this.checkInstances(copier, "future");
		copy(buffer, pending.buffer as WritableBuffer, 1);
		this.notify(COPY.completed);
		copier.onDone(COPY.completed);
	}
}
