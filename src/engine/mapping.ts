import { changedPages, changePages, DELTA_PAGE, isEqual, NO_DELTA, type PageDelta } from "./page-delta.ts";
import type { PageScan } from "./page-scan.ts";
import {
	FIRST_REVIEWS,
	IDLE_ALLOWANCE,
	IDLE_REVIEWS,
	type MappedPages,
	RESIDENT_LIMIT,
	REVIEW_INTERVAL,
} from "./pages.ts";

/** A memory over which an image is mapped. Pages that are not written hold the image with `#held` over it. */
export class Mapping implements MappedPages {
	readonly #memory: Uint8Array;
	readonly #image: Uint8Array;
	readonly #scan: PageScan;
	readonly #pageSize: number;
	readonly #drop: () => boolean;
	#restores = 0;
	#restored = 0;
	#held = NO_DELTA;
	/** What the memory is to hold; the next of its pages; and where that is not what is held, with the next of these. */
	#due = NO_DELTA;
	#next = 0;
	#changed: readonly number[] = [];
	#nextChanged = 0;
	/** By page: how many reviews in a row have found it as it was. */
	#idle: Uint8Array | undefined;
	readonly #copyBack: (from: number, to: number) => void;

	/** @param drop gives all pages back; whether that was done */
	constructor(memory: Uint8Array, image: Uint8Array, scan: PageScan, pageSize: number, drop: () => boolean) {
		this.#memory = memory;
		this.#image = image;
		this.#scan = scan;
		this.#pageSize = pageSize;
		this.#drop = drop;
		// Made once: a reset makes as few objects as it can.
		this.#copyBack = (from, to) => {
			this.#copyChanged(from, to);
			this.#copyDue(from, to);
		};
	}

	restore(due: PageDelta): number | undefined {
		const count = ++this.#restores;
		const interval = count <= FIRST_REVIEWS.until ? FIRST_REVIEWS.interval : REVIEW_INTERVAL;
		const idle = count % interval === 0 ? this.#review(due) : NOTHING;
		if (idle === undefined) return undefined;
		this.#restored = 0;
		this.#due = due;
		this.#next = 0;
		this.#changed = changedPages(this.#held, due);
		this.#nextChanged = 0;
		if (!this.#scan.each(this.#copyBack)) return undefined;
		this.#copyChanged(this.#memory.length, this.#memory.length);
		this.#held = due;
		// A call that dirtied far more than others do: give the pages back rather than copy them each time.
		const forgets = this.#restored > RESIDENT_LIMIT * this.#pageSize || (!this.#scan.renews && idle.length > 0);
		if (forgets) return this.#forget(due) ? this.#restored : undefined;
		for (const { from, to } of idle) this.#scan.renew(from, to);
		return this.#restored;
	}

	change(from: PageDelta, to: PageDelta): number {
		this.#held = to;
		return changePages(this.#memory, this.#image, from, to);
	}

	/** Writes pages before `from` that nothing was written to, and that are to hold something else; not those before `to`. */
	#copyChanged(from: number, to: number): void {
		for (; this.#nextChanged < this.#changed.length; this.#nextChanged++) {
			const at = this.#changed[this.#nextChanged] as number;
			if (at >= to) return;
			if (at < from) this.#copyDue(at, at + DELTA_PAGE);
		}
	}

	/** Writes what is due from `from` to `to`, behind all that was written before. */
	#copyDue(from: number, to: number): void {
		const { offsets, pages } = this.#due;
		let right = from;
		for (; this.#next < offsets.length; this.#next++) {
			const at = offsets[this.#next] as number;
			if (at >= to) break;
			if (at < from) continue;
			if (at > right) this.#copyImage(right, at);
			this.#memory.set(pages[this.#next] as Uint8Array, at);
			right = at + DELTA_PAGE;
		}
		if (right < to) this.#copyImage(right, to);
		this.#restored += to - from;
	}

	#copyImage(from: number, to: number): void {
		this.#memory.set(this.#image.subarray(from, to), from);
	}

	/**
	 * Looks at which written pages hold what is held nevertheless.
	 * @returns those that did so for long, if it is worth it to have them unwritten; `undefined` when the system did not say
	 */
	#review(due: PageDelta): readonly Run[] | undefined {
		const idle = (this.#idle ??= new Uint8Array(this.#memory.length / DELTA_PAGE));
		const held = this.#held;
		const own = new Map(held.offsets.map((at, i) => [at, held.pages[i] as Uint8Array]));
		const changed = new Set(changedPages(held, due));
		const found: number[] = [];
		let written = 0;
		const known = this.#scan.each((from, to) => {
			for (let at = from; at < to; at += DELTA_PAGE) {
				const page = at / DELTA_PAGE;
				const bytes = own.get(at) ?? this.#image.subarray(at, at + DELTA_PAGE);
				// What differs between apps that take turns is written by that alone.
				const isIdle = !changed.has(at) && isEqual(this.#memory.subarray(at, at + DELTA_PAGE), bytes);
				idle[page] = isIdle ? Math.min((idle[page] as number) + 1, IDLE_REVIEWS) : 0;
				written++;
				// Given back, a page of the state would have to be written at once.
				if (idle[page] === IDLE_REVIEWS && (this.#scan.renews || !own.has(at))) found.push(at);
			}
		});
		if (!known) return undefined;
		const isWorth = this.#scan.renews || (found.length > IDLE_ALLOWANCE && found.length * 2 > written);
		if (!isWorth) return NOTHING;
		for (const at of found) idle[at / DELTA_PAGE] = 0;
		return runsOf(found, this.#pageSize);
	}

	/** Gives all pages back. */
	#forget(due: PageDelta): boolean {
		if (!this.#drop()) return false;
		this.#scan.forget();
		changePages(this.#memory, this.#image, NO_DELTA, due);
		return true;
	}
}

interface Run {
	readonly from: number;
	to: number;
}

const NOTHING: readonly Run[] = [];

/** To have a run unwritten takes 10 µs, and each page that is written again then 1. */
const RUN_GAP = 8 * DELTA_PAGE;

/** Whole pages of the system; those in small gaps with them. */
function runsOf(offsets: readonly number[], pageSize: number): Run[] {
	const runs: Run[] = [];
	for (const at of offsets) {
		const [from, to] = [at - (at % pageSize), at - (at % pageSize) + pageSize];
		const last = runs.at(-1);
		if (last !== undefined && from <= last.to + RUN_GAP) last.to = to;
		else runs.push({ from, to });
	}
	return runs;
}
