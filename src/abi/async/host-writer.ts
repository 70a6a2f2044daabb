import type { ValueType } from "../../component/mod.ts";
import { SkerryError } from "../../fault/mod.ts";
import { checkValue, typeName } from "../check.ts";
import { isNumeric, isNumericArray, type NumericKind, toNumbers } from "../numeric-list.ts";
import type { HeldEnd, Pledges } from "../store-part.ts";
import type { Store } from "../store.ts";
import type { EndKind } from "./copy-end.ts";
import { endOf, pledgesOf } from "./host-end.ts";
import { nextTurn } from "./next-turn.ts";
import {
	COPY,
	type Copier,
	type CopyResult,
	type ReadableBuffer,
	type Shared,
	SharedFuture,
	SharedStream,
} from "./shared-stream.ts";

/** So many chunks without elements are asked for in one turn of the event loop. */
const EMPTY_IN_A_TURN = 64;

type EndType = ValueType & { readonly kind: EndKind };

/**
 * What a host gives for a stream: a `HostStream`, a `ReadableStream`, an array or typed array of all elements, or any (async) iterable. Of
 * numbers each step may be a typed array or an array; otherwise, and for single numbers, one element. For a future: a `HostFuture`, a
 * promise, or the value itself.
 */
export function fromHost(store: Store, type: EndType, value: unknown): Shared {
	const end = endOf(value);
	if (end?.isOf(store) === true) return end.take(type.kind);
	if (type.kind === "future") {
		const shared = new SharedFuture(type.element);
		new HostWriter(store, type, shared).give(value);
		return shared;
	}
	const shared = new SharedStream(type.element);
	const writer = new HostWriter(store, type, shared);
	writer.pump(value);
	shared.fill = () => writer.fill();
	return shared;
}

/** The writable end in the host's hands: what the host gave is read as fast as the guest takes it. */
class HostWriter implements HeldEnd, Copier<Remainder> {
	readonly reads = false;
	readonly #store: Store;
	readonly #pledges: Pledges;
	readonly #type: EndType;
	readonly #element: ValueType | null;
	/** What they are where they are numbers. */
	readonly #numbers: NumericKind | null;
	/** Elements that were taken before those at hand. */
	#taken = 0;
	readonly #shared: Shared;
	readonly #release: () => void;
	/** Chunks without elements that came. */
	#empty = 0;
	/** What it reads are all elements, in one array. */
	#whole = false;
	readonly instance = null;
	/** What is being written, and what comes after. */
	readonly buffer: Remainder = new Remainder();
	#then: (open: boolean) => void = () => {};
	#step: () => void = () => {};
	/** What the source gave that is not written yet. */
	#arrived: IteratorResult<unknown> | null = null;
	#takeArrived: () => void = () => {};
	/** Nothing is read any more: its end came, or the guest's is dropped. */
	#isOver = false;
	/** Where there is more to come: tells the source that nobody wants it. */
	#close: () => void = () => {};

