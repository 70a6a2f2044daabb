import { HOST_END, HostFuture, HostStream, isNumeric } from "../abi/mod.ts";
import type { ValueType } from "../component/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { dress, needsDress, type Wardrobe } from "./dress.ts";

/** Elements that are taken of a guest at a time, where they come one by one. */
const BATCH = 1024;

/**
 * A guest's stream. A stream of numbers comes in chunks, which are typed arrays (`stream<u8>`: `Uint8Array`s), of any other each element is
 * one. The guest writes as fast as it is read. Given to a guest of the same sandbox, that one reads on where this was.
 */
export interface GuestStream<T = unknown, C = T[]> extends ReadableStream<T> {
	/** At most `most` elements, as one write of the guest has them, and no more: the guest is told of both at once. `undefined` at the end. */
	readLast(most: number): Promise<C | undefined>;
}

class Stream extends ReadableStream<unknown> implements GuestStream {
	readonly #end: HostStream;
	readonly #queued: () => number;
	readonly #close: () => void;
	readonly #dress: (value: unknown) => unknown;

	constructor(end: HostStream, element: ValueType | null, wardrobe: Wardrobe) {
		let queued = 0;
		let open = true;
		let close: () => void;
		const dressed = (value: unknown): unknown => (element === null ? undefined : dress(element, value, wardrobe));
		const numbers = element !== null && isNumeric(element);
		// What needs care when nobody takes it is not taken ahead.
		const most = numbers ? undefined : element !== null && needsDress(element) ? 1 : BATCH;
		super(
			{
				start(controller) {
					end.onEnd = (reason) => controller.error(reason);
					close = () => {
						if (open) controller.close();
						open = false;
					};
				},
				async pull(controller) {
					queued = 0;
					const chunk = await end.read(most);
					if (chunk === undefined) return close();
					if (numbers) return controller.enqueue(chunk);
					queued = chunk.length;
					for (let i = 0; i < queued; i++) controller.enqueue(dressed(chunk[i]));
				},
				cancel() {
					open = false;
					end.cancel();
				},
			},
			{ highWaterMark: 0 },
		);
		this.#end = end;
		this.#queued = () => queued;
		this.#close = () => close();
		this.#dress = dressed;
	}

	async readLast(most: number): Promise<any> {
		if (!Number.isSafeInteger(most) || most < 1) {
			throw new SkerryError("call/bad-value", "Cannot read from a stream: how many is a whole number from 1 on");
		}
		if (this.locked || this.#queued() > 0) {
			throw new SkerryError("call/bad-value", "Cannot read from a stream: it is being read");
		}
		const chunk = await this.#end.readLast(most);
		this.#close();
		return chunk === undefined || ArrayBuffer.isView(chunk) ? chunk : Array.from(chunk, this.#dress);
	}

	/** `undefined` where it holds elements that the end has no more. */
	get [HOST_END](): HostStream | undefined {
		return this.#queued() > 0 ? undefined : this.#end;
	}
}

/** A guest's future: what it will give, for who asks. Not a promise, as that would be awaited wherever it is returned. */
export interface GuestFuture<T = unknown> extends Disposable {
	/** What the guest writes. Rejects when the sandbox ends before. */
	read(): Promise<T>;
	/** Nobody wants it any more; so does `[Symbol.dispose]`. */
	cancel(): void;
}

class Future implements GuestFuture {
	readonly [HOST_END]: HostFuture;
	readonly #dress: (value: unknown) => unknown;
	#value: Promise<unknown> | undefined;

	constructor(end: HostFuture, dressed: (value: unknown) => unknown) {
		this[HOST_END] = end;
		this.#dress = dressed;
	}

	read(): Promise<unknown> {
		return (this.#value ??= this[HOST_END].read().then(this.#dress));
	}

	cancel(): void {
		this[HOST_END].cancel();
	}

	[Symbol.dispose](): void {
		this.cancel();
	}
}

/** What streams and futures become; resources go as `own` says. */
export function createWardrobe(own: Wardrobe["own"] = (value) => value): Wardrobe {
	const wardrobe: Wardrobe = {
		own,
		stream: (value, element) => (value instanceof HostStream ? new Stream(value, element, wardrobe) : value),
		future: (value, element) =>
			value instanceof HostFuture
				? new Future(value, (read) => (element === null ? undefined : dress(element, read, wardrobe)))
				: value,
	};
	return wardrobe;
}

/** Where no resource has a class. */
export const PLAIN: Wardrobe = createWardrobe();
