import type { ValueType } from "../../component/mod.ts";
import type { Context } from "../context.ts";
import type { Layout } from "../layout.ts";
import { loadElements } from "../load.ts";
import { storeElements } from "../store-value.ts";
import { trap } from "../traps.ts";
import { MAX_BUFFER_LENGTH, type ReadableBuffer, type WritableBuffer } from "./shared-stream.ts";

type ElementLayout = Pick<Layout, "size" | "alignment">;

/** Of a stream or future of nothing. */
export const NO_LAYOUT: ElementLayout = { size: 0, alignment: 1 };

/** CanonicalABI.md `BufferGuestImpl`: elements in a guest's memory. One serves all the copies of an end, one after another. */
export class GuestBuffer implements ReadableBuffer, WritableBuffer {
	readonly guest = true;
	readonly #cx: Context;
	readonly #element: ValueType | null;
	readonly #layout: ElementLayout;
	#length = 0;
	#pointer = 0;
	/** Elements that were copied. */
	progress = 0;

	/** @param layout the element's */
	constructor(cx: Context, element: ValueType | null, layout: ElementLayout) {
		this.#cx = cx;
		this.#element = element;
		this.#layout = layout;
	}

	/** The elements of the next copy, or the room for them. */
	begin(pointer: number, length: number): void {
		if (length > MAX_BUFFER_LENGTH) trap("stream read/write count too large");
		if (this.#element !== null && length > 0) {
			const { size, alignment } = this.#layout;
			const cx = this.#cx;
			cx.refresh();
			cx.checkRange(pointer, length * size, alignment, "read/write pointer out of bounds of memory");
		}
		this.#pointer = pointer;
		this.#length = length;
		this.progress = 0;
	}

	get remain(): number {
		return this.#length - this.progress;
	}

	get empty(): boolean {
		return this.#length === 0;
	}

	read(count: number, carried: boolean): ArrayLike<unknown> {
		const element = this.#element;
		this.progress += count;
		if (element === null) return { length: count };
		const cx = this.#cx;
		cx.begin();
		cx.refresh();
		cx.carried = cx.passes = carried;
		const pointer = this.#pointer;
		this.#pointer += count * this.#layout.size;
		return loadElements(cx, element, pointer, count) as ArrayLike<unknown>;
	}

	write(values: ArrayLike<unknown>, carried: boolean): void {
		const element = this.#element;
		const { length } = values;
		this.progress += length;
		if (element === null) return;
		const cx = this.#cx;
		cx.refresh();
		cx.carried = carried;
		const { mayLeave } = cx.instance;
		cx.instance.mayLeave = false;
		storeElements(cx, element, values, this.#pointer, length);
		cx.instance.mayLeave = mayLeave;
		this.#pointer += length * this.#layout.size;
	}
}
