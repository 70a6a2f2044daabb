/** Copy-on-write memory: what the operating system does for it, behind one interface. */

/** The pages of an image, shared by every memory that it is mapped over. */
export interface PageImage extends Disposable {
	/**
	 * Maps the image over the start of `buffer`, privately: writes stay in this memory, and the pages come from the image when they are
	 * first touched. `buffer` has the image's length.
	 */
	map(buffer: ArrayBufferLike): MappedPages;
}

/** One memory over which an image is mapped. Valid as long as its buffer is. */
export interface MappedPages {
	/**
	 * Puts back every page that differs from the image; the pages that it put back, in bytes. Nothing that was written is left.
	 * `undefined` when the system did not say what was written: then nothing is known of the memory.
	 */
	restore(): number | undefined;
}

export interface PageMapper {
	/** Bytes; a power of two. */
	readonly pageSize: number;
	/** @throws Error where the system refuses: no memory, no descriptors */
	createImage(bytes: Uint8Array): PageImage;
}

/** By how many pages each is known to be dirtied: up to so many stay resident and are copied back; beyond that they are dropped. */
export const RESIDENT_LIMIT = 2048;
