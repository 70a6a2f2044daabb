/** Bytes of the pages by which contents are compared: the least that a system has. Memories are multiples of it. */
export const DELTA_PAGE = 4096;

/** What is to be in a page. It stays as it is. */
export class PageContent {
	readonly bytes: Uint8Array;
	/** For whoever puts it back by its lines (`line-patch`): where those are in a store, as long as that is of this generation. */
	generation = 0;
	place = 0;
	/** How often it was copied in this generation. */
	copies = 0;

	/** @param bytes `DELTA_PAGE` of them */
	constructor(bytes: Uint8Array) {
		this.bytes = bytes;
	}
}

/** Pages of an image that were asked for, each made once. */
export class ImagePages {
	readonly image: Uint8Array;
	readonly #known = new Map<number, PageContent>();

	constructor(image: Uint8Array) {
		this.image = image;
	}

	/** @param at bytes */
	get(at: number): PageContent {
		const known = this.#known.get(at);
		if (known !== undefined) return known;
		const page = new PageContent(this.image.subarray(at, at + DELTA_PAGE));
		// What is beyond is of calls that wrote everywhere.
		if (this.#known.size < MAX_KNOWN) this.#known.set(at, page);
		return page;
	}
}

/** More than all slots of an image have in use, in most cases: 16 MiB. */
const MAX_KNOWN = 4096;

/** Where the content of a memory differs from another of the same length. */
export interface PageDelta {
	/** Where the pages are, in bytes; ascending. */
	readonly offsets: readonly number[];
	/** What is in them. A page may belong to several deltas. */
	readonly pages: readonly PageContent[];
}

export const NO_DELTA: PageDelta = { offsets: [], pages: [] };

/** Pages by their content, so that those of apps that have much in common are kept once; only as long as someone has them. */
export class PageShelf {
	readonly #pages = new Map<number, WeakRef<PageContent>[]>();

	/** @returns a page of this content at this offset: one that was kept before, or a copy */
	keep(offset: number, content: Uint8Array): PageContent {
		const known = (this.#pages.get(offset) ?? []).filter((ref) => ref.deref() !== undefined);
		let page = known.map((ref) => ref.deref()).find((kept) => kept !== undefined && isEqual(kept.bytes, content));
		if (page === undefined) known.push(new WeakRef((page = new PageContent(content.slice()))));
		this.#pages.set(offset, known);
		return page;
	}
}

/** @param own of the same length as `base` */
export function comparePages(base: Uint8Array, own: Uint8Array, shelf: PageShelf): PageDelta {
	const offsets: number[] = [];
	const pages: PageContent[] = [];
	for (let at = 0; at < own.length; at += DELTA_PAGE) {
		const content = own.subarray(at, at + DELTA_PAGE);
		if (isEqual(base.subarray(at, at + DELTA_PAGE), content)) continue;
		offsets.push(at);
		pages.push(shelf.keep(at, content));
	}
	return offsets.length === 0 ? NO_DELTA : { offsets, pages };
}

/** Pages in which two contents of the same length differ. */
export function countDifferent(base: Uint8Array, own: Uint8Array): number {
	let count = 0;
	for (let at = 0; at < own.length; at += DELTA_PAGE)
		if (!isEqual(base.subarray(at, at + DELTA_PAGE), own.subarray(at, at + DELTA_PAGE))) count++;
	return count;
}

/** Puts a content in place of another, where both are known as what differs from `base`. The bytes that were written. */
export function changePages(memory: Uint8Array, base: Uint8Array, from: PageDelta, to: PageDelta): number {
	let written = 0;
	eachChange(from, to, (at, page) => {
		memory.set(page?.bytes ?? base.subarray(at, at + DELTA_PAGE), at);
		written += DELTA_PAGE;
	});
	return written;
}

/** Where two contents differ, ascending; of at most so many pages. */
export function changedPages(from: PageDelta, to: PageDelta, limit: number = Infinity): number[] {
	const offsets: number[] = [];
	if (from !== to) eachChange(from, to, (at) => offsets.push(at) >= limit);
	return offsets;
}

/** @param found is given what is to be there, unless that is the base's; ends it with true */
function eachChange(
	from: PageDelta,
	to: PageDelta,
	found: (at: number, page: PageContent | undefined) => boolean | void,
): void {
	for (let i = 0, k = 0; i < from.offsets.length || k < to.offsets.length;) {
		const old = from.offsets[i] ?? Infinity;
		const next = to.offsets[k] ?? Infinity;
		const at = Math.min(old, next);
		const page = next === at ? to.pages[k] : undefined;
		if (page !== (old === at ? from.pages[i] : undefined) && found(at, page) === true) return;
		if (old === at) i++;
		if (next === at) k++;
	}
}

export function isEqual(a: Uint8Array, b: Uint8Array): boolean {
	if (a.length !== b.length) return false;
	const words = a.length >>> 2;
	if ((a.byteOffset | b.byteOffset) & 3) return a.every((byte, i) => byte === b[i]);
	const left = new Int32Array(a.buffer, a.byteOffset, words);
	const right = new Int32Array(b.buffer, b.byteOffset, words);
	for (let i = 0; i < words; i++) if (left[i] !== right[i]) return false;
	for (let i = words << 2; i < a.length; i++) if (a[i] !== b[i]) return false;
	return true;
}
