/** Copy-on-write memory: what the operating system does for it, behind one interface. */
import type { PageDelta } from "./page-delta.ts";
import type { WasmMemory } from "../v8/v8.ts";

/** The pages of an image, shared by every memory that it is mapped over. */
export interface PageImage extends Disposable {
	/**
	 * Maps the image over the start of `memory`, privately: writes stay in this memory, and the pages come from the image when they are
	 * first touched.
	 * @throws Error where the system refuses
	 */
	map(memory: WasmMemory): MappedPages;
}

/** One memory over which an image is mapped. Valid as long as its buffer is. */
export interface MappedPages {
	/**
	 * Puts the image back, with `delta` over it, wherever the memory may hold something else; the bytes that it wrote. Nothing that was
	 * written before is left. `undefined` when the system did not say what was written: then nothing is known of the memory.
	 */
	restore(delta: PageDelta): number | undefined;
	/** The same where it is known that the memory holds the image with `from` over it. */
	change(from: PageDelta, to: PageDelta): number;
}

export interface PageMapper {
	/** Bytes; a power of two. */
	readonly pageSize: number;
	/** How written pages are found, for reports. */
	readonly method: string;
	/** @throws Error where the system refuses: no memory, no descriptors */
	createImage(bytes: Uint8Array): PageImage;
	/** Makes a part of `buffer` inaccessible, or accessible again and all zero; whether that was done. Bounds in bytes, at pages. */
	protect(buffer: ArrayBufferLike, from: number, to: number): boolean;
	unprotect(buffer: ArrayBufferLike, from: number, to: number): boolean;
}

/** By how many pages each is known to be dirtied: up to so many stay resident and are copied back; beyond that they are dropped. */
export const RESIDENT_LIMIT = 2048;

/**
 * Every so many resets it is looked at which of the pages that are kept resident are still written: more often at first, as pages of an
 * app's state are written once to put them there; and less and less often, up to `most`, as long as no more pages come to be written than
 * there were. A review takes as long as many a call, for every page and the image of it goes through the processor's cache.
 */
export const REVIEW_INTERVAL = { least: 64, most: 1024 } as const;
export const FIRST_REVIEWS = { interval: 8, until: 64 } as const;

/** More pages than were there at the last review by so much, or such a share of them, are another load. */
export const GROWTH = { pages: 8, share: 0.25 } as const;

/** A page that so many reviews in a row found as it was is not kept any more: a page that 1 call in 3 writes mostly stays. */
export const IDLE_REVIEWS = 4;

/** So many pages may be kept resident for nothing where they cannot be given up one by one. */
export const IDLE_ALLOWANCE = 64;
