import type { LinePatch, Placed } from "./line-patch.ts";
import {
	changedPages,
	changePages,
	DELTA_PAGE,
	type ImagePages,
	isEqual,
	NO_DELTA,
	type PageContent,
	type PageDelta,
} from "./page-delta.ts";
import type { PageScan } from "./page-scan.ts";
import {
	FIRST_REVIEWS,
	GROWTH,
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
	readonly #pages: ImagePages;
	readonly #scan: PageScan;
	readonly #pageSize: number;
	readonly #drop: () => boolean;
	readonly #patch: LinePatch;
	#restores = 0;
	#held = NO_DELTA;
	/** Where written pages are, as they were at this mark of faults; NaN where that is not known. */
	#written: readonly number[] = [];
	/** What the image has there. */
	#base: readonly PageContent[] = [];
	#faults = NaN;
	#plan: Plan | undefined;
	/** By what is due, for these written pages. */
	readonly #plans = new Map<PageDelta, Plan>();
	/** The count of restores at which pages are reviewed next, how many there are from then to the one after that, and how often so many. */
	#reviewAt: number = FIRST_REVIEWS.interval;
	#interval: number = REVIEW_INTERVAL.least;
	#repeats: number = IDLE_REVIEWS;
	/** Written pages that the last review found, or that made another one due sooner. */
	#reviewed = 0;
	/** By page: how many reviews in a row have found it as it was. */
	#idle: Uint8Array | undefined;

	/** @param drop gives all pages back; whether that was done */
	constructor(
		memory: Uint8Array,
		pages: ImagePages,
		scan: PageScan,
		pageSize: number,
		drop: () => boolean,
		patch: LinePatch,
	) {
		this.#memory = memory;
		this.#image = pages.image;
		this.#pages = pages;
		this.#scan = scan;
		this.#pageSize = pageSize;
		this.#drop = drop;
		this.#patch = patch;
	}

	restore(due: PageDelta): number | undefined {
		const idle = ++this.#restores === this.#reviewAt ? this.#review(due) : NOTHING;
		if (idle === undefined || !this.#findWritten()) return undefined;
		const plan = this.#planFor(due);
		this.#patch.put(plan);
		this.#held = due;
		const bytes = plan.offsets.length * DELTA_PAGE;
		// A call that dirtied far more than others do: give the pages back rather than copy them each time.
		const forgets = bytes > RESIDENT_LIMIT * this.#pageSize || (!this.#scan.renews && idle.length > 0);
		if (forgets) return this.#forget(due) ? bytes : undefined;
		for (const { from, to } of idle) this.#scan.renew(from, to);
		if (idle.length > 0) this.#faults = NaN;
		return bytes;
	}

	#planFor(due: PageDelta): Plan {
		const held = this.#held;
		const last = this.#plan;
		if (held === due && last?.due === due && last.written === this.#written) return last;
		// Where the two differ in written pages only, which are put back anyway, it makes no difference what was held.
		const known = this.#plans.get(due);
		if (known !== undefined && known.outside === this.#plans.get(held)?.outside) return (this.#plan = known);
		const made = createPlan(this.#written, this.#base, held, due, this.#pages);
		if (this.#plans.size === MAX_PLANS) this.#plans.clear();
		const plan = { ...made, outside: this.#outsideLike(made.outside) };
		this.#plans.set(due, plan);
		return (this.#plan = plan);
	}

	/** The same pages, as a plan that is known has them. */
	#outsideLike(pages: readonly PageContent[]): readonly PageContent[] {
		for (const { outside } of this.#plans.values()) if (isSame(outside, pages)) return outside;
		return pages;
	}

	/**
	 * Every first write to a page is a fault, so that without one since the last time nothing else can have been written.
	 * @returns false when the system did not say
	 */
	#findWritten(): boolean {
		// Before the scan: a fault after this is one that the next time knows nothing of.
		const faults = this.#scan.mark();
		if (this.#scan.isUntouched(this.#faults, faults)) {
			this.#faults = faults;
			return true;
		}
		const written: number[] = [];
		this.#faults = NaN;
		const add = (from: number, to: number): void => {
			for (let at = from; at < to; at += DELTA_PAGE) written.push(at);
		};
		if (!this.#scan.each(add)) return false;
		this.#faults = faults;
		// Most faults were elsewhere: what was planned for these pages stays valid.
		if (isSame(written, this.#written)) return true;
		this.#written = written;
		this.#plans.clear();
		this.#base = written.map((at) => this.#pages.get(at));
		if (written.length > this.#reviewed + Math.max(GROWTH.pages, this.#reviewed * GROWTH.share)) {
			this.#reviewed = written.length;
			this.#interval = REVIEW_INTERVAL.least;
			this.#repeats = IDLE_REVIEWS;
			this.#reviewAt = Math.min(this.#reviewAt, this.#restores + this.#interval);
		}
		return true;
	}

	/** When to review next, at a review. */
	#planReview(): void {
		if (this.#restores < FIRST_REVIEWS.until) this.#reviewAt += FIRST_REVIEWS.interval;
		else {
			if (this.#repeats > 0) this.#repeats--;
			else this.#interval = Math.min(this.#interval * 2, REVIEW_INTERVAL.most);
			this.#reviewAt += this.#interval;
		}
	}

	change(from: PageDelta, to: PageDelta): number {
		this.#held = to;
		return changePages(this.#memory, this.#image, from, to);
	}

	/**
	 * Looks at which written pages hold what is held nevertheless.
	 * @returns those that did so for long, if it is worth it to have them unwritten; `undefined` when the system did not say
	 */
	#review(due: PageDelta): readonly Run[] | undefined {
		this.#planReview();
		const idle = (this.#idle ??= new Uint8Array(this.#memory.length / DELTA_PAGE));
		const held = this.#held;
		const own = new Map(held.offsets.map((at, i) => [at, (held.pages[i] as PageContent).bytes]));
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
		this.#reviewed = written;
		const isWorth = this.#scan.renews || (found.length > IDLE_ALLOWANCE && found.length * 2 > written);
		if (!isWorth) return NOTHING;
		for (const at of found) idle[at / DELTA_PAGE] = 0;
		return runsOf(found, this.#pageSize);
	}

	/** Gives all pages back. */
	#forget(due: PageDelta): boolean {
		if (!this.#drop()) return false;
		this.#scan.forget();
		this.#faults = NaN;
		changePages(this.#memory, this.#image, NO_DELTA, due);
		return true;
	}
}

/** What a restore writes. */
interface Plan extends Placed {
	/** What it is for. */
	readonly written: readonly number[];
	readonly due: PageDelta;
	/** In which pages that are not written what is due differs from the image. */
	readonly outside: readonly PageContent[];
}

/** So many apps take turns in one memory without their plans being made anew: some KiB each. */
const MAX_PLANS = 64;

/**
 * Pages that were written, and those in which what is due differs from what is held. In one go over all of them: an app takes its turn
 * with each call.
 * @param written ascending
 * @param base what the image has there
 */
function createPlan(
	written: readonly number[],
	base: readonly PageContent[],
	held: PageDelta,
	due: PageDelta,
	image: ImagePages,
): Plan {
	const offsets: number[] = [];
	const pages: PageContent[] = [];
	const count = written.length;
	const [heldCount, dueCount] = [held.offsets.length, due.offsets.length];
	const outside: PageContent[] = [];
	for (let i = 0, h = 0, d = 0; i < count || h < heldCount || d < dueCount;) {
		const atWritten = i < count ? (written[i] as number) : Infinity;
		const atHeld = h < heldCount ? (held.offsets[h] as number) : Infinity;
		const atDue = d < dueCount ? (due.offsets[d] as number) : Infinity;
		const at = Math.min(atWritten, atHeld, atDue);
		const page = atDue === at ? due.pages[d] : undefined;
		if (atWritten === at) {
			offsets.push(at);
			pages.push(page ?? (base[i] as PageContent));
			i++;
		} else if (page !== (atHeld === at ? held.pages[h] : undefined)) {
			offsets.push(at);
			pages.push(page ?? image.get(at));
		}
		if (page !== undefined && at < atWritten) outside.push(page);
		if (atHeld === at) h++;
		if (atDue === at) d++;
	}
	return { written, due, offsets, pages, outside, listed: undefined };
}

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
	if (a.length !== b.length) return false;
	for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
	return true;
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
