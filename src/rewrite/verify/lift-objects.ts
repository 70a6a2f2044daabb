import { type Cursor, refuse } from "./cursor.ts";
import { type Added, takeBytes } from "./lift-added.ts";
import * as arrays from "./lift-arrays.ts";
import * as heap from "./lift-heap.ts";
import { signed } from "./lift-pieces.ts";
import type { SegmentKind, Segments } from "./lift-segments.ts";
import type { CodeContext, Site } from "./lift-site.ts";

/** A reference to this type, or null. */
const nullable = (type: number): readonly number[] => [0x63, ...signed(type)];

/** Instructions that make something in V8's heap, and those on many elements of an array. */
export class Objects {
	readonly #context: CodeContext;
	readonly #added: Added;
	readonly #segments: Segments;
	#namesData = false;
	/** Whether something is made in V8's heap. */
	#makes = false;
	/** The function that counts it. */
	#allocate = -1;

	constructor(context: CodeContext, added: Added, segments: Segments) {
		this.#context = context;
		this.#added = added;
		this.#segments = segments;
	}

	/** Whether one of them names a data segment. */
	get namesData(): boolean {
		return this.#namesData;
	}

	/** `throw`, of a tag of this type. */
	thrown(type: number, bytes: Uint8Array): Site {
		return this.#make(heap.exceptionBytes(this.#type(type)), bytes);
	}

	/** What has to stand in the place of an instruction with the prefix 0xfb; `undefined` for the instruction itself. */
	site(code: number, cursor: Cursor): Site {
		const { bytes } = cursor;
		if (code === 0x00 || code === 0x01) return this.#make(heap.structureBytes(this.#type(cursor.number())), bytes);
		if (code === 0x06 || code === 0x07) return this.#array(heap.elementWidth(this.#type(cursor.number())), bytes);
		if (code === 0x08) {
			const type = this.#type(cursor.number());
			return this.#make(heap.arrayBytes(type, cursor.number()), bytes);
		}
		if (code === 0x10) return this.#arrayFill(cursor.number());
		if (code === 0x11) return this.#arrayCopy(cursor.number(), cursor.number());
		if (code === 0x12 || code === 0x13) return this.#arrayInit(code === 0x12, cursor.number(), cursor.number(), bytes);
		if (code !== 0x09 && code !== 0x0a) return undefined;
		const type = this.#type(cursor.number());
		const segment = cursor.number();
		const data = code === 0x09;
		if (data) this.#namesData = true;
		const width = heap.elementWidth(type);
		const { elements } = this.#context.from;
		const most = data ? Math.floor(this.#segments.length(segment) / 2 ** width) : (elements[segment] ?? 0);
		return this.#arrayOf(data ? "data" : "elem", segment, width, most, bytes);
	}

	#arrayFill(type: number): Site {
		const operand = heap.elementOperand(this.#type(type));
		if (operand === undefined) return undefined;
		const params = [...nullable(type), 0x7f, ...operand, 0x7f];
		const body = (): readonly number[] => arrays.arrayFillBody(type, heap.elementWidth(this.#type(type)));
		return (to) => this.#added.call(to, `array.fill ${type}`, params, [], body, 4);
	}

	#arrayCopy(target: number, source: number): Site {
		for (const type of [target, source]) if (heap.elementOperand(this.#type(type)) === undefined) return undefined;
		const params = [...nullable(target), 0x7f, ...nullable(source), 0x7f, 0x7f];
		const body = (): readonly number[] => arrays.arrayCopyBody(target, source, heap.elementWidth(this.#type(target)));
		return (to) => this.#added.call(to, `array.copy ${target} ${source}`, params, [], body, 5);
	}

	#arrayInit(data: boolean, type: number, segment: number, bytes: Uint8Array): Site {
		if (data) this.#namesData = true;
		const kind = data ? "data" : "elem";
		const passive = this.#segments.isPassive(kind, segment);
		if (!passive || heap.elementOperand(this.#type(type)) === undefined) return undefined;
		const width = heap.elementWidth(this.#type(type));
		const unit = data ? width : 0;
		const length = data ? this.#segments.length(segment) : (this.#context.from.elements[segment] ?? 0);
		if (length <= arrays.chunkOf(width) * 2 ** unit) return this.#segments.use(kind, segment, bytes);
		const params = [...nullable(type), 0x7f, 0x7f, 0x7f];
		const body = (): readonly number[] => arrays.arrayInitBody(data, type, segment, width, unit, length);
		return (to) => {
			this.#segments.gate(to, kind, segment);
			this.#added.call(to, `array.init_${kind} ${type} ${segment}`, params, [], body, 4);
		};
	}

	#type(index: number): Cursor {
		const type = this.#context.from.types[index];
		if (type === undefined) throw refuse(`code names type ${index}, which the guest does not have`);
		return type;
	}

	/** An instruction that makes so many bytes. */
	#make(size: number, bytes: Uint8Array): Site {
		this.#makes = true;
		return (to, start, end) => {
			takeBytes(to, [0x42, ...signed(size)]);
			this.#added.call(to, "allocate", [0x7e], [], () => heap.allocateBody(this.#context, this.#context.heapGlobal()));
			takeBytes(to, [...bytes.subarray(start, end)]);
		};
	}

	#array(width: number, bytes: Uint8Array): Site {
		this.#makes = true;
		return (to, start, end) => {
			this.#added.call(to, `array ${width}`, [0x7f], [0x7f], () => heap.lengthBody(width, this.#allocate));
			takeBytes(to, [...bytes.subarray(start, end)]);
		};
	}

	/** An array of what is in a segment, which has so many elements. */
	#arrayOf(kind: SegmentKind, segment: number, width: number, most: number, bytes: Uint8Array): Site {
		this.#makes = true;
		return (to, start, end) => {
			this.#segments.gate(to, kind, segment);
			this.#added.call(to, `${kind} ${width} ${most}`, [0x7f], [0x7f], () =>
				heap.copiedLengthBody(width, most, this.#allocate),
			);
			takeBytes(to, [...bytes.subarray(start, end)]);
		};
	}

	/**
	 * Once all code was seen: finds the function that counts.
	 * @param first the first of the functions that were added, which are `more`
	 * @returns the global in which it counts; `undefined` where nothing is made
	 */
	finish(first: number, more: number): number | undefined {
		if (!this.#makes) return undefined;
		const global = this.#context.heapGlobal();
		const body = (): readonly number[] => heap.allocateBody(this.#context, global);
		this.#allocate = this.#added.find("allocate", first, more, { params: [1, 0x7e], results: [0], body });
		return global;
	}
}
