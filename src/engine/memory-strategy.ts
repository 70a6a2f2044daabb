import { changePages, comparePages, NO_DELTA, type PageDelta, PageShelf } from "./page-delta.ts";
import type { MappedPages, PageImage, PageMapper } from "./pages.ts";
import type { SlotMemory } from "./slot-memory.ts";

/** How a slot's memories are put back: `copy` copies the whole image, `cow` the pages that were written. (`fresh` has no slots.) */
export type MemoryStrategy = "copy" | "cow";

/** A memory's content at the moment the image was taken; shared by all slots. */
export interface MemoryImage extends Disposable {
	readonly strategy: MemoryStrategy;
	/** Bytes. */
	readonly length: number;
	/** Makes `memory`, whose content may be anything of the same length, equal to the image from here on. */
	attach(memory: SlotMemory): AttachedMemory;
	/** Where another content of the same length differs from it. */
	compare(bytes: Uint8Array): PageDelta;
}

export interface AttachedMemory {
	/**
	 * Puts the image back, with `delta` over it, and its length: the bytes that it wrote; `undefined` when that cannot be done exactly.
	 * Whatever was there before, be it of another delta.
	 */
	restore(delta?: PageDelta): number | undefined;
	/** The same, where it is known that the memory holds the image with `from` over it. */
	change(from: PageDelta, to: PageDelta): number;
}

/**
 * Below this many bytes copying everything is quicker than asking the system what was written
 * (64 KiB are copied in 0.6 µs, a scan takes 3 to 5).
 */
const COPY_LIMIT = 128 * 1024;

/**
 * @param bytes the content; kept, not copied
 * @param copyLimit up to so many bytes are copied whether there is a mapper or not
 */
export function createMemoryImage(
	bytes: Uint8Array,
	mapper: PageMapper | undefined,
	copyLimit: number = COPY_LIMIT,
): MemoryImage {
	if (mapper === undefined || bytes.length <= copyLimit || bytes.length % mapper.pageSize !== 0)
		return copyImage(bytes);
	let pages: PageImage;
	try {
		pages = mapper.createImage(bytes);
	} catch {
		// Out of descriptors or memory: slower, never wrong.
		return copyImage(bytes);
	}
	return cowImage(bytes, pages);
}

function copyImage(bytes: Uint8Array): MemoryImage {
	const shelf = new PageShelf();
	return {
		strategy: "copy",
		length: bytes.length,
		compare: (own) => comparePages(bytes, own, shelf),
		attach: (memory) => attachCopy(memory, bytes),
		[Symbol.dispose]() {},
	};
}

function attachCopy(memory: SlotMemory, bytes: Uint8Array): AttachedMemory {
	checkLength(memory, bytes);
	memory.bytes.set(bytes);
	return {
		restore(delta = NO_DELTA) {
			if (!memory.shrink(bytes.length)) return undefined;
			memory.bytes.set(bytes);
			return bytes.length + changePages(memory.bytes, bytes, NO_DELTA, delta);
		},
		change: (from, to) => changePages(memory.bytes, bytes, from, to),
	};
}

function cowImage(bytes: Uint8Array, pages: PageImage): MemoryImage {
	const shelf = new PageShelf();
	return {
		strategy: "cow",
		length: bytes.length,
		compare: (own) => comparePages(bytes, own, shelf),
		attach(memory) {
			checkLength(memory, bytes);
			let mapped: MappedPages;
			try {
				mapped = pages.map(memory.buffer);
			} catch {
				// Too many mappings, or no memory for one: slower, never wrong.
				return attachCopy(memory, bytes);
			}
			return {
				restore: (delta = NO_DELTA) => (memory.shrink(bytes.length) ? mapped.restore(delta) : undefined),
				change: (from, to) => mapped.change(from, to),
			};
		},
		[Symbol.dispose]: () => pages[Symbol.dispose](),
	};
}

function checkLength(memory: SlotMemory, bytes: Uint8Array): void {
	if (memory.byteLength !== bytes.length && !memory.shrink(bytes.length))
		throw new RangeError("a memory of another length than its image");
}
