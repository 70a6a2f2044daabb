import type { Instructions } from "./instructions.ts";
import { type Cursor, refuse, sameBytes } from "./cursor.ts";

/** An unsigned LEB128, shortest form. */
function unsigned(value: number): number[] {
	return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(Math.floor(value / 128))];
}

/** What guests are stopped by: the flag makes them trap, or a page that they read from; or the flag makes them ask, or their fuel. */
export type Stop = "trap" | "page" | "yield" | "fuel";

/** What checks are made of, as bytes, written out once more. */
export class Pieces {
	readonly #memory: readonly number[];
	readonly #slow: readonly number[];
	readonly #stop: Stop;
	readonly #flushes = new Map<number, readonly number[]>();
	readonly #reloads = new Map<number, readonly number[]>();
	readonly #checks = new Map<number, readonly number[]>();
	readonly #checksOfBoth = new Map<number, readonly number[]>();

	/**
	 * @param memory the index of the flag's memory
	 * @param slow the index of the slow path
	 */
	constructor(memory: number, slow: number, stop: Stop) {
		this.#memory = unsigned(memory);
		this.#slow = unsigned(slow);
		this.#stop = stop;
	}

	/** Whether a loop may have the end of its check outside. */
	get outlines(): boolean {
		return this.#stop !== "page";
	}

	/** Whether loops may run in strips, for which there is a local. */
	get strips(): boolean {
		return this.#stop !== "fuel";
	}