	constructor(store: Store, type: EndType, shared: Shared) {
		this.#store = store;
		this.#pledges = pledgesOf(store);
		this.#type = type;
		this.#element = type.element;
		this.#numbers = type.element !== null && isNumeric(type.element) ? type.element.kind : null;
		this.#shared = shared;
		const release = this.#pledges.hold();
		this.#release = () => {
			store.held.delete(this);
			release();
		};
		store.held.add(this);
	}

	/** The sandbox ends. */
	end(): void {
		this.#store.held.delete(this);
		this.#closeOnce();
	}

	#closeOnce(): void {
		const close = this.#close;
		this.#close = () => {};
		close();
	}

	give(value: unknown): void {
		this.#pledges.pledge(Promise.resolve(value), (settled) => {
			this.#write(this.#checked([settled]), () => this.#release());
		});
	}

	pump(source: unknown): void {
		const iterable = source as Partial<AsyncIterable<unknown> & Iterable<unknown>>;
		const iterator = iterable[Symbol.asyncIterator]?.();
		if (iterator !== undefined) return this.#pumpAsync(iterator);
		this.#whole = this.#isWhole(source);
		const elements = this.#whole ? [source].values() : iterable[Symbol.iterator]?.();
		if (elements === undefined) throw new SkerryError("call/bad-value", "a stream is given as an (async) iterable");
		this.#close = () => {
			try {
				elements.return?.();
			} catch {
				// As of an asynchronous one
			}
		};
		const step = (): void => {
			let next: IteratorResult<unknown>;
			try {
				next = elements.next();
			} catch (error) {
				return this.#fail(error);
			}
			this.#take(next, step);
		};
		this.#pledges.enqueue(step);
	}

	/** An array of elements, not of chunks. */
	#isWhole(source: unknown): boolean {
		const numbers = this.#numbers !== null;
		if (!Array.isArray(source)) return numbers && isTypedArray(source);
		return !numbers || source.every((item) => typeof item !== "object");
	}

	#pumpAsync(iterator: AsyncIterator<unknown>): void {
		// Nobody hears any more of what goes wrong there: it throws, rejects, or gives no promise.
		const close = async (): Promise<unknown> => await iterator.return?.();
		this.#close = () => void close().catch(() => {});
		const store = this.#store;
		const shared = this.#shared;
		const { epoch } = store;
		const take = (): void => {
			const next = this.#arrived;
			this.#arrived = null;
			if (next !== null) return this.#take(next, step);
			// It may have been taken by a guest that did not wait for it. A guest that dropped its end waits for no more.
			if (!this.#isOver && shared.isDropped) this.#goOn(false);
		};
		const came = (next: IteratorResult<unknown>): void => {
			if (this.#isOver || store.isOver(epoch)) return;
			// Who writes an iterator by hand may give anything.
			if (!isObject(next)) return failed(notAResult(next));
			let isLast: boolean;
			try {
				isLast = next.done === true;
			} catch (error) {
				return failed(error);
			}
			this.#arrived = next;
			// Who reads next finds it there.
			if (isLast || !shared.isIdle) this.#pledges.enqueue(take);
		};
		const failed = (error: unknown): void => {
			if (!this.#isOver && !store.isOver(epoch)) this.#pledges.enqueue(() => this.#fail(error));
		};
		// Nothing has to be pledged: the end is held.
		const step = (): void => {
			let next: unknown;
			try {
				next = iterator.next();
			} catch (error) {
				return failed(error);
			}
			// By hand, too: the result itself, or what settles twice.
			const settled = next instanceof Promise ? next : Promise.resolve(next);
			settled.then(came, failed);
		};
		this.#takeArrived = take;
		step();
	}

	/** A guest asks for more than was written, or drops its end: what the host has given by now is there at once. */
	fill(): void {
		this.#takeArrived();
	}

	/** Writes what came, then asks for more. */
	#take(next: IteratorResult<unknown>, step: () => void): void {
		if (!isObject(next)) return this.#fail(notAResult(next));
		let chunk: ArrayLike<unknown> | null;
		try {
			chunk = next.done === true ? null : this.#chunk(next.value);
		} catch (error) {
			// A getter, or a proxy
			return this.#fail(error);
		}
		if (chunk === null) return this.#end();
		const values = this.#checked(chunk);
		if (values.length === 0) return this.#skip(step);
		this.#step = step;
		this.#write(values, this.#goOn);
	}

	/** A chunk without elements. There may be any number of them: not at once, and not for ever before anything else. */
	#skip(step: () => void): void {
		if (++this.#empty % EMPTY_IN_A_TURN > 0) return this.#pledges.enqueue(step);
		const store = this.#store;
		const { epoch } = store;
		void nextTurn().then(() => {
			if (!this.#isOver && !store.isOver(epoch)) this.#pledges.enqueue(step);
		});
	}

	readonly #goOn = (open: boolean): void => {
		if (open) return this.#step();
		this.#isOver = true;
		this.#release();
		this.#closeOnce();
	};

	/** Streams know no errors: for the guest it ends here, and whoever gave it is told. Where nobody would be, the sandbox ends. */
	#fail(error: unknown): void {
		const { report } = this.#store;
		if (report === null) throw error;
		report(error);
		this.#end();
	}

	#end(): void {
		this.#isOver = true;
		this.#shared.drop();
		this.#release();
	}

	#chunk(value: unknown): ArrayLike<unknown> {
		if (this.#numbers !== null && (Array.isArray(value) || isTypedArray(value))) return value as ArrayLike<unknown>;
		return this.#whole ? (value as readonly unknown[]) : [value];
	}

	/** Numbers as the typed array that they have everywhere, anything else as it is. */
	#checked(values: ArrayLike<unknown>): ArrayLike<unknown> {
		const element = this.#element;
		const numbers = this.#numbers;
		const first = this.#taken;
		this.#taken += values.length;
		if (element === null || (numbers !== null && isNumericArray(numbers, values))) return values;
		for (let i = 0; i < values.length; i++) {
			// A future has but one.
			const place = this.#type.kind === "stream" ? `[${first + i}]` : "";
			checkValue(this.#store, element, values[i], `${typeName(this.#type)}${place}`);
		}
		return numbers === null ? values : toNumbers(numbers, values as readonly unknown[]);
	}

	/** Offers them; `then` is told whether the other side is still there. */
	#write(values: ArrayLike<unknown>, then: (open: boolean) => void): void {
		if (values.length === 0) return then(true);
		this.buffer.begin(values);
		this.#then = then;
		this.#shared.write(this);
	}

	onCopy(): void {
		if (this.buffer.remain > 0) return;
		this.#shared.reclaim(this);
		this.#then(true);
	}

	onDone(result: CopyResult): void {
		if (result === COPY.dropped) this.#then(false);
		else if (this.buffer.isLost) {
			this.#closeOnce();
			this.#fail(lostChunk());
		} else if (this.buffer.remain === 0) this.#then(true);
		else this.#shared.write(this);
	}
}

