import {
	chooseStrategy,
	median,
	type MemoryCosts,
	memoryCosts,
	type MemoryStrategy,
	resetTime,
	USUAL_PAGES,
} from "./costs.ts";
import {
	changePages,
	comparePages,
	countDifferent,
	DELTA_PAGE,
	NO_DELTA,
	type PageDelta,
	PageShelf,
} from "./page-delta.ts";
import type { MappedPages, PageImage, PageMapper } from "./pages.ts";
import type { SlotMemory } from "./slot-memory.ts";

/** How a memory is put back, and by which figures that was chosen. */
export interface MemoryChoice {
	readonly strategy: MemoryStrategy;
	/** Bytes. */
	readonly length: number;
	/** Pages that a call writes: the median of the first calls; `undefined` before there were enough. */
	readonly pages: number | undefined;
	/** Microseconds that a reset is expected to take either way; `undefined` where there is but one. */
	readonly times: Readonly<Record<MemoryStrategy, number>> | undefined;
}

/** A memory's content at the moment the image was taken; shared by all slots. */
export interface MemoryImage extends Disposable {
	/** Of memories that are attached from now on. */
	readonly strategy: MemoryStrategy;
	/** Why it is that one. */
	readonly choice: MemoryChoice;
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

interface ImageOptions {
	/** Up to so many bytes are copied, and more is not, if there is a mapper; where it is left out, what is quicker is done. */
	readonly copyLimit?: number | undefined;
	/** What it takes this machine; measured where it is left out. */
	readonly costs?: MemoryCosts;
}

/** @param bytes the content; kept, not copied */
export function createMemoryImage(
	bytes: Uint8Array,
	mapper: PageMapper | undefined,
	{ copyLimit, costs }: ImageOptions = {},
): MemoryImage {
	if (mapper === undefined || bytes.length === 0 || bytes.length % mapper.pageSize !== 0)
		return new ChosenImage(bytes, undefined, "copy", undefined);
	if (copyLimit !== undefined)
		return new ChosenImage(bytes, mapper, bytes.length <= copyLimit ? "copy" : "cow", undefined);
	const known = costs ?? memoryCosts(mapper);
	const strategy = known === undefined ? "copy" : chooseStrategy(bytes.length, USUAL_PAGES, known);
	return new ChosenImage(bytes, mapper, strategy, known);
}

/** Resets after which it is clear what calls write; of the first ones nothing is learnt, since they warm up. */
export const LEARNING = { skipped: 2, resets: 18 } as const;

class ChosenImage implements MemoryImage {
	readonly length: number;
	readonly #bytes: Uint8Array;
	readonly #shelf = new PageShelf();
	/** `undefined` where it refused, or is not to be used. */
	#mapper: PageMapper | undefined;
	#source: PageImage | undefined;
	#strategy: MemoryStrategy;
	/** `undefined`: the strategy stays as it is. */
	readonly #costs: MemoryCosts | undefined;
	/** Pages written, for each reset that is learnt from. */
	#seen: number[] | undefined;
	#resets = 0;
	#pages: number | undefined;

	constructor(
		bytes: Uint8Array,
		mapper: PageMapper | undefined,
		strategy: MemoryStrategy,
		costs: MemoryCosts | undefined,
	) {
		this.length = bytes.length;
		this.#bytes = bytes;
		this.#mapper = mapper;
		this.#costs = costs;
		this.#seen = costs === undefined ? undefined : [];
		this.#strategy = strategy;
		if (strategy === "cow") this.#open();
	}

	get strategy(): MemoryStrategy {
		return this.#strategy;
	}

	get choice(): MemoryChoice {
		const [costs, pages] = [this.#costs, this.#pages];
		const time = (strategy: MemoryStrategy): number =>
			resetTime(strategy, this.length, pages ?? USUAL_PAGES, costs as MemoryCosts);
		const times =
			costs === undefined || this.#mapper === undefined ? undefined : { copy: time("copy"), cow: time("cow") };
		return { strategy: this.#strategy, length: this.length, pages, times };
	}

	compare(own: Uint8Array): PageDelta {
		return comparePages(this.#bytes, own, this.#shelf);
	}

	attach(memory: SlotMemory): AttachedMemory {
		checkLength(memory, this.#bytes);
		const source = this.#strategy === "cow" ? this.#source : undefined;
		try {
			if (source !== undefined) return this.#attachMapped(memory, source.map(memory.memory));
		} catch {
			// Too many mappings, or no memory for one: slower, never wrong.
		}
		return this.#attachCopy(memory);
	}

	#attachMapped(memory: SlotMemory, mapped: MappedPages): AttachedMemory {
		return {
			restore: (delta = NO_DELTA) => {
				if (!memory.shrink(this.length)) return undefined;
				const written = mapped.restore(delta);
				if (this.#seen !== undefined && written !== undefined) this.#learn(written / DELTA_PAGE);
				return written;
			},
			change: (from, to) => mapped.change(from, to),
		};
	}

	#attachCopy(memory: SlotMemory): AttachedMemory {
		const bytes = this.#bytes;
		memory.bytes.set(bytes);
		return {
			restore: (delta = NO_DELTA) => {
				if (!memory.shrink(bytes.length)) return undefined;
				if (this.#seen !== undefined) this.#learn(countDifferent(bytes, memory.bytes));
				memory.bytes.set(bytes);
				return bytes.length + changePages(memory.bytes, bytes, NO_DELTA, delta);
			},
			change: (from, to) => changePages(memory.bytes, bytes, from, to),
		};
	}

	/** A call has written so many pages. Slots that there are stay as they are. */
	#learn(pages: number): void {
		const [seen, costs] = [this.#seen, this.#costs];
		if (seen === undefined || costs === undefined || ++this.#resets <= LEARNING.skipped) return;
		seen.push(pages);
		if (this.#resets < LEARNING.resets) return;
		this.#seen = undefined;
		this.#pages = median(seen);
		const better = chooseStrategy(this.length, this.#pages, costs, this.#strategy);
		if (better === this.#strategy || this.#mapper === undefined) return;
		this.#strategy = better;
		if (better === "cow") this.#open();
		else this[Symbol.dispose]();
	}

	#open(): void {
		try {
			this.#source = this.#mapper?.createImage(this.#bytes);
		} catch {
			// Out of descriptors or memory: slower, never wrong.
			this.#mapper = undefined;
			this.#strategy = "copy";
		}
	}

	/** Memories to which it is attached keep what they have. */
	[Symbol.dispose](): void {
		this.#source?.[Symbol.dispose]();
		this.#source = undefined;
		this.#seen = undefined;
	}
}

function checkLength(memory: SlotMemory, bytes: Uint8Array): void {
	if (memory.byteLength !== bytes.length && !memory.shrink(bytes.length))
		throw new RangeError("a memory of another length than its image");
}
