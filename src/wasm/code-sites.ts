import { type Code, sizeOfU32 } from "./section/code.ts";

/**
 * Where code that was written anew comes from, as three numbers for each stretch that was copied, ascending:
 *
 *     [0] where the stretch begins in the new code
 *     [1] where its bytes stood in the old code
 *     [2] what of the old code the bytes written before it stand for; `BODY` where a body begins
 *
 * So a new position is as far behind [1] as it is behind [0], but not behind the next [2]: bytes that an edit put in come from there.
 */
const NUMBERS = 3;
const BODY = 0xffff_ffff;

/** Takes down the edits of one writer. */
export class SiteRecorder {
	#items = new Uint32Array(NUMBERS * 256);
	#length = 0;

	/** A body begins at `to`, with what stood at `from`. */
	body(to: number, from: number): void {
		this.#push(to, from, BODY);
	}

	/** From `to` on stands what stood from `from` on; what was written before it stands for `edited`. */
	resume(to: number, from: number, edited: number): void {
		const [last = 0, old = 0] = [this.#items[this.#length - NUMBERS], this.#items[this.#length - NUMBERS + 1]];
		// Nothing was put in, nor left out
		if (this.#length > 0 && to - last === from - old && from === edited) return;
		this.#push(to, from, edited);
	}

	#push(to: number, from: number, edited: number): void {
		if (this.#length === this.#items.length) {
			const grown = new Uint32Array(this.#length * 2);
			grown.set(this.#items);
			this.#items = grown;
		}
		this.#items[this.#length++] = to;
		this.#items[this.#length++] = from;
		this.#items[this.#length++] = edited;
	}

	/** @param source the sites of the old code, where it was written anew itself: the result leads to where those lead */
	finish(source: Uint32Array | undefined): Uint32Array {
		const own = this.#items.slice(0, this.#length);
		return source === undefined ? own : composeSites(own, source);
	}
}

/** The old position of what is at `position` of the new code. */
export function originOf(sites: Uint32Array, position: number): number {
	return originAt(sites, findStretch(sites, position), position);
}

/** Whether what is at `position` of the new code was put in by an edit. */
export function isPutIn(sites: Uint32Array, position: number): boolean {
	const at = findStretch(sites, position) * NUMBERS;
	const origin = (sites[at + 1] ?? 0) + position - (sites[at] ?? 0);
	const edited = sites[at + NUMBERS + 2];
	return edited !== undefined && edited !== BODY && origin >= edited;
}

function originAt(sites: Uint32Array, stretch: number, position: number): number {
	const at = stretch * NUMBERS;
	const origin = (sites[at + 1] ?? 0) + position - (sites[at] ?? 0);
	const edited = sites[at + NUMBERS + 2];
	return edited === undefined || edited === BODY ? origin : Math.min(origin, edited);
}

/** The last stretch that begins at or before `position`. */
function findStretch(sites: Uint32Array, position: number): number {
	let low = 0;
	let high = sites.length / NUMBERS;
	while (high - low > 1) {
		const middle = (low + high) >>> 1;
		if ((sites[middle * NUMBERS] ?? 0) <= position) low = middle;
		else high = middle;
	}
	return low;
}

/** Sites of the newest code in the oldest: `newer` leads to code whose own sites are `older`. */
function composeSites(newer: Uint32Array, older: Uint32Array): Uint32Array {
	const composed = new SiteRecorder();
	const count = older.length / NUMBERS;
	for (let i = 0; i < newer.length; i += NUMBERS) {
		const to = newer[i] ?? 0;
		const from = newer[i + 1] ?? 0;
		const edited = newer[i + 2] ?? BODY;
		let stretch = findStretch(older, from);
		const origin = originAt(older, stretch, from);
		if (edited === BODY) composed.body(to, origin);
		else composed.resume(to, origin, originOf(older, edited));
		// What was copied holds edits of before
		const next = newer[i + NUMBERS + 2];
		const end = next === undefined || next === BODY ? from + lengthOf(newer, i) : next;
		for (stretch++; stretch < count && (older[stretch * NUMBERS] ?? 0) <= end; stretch++) {
			const at = stretch * NUMBERS;
			const [position = 0, old = 0, stands = BODY] = [older[at], older[at + 1], older[at + 2]];
			// The next body of the code in between, which is not copied by this stretch
			if (stands === BODY) break;
			composed.resume(to + position - from, old, stands);
		}
	}
	return composed.finish(undefined);
}

/** How long the stretch at `i` is, what the edit behind it put in included; endless for the last. */
function lengthOf(sites: Uint32Array, i: number): number {
	return (sites[i + NUMBERS] ?? BODY) - (sites[i] ?? 0);
}

/**
 * The same sites with positions in the new code as they are once it is encoded: from the start of the section's content, with the
 * count of bodies and the size of each in between.
 */
export function encodeSites(sites: Uint32Array, { starts, ends }: Pick<Code, "starts" | "ends">): Uint32Array {
	const moved = sites.slice();
	const sizeOf = (body: number): number => (ends[body] ?? 0) - (starts[body] ?? 0);
	let body = 0;
	let start = sizeOfU32(starts.length) + sizeOfU32(sizeOf(0));
	for (let i = 0; i < moved.length; i += NUMBERS) {
		const position = sites[i] ?? 0;
		while (body + 1 < starts.length && (starts[body + 1] ?? 0) <= position) {
			start += sizeOf(body++);
			start += sizeOfU32(sizeOf(body));
		}
		moved[i] = start + position - (starts[body] ?? 0);
	}
	return moved;
}