	/** Pushes the cell. */
	get cell(): readonly number[] {
		return [0x41, 0, 0x29, 0x43, ...this.#memory, 16];
	}

	/** Pushes whether the guest is to ask: of the flag, or the sign of the local, or in the slow path that of the cell. */
	condition(local: number | undefined): readonly number[] {
		if (this.#stop !== "fuel") return [0x41, 0, 0x2d, 0x40, ...this.#memory, 0];
		return [...(local === undefined ? this.cell : this.get(local)), 0x42, 0, 0x53];
	}

	/**
	 * What the slow path is called by: with fuel it gets the local, and gives it back. With none the flag is lowered, word left, and
	 * that is the guest's end.
	 */
	ask(local: number): readonly number[] {
		if (this.#stop === "trap") return [0x41, 0, 0x41, 0x80, 2, 0x36, 0x42, ...this.#memory, 0, 0x00];
		const call = [0x10, ...this.#slow];
		return this.#stop === "fuel" ? [...this.get(local), ...call, 0x21, ...unsigned(local)] : call;
	}

	/**
	 * A check that stands where it looks; with fuel it has the local, behind what is paid by loops and functions when they begin, and
	 * elsewhere the flag, too: what runs there may have been paid long before.
	 */
	check(local: number, begins: boolean): readonly number[] {
		const both = this.#stop === "fuel" && !begins;
		return remembered(both ? this.#checksOfBoth : this.#checks, local, () => this.#encodeCheck(local, both));
	}

	#encodeCheck(local: number, both: boolean): readonly number[] {
		if (this.#stop === "page") return this.#touch;
		const orFlag = both ? [0x41, 0, 0x2d, 0x40, ...this.#memory, 0, 0x72] : [];
		return [...this.condition(local), ...orFlag, 0x04, 0x40, ...this.ask(local), 0x0b];
	}

	/** Reads from behind the first page of the flag's memory, where V8 knows of nothing; that alone is what stops the guest. */
	get #touch(): readonly number[] {
		return [0x41, 0x80, 0x80, 0x04, 0x2d, 0x40, ...this.#memory, 0, 0x1a];
	}

	/** What additions begin with that may stand between plain instructions, but for those that begin with the local. */
	get constant(): readonly number[] {
		return this.#stop === "page" ? this.#touch : this.#stop === "fuel" ? this.cell : this.condition(-1);
	}

	/** The bytes of it that a guest's instruction may be, too. */
	get constantSize(): number {
		return this.#stop === "page" ? 4 : 2;
	}

	get(local: number): readonly number[] {
		return [0x20, ...unsigned(local)];
	}

	set(local: number): readonly number[] {
		return [0x21, ...unsigned(local)];
	}

	tee(local: number): readonly number[] {
		return [0x22, ...unsigned(local)];
	}

	/** Writes to the cell what lies on the stack. */
	get store(): readonly number[] {
		return [0x37, 0x43, ...this.#memory, 16];
	}

	/** From the local to the cell. */
	flush(local: number): readonly number[] {
		return remembered(this.#flushes, local, () => [0x41, 0, ...this.get(local), ...this.store]);
	}

	/** From the cell to the local. */
	reload(local: number): readonly number[] {
		return remembered(this.#reloads, local, () => [...this.cell, 0x21, ...unsigned(local)]);
	}
}

function remembered(
	known: Map<number, readonly number[]>,
	local: number,
	make: () => readonly number[],
): readonly number[] {
	let bytes = known.get(local);
	if (bytes === undefined) known.set(local, (bytes = make()));
	return bytes;
}

/** A rewritten body that is read beside the original. */
export class Beside {
	readonly #from: Cursor;
	readonly to: Cursor;
	readonly #function: number;
	/** What of the original has been found. */
	#compared: number;

	constructor(from: Cursor, to: Cursor, index: number) {
		this.#from = from;
		this.to = to;
		this.#function = index;
		this.#compared = from.at;
	}

	/** The original up to `end` is what follows. */
	equalUpTo(end: number): void {
		if (!this.equals(end)) throw refuse(`function ${this.#function} is not what it was`);
	}

	/** Whether the original up to `end` is what follows: only then it is passed. */
	equals(end: number): boolean {
		const { to } = this;
		const size = end - this.#compared;
		if (to.at + size > to.end || !sameBytes(this.#from.bytes, this.#compared, end, to.bytes, to.at)) return false;
		to.at += size;
		this.#compared = end;
		return true;
	}

	/** Whether these bytes stand where the last few of the original up to `end` would: it is not known then to whom those belong. */
	overlaps(end: number, count: number, bytes: readonly number[]): boolean {
		const { to } = this;
		const { at } = to;
		const start = at + end - this.#compared - count;
		if (start < at || start > to.end) return false;
		to.at = start;
		const found = this.comes(bytes);
		to.at = at;
		return found;
	}

	/** The byte that stands for the next one of the original, or begins what was added before it. */
	get next(): number | undefined {
		return this.to.bytes[this.to.at + this.#from.at - this.#compared];
	}

	/** The original up to `end` was compared by other means. */
	passed(end: number): void {
		this.#compared = end;
	}

	/** Whether these bytes follow. */
	comes(bytes: readonly number[]): boolean {
		const { to } = this;
		if (to.at + bytes.length > to.end) return false;
		for (let i = 0; i < bytes.length; i++) if (to.bytes[to.at + i] !== bytes[i]) return false;
		return true;
	}

	/** The same, and passes them. */
	has(bytes: readonly number[]): boolean {
		if (!this.comes(bytes)) return false;
		this.to.at += bytes.length;
		return true;
	}

	expect(bytes: readonly number[], what: string): void {
		if (!this.has(bytes)) throw refuse(`function ${this.#function} lacks ${what}`);
	}

	/** A payment: `local = (local or cell) - amount`; `undefined` where there is none. */
	payment(pieces: Pieces, local: number): { readonly amount: number; readonly fromLocal: boolean } | undefined {
		const { to } = this;
		const start = to.at;
		const fromLocal = this.has(pieces.get(local));
		if ((fromLocal || this.has(pieces.cell)) && this.has([0x42])) {
			const { at } = to;
			const amount = to.signed();
			const isExact = to.at - at <= EXACT_BYTES;
			if (isExact && amount !== 0 && this.has([0x7d, 0x21]) && to.number() === local) return { amount, fromLocal };
		}
		to.at = start;
		return undefined;
	}
}

/** Of a signed LEB128: 49 bits. A longer one may be another number than what it is read as, however small that is. */
const EXACT_BYTES = 7;

/** What a length is divided by, for an instruction that is paid by it: 64 bytes of a memory, one element; `undefined` for all others. */
export function divisorOf({ op, code }: Instructions): readonly number[] | undefined {
	if (op === 0xfc) {
		if (code === 0x08 || code === 0x0a || code === 0x0b) return [0x42, 6, 0x88];
		if (code === 0x0c || code === 0x0e || code === 0x11) return [];
	}
	// array.new, new_default, new_data, new_elem, fill, copy, init_data, init_elem
	if (op === 0xfb && (code === 0x06 || code === 0x07 || code === 0x09 || code === 0x0a)) return [];
	return op === 0xfb && code >= 0x10 && code <= 0x13 ? [] : undefined;
}
