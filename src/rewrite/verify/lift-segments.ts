import { type Added, isBytes, takeBytes } from "./lift-added.ts";
import { Cursor, refuse } from "./cursor.ts";
import * as bodies from "./lift-bodies.ts";
import type { LiftOutline } from "./lift-outline.ts";
import type { Site } from "./lift-site.ts";

export type SegmentKind = "data" | "elem";

/** Of a function that stands before what takes something out of a segment. */
const GATE_TYPE = [0x60, 2, 0x7f, 0x7f, 2, 0x7f, 0x7f];

/** How code uses segments that can be dropped: a global says of each whether it was, and what takes something out of it asks. */
export class Segments {
	readonly #from: LiftOutline;
	readonly #to: LiftOutline;
	readonly #added: Added;
	/** By `data 3` or `elem 3`: the global that says that the segment was dropped. */
	readonly #dropped = new Map<string, number>();
	/** Globals that say which were dropped. */
	readonly globals: Set<number> = new Set();
	/** Those that are used in a way that takes no notice of their being dropped, and those that are used through a function which does. */
	readonly #plain = new Set<string>();
	readonly #gated = new Set<string>();

	constructor(from: LiftOutline, to: LiftOutline, added: Added) {
		this.#from = from;
		this.#to = to;
		this.#added = added;
	}

	isPassive(kind: SegmentKind, segment: number): boolean {
		if (kind === "elem") return this.#from.passiveElements[segment] !== undefined;
		const item = this.#from.data[segment];
		return item !== undefined && item.memory === undefined;
	}

	/** Of a data segment, in bytes. */
	length(segment: number): number {
		const content = this.#from.data[segment]?.content;
		return content === undefined ? 0 : content.end - content.at;
	}

	/** The global that says that it was dropped; `undefined` where it never is, as far as seen. */
	globalOf(kind: SegmentKind, segment: number): number | undefined {
		return this.#dropped.get(`${kind} ${segment}`);
	}

	/** What stands for the instruction that drops it. */
	drop(to: Cursor, kind: SegmentKind, segment: number): void {
		takeBytes(to, [0x41, 1, 0x24]);
		const global = to.number();
		const key = `${kind} ${segment}`;
		const known = this.#dropped.get(key);
		if (known !== undefined && known !== global) throw refuse("a segment is dropped in two places");
		if (known === undefined && this.globals.has(global)) throw refuse("two segments are dropped in one place");
		this.globals.add(global);
		this.#dropped.set(key, global);
	}

	/** The call before an instruction that takes something out of it, where there is one. */
	gate(to: Cursor, kind: SegmentKind, segment: number): void {
		if (!this.isPassive(kind, segment)) return;
		const key = `${kind} ${segment}`;
		if (!this.#callsGate(to)) {
			this.#plain.add(key);
			return;
		}
		this.#gated.add(key);
		this.#added.call(to, `segment ${key}`, [0x7f, 0x7f], [0x7f, 0x7f], () =>
			bodies.segmentBody(this.#dropped.get(key) ?? -1),
		);
	}

	/** An instruction that takes elements or bytes out of a segment: behind a call where that can be dropped. */
	use(kind: SegmentKind, segment: number, bytes: Uint8Array): Site {
		if (!this.isPassive(kind, segment)) return undefined;
		return (to, start, end) => {
			this.gate(to, kind, segment);
			takeBytes(to, [...bytes.subarray(start, end)]);
		};
	}

	/** Whether a call of a function of a gate's type comes next; what it is else is looked into at the end. */
	#callsGate({ bytes, at, end }: Cursor): boolean {
		if (bytes[at] !== 0x10) return false;
		const { types, functions } = this.#to;
		const type = types[functions[new Cursor(bytes, at + 1, end).number()] ?? -1];
		return type !== undefined && isBytes(type, GATE_TYPE);
	}

	/** Once all code was seen: those that are dropped are used through gates, and no others. */
	check(): void {
		for (const key of this.#dropped.keys())
			if (this.#plain.has(key)) throw refuse(`the segment ${key} is used as if it were never dropped`);
		for (const key of this.#gated) if (!this.#dropped.has(key)) throw refuse(`the segment ${key} is never dropped`);
	}
}