const NOTHING: readonly never[] = [];

/** What is left to be taken of some elements. */
class Remainder implements ReadableBuffer {
	readonly guest = false;
	readonly empty = false;
	#progress = 0;
	#values: ArrayLike<unknown> = NOTHING;
	#length = 0;

	begin(values: ArrayLike<unknown>): void {
		this.#progress = 0;
		this.#values = values;
		this.#length = values.length;
	}

	/** The array is still the host's, which may have given its buffer away. */
	get isLost(): boolean {
		return this.#values.length < this.#length;
	}

	/** Nothing where it is lost: then the writer is told that it is done. */
	get remain(): number {
		return this.isLost ? 0 : this.#length - this.#progress;
	}

	read(count: number): ArrayLike<unknown> {
		const values = this.#values;
		const start = this.#progress;
		const end = (this.#progress = start + count);
		if (end === this.#length) this.begin(NOTHING);
		return slice(values, start, end);
	}
}

function slice(values: ArrayLike<unknown>, start: number, end: number): ArrayLike<unknown> {
	if (!ArrayBuffer.isView(values)) return Array.prototype.slice.call(values, start, end);
	return start === 0 && end === values.length ? values : (values as Uint8Array).subarray(start, end);
}

function isTypedArray(value: unknown): boolean {
	return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

/** Iterators that are written by hand may give anything. */
function isObject(value: unknown): boolean {
	return (typeof value === "object" || typeof value === "function") && value !== null;
}

function lostChunk(): SkerryError {
	const lost = "its buffer was transferred or made smaller";
	return new SkerryError("call/bad-value", `Cannot read on from a stream's chunk: ${lost}`, {
		hint: "give a copy, or keep the chunk until the next is asked for",
	});
}

function notAResult(value: unknown): SkerryError {
	return new SkerryError("call/bad-value", `Cannot read from a stream's iterator: its next() gave ${String(value)}`, {
		hint: "it gives { value, done }, or a promise of that",
	});
}
