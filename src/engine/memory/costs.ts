/** What it takes this machine to put a memory back in one way or the other, and which is quicker for a memory. */
import type { PageDelta } from "./page-delta.ts";
import type { PageMapper } from "./pages.ts";
import { createSlotMemory, WASM_PAGE } from "./slot-memory.ts";

/** How a slot's memories are put back: `copy` copies the whole image, `cow` the pages that were written. (`fresh` has no slots.) */
export type MemoryStrategy = "copy" | "cow";

/** In microseconds. */
export interface MemoryCosts {
	/** To copy a KiB of an image that is copied whole. */
	readonly copyKiB: number;
	/** To ask the system which pages were written. */
	readonly scan: number;
	/** To find, and put back, each page that was. */
	readonly page: number;
}

/** Pages that a call is taken to write as long as none was seen: some of a stack, of an allocator, and of its data. */
export const USUAL_PAGES = 8;
/** A strategy is given up for another that takes this share of its time, or less: figures are never exact. */
const CLEARLY = 0.7;

/** Microseconds for a reset of a memory of so many bytes, of which a call writes so many pages. */
export function resetTime(strategy: MemoryStrategy, length: number, pages: number, costs: MemoryCosts): number {
	return strategy === "copy" ? (length / 1024) * costs.copyKiB : costs.scan + pages * costs.page;
}

/** @param current what is in use, and is kept unless the other is clearly quicker */
export function chooseStrategy(
	length: number,
	pages: number,
	costs: MemoryCosts,
	current?: MemoryStrategy,
): MemoryStrategy {
	const copy = resetTime("copy", length, pages, costs);
	const cow = resetTime("cow", length, pages, costs);
	if (current === "copy") return cow < CLEARLY * copy ? "cow" : "copy";
	if (current === "cow") return copy < CLEARLY * cow ? "copy" : "cow";
	return copy <= cow ? "copy" : "cow";
}

/** By the method of the mapper. */
const measured = new Map<string, MemoryCosts | undefined>();

/** Measured once in a process for each way to find written pages, in a millisecond or two; `undefined` where the system refuses a mapping. */
export function memoryCosts(mapper: PageMapper): MemoryCosts | undefined {
	if (!measured.has(mapper.method)) measured.set(mapper.method, tryMeasure(mapper));
	return measured.get(mapper.method);
}

function tryMeasure(mapper: PageMapper): MemoryCosts | undefined {
	try {
		return measure(mapper);
	} catch {
		return undefined;
	}
}

/** WebAssembly pages of the memory that is measured: about as large as those for which it is a close thing. */
const SAMPLE_PAGES = 4;
const MAPPINGS = 3;
/** Scattered pages: as many as the memory has room for, each with one between. */
const MANY = 24;
/** What is left of the time for a scan once V8 has compiled what it takes: half to a third on the one machine that was looked at. */
const COMPILED = 0.5;
const COPIES = 5;

function measure(mapper: PageMapper): MemoryCosts | undefined {
	const { pageSize } = mapper;
	const create = (): ReturnType<typeof createSlotMemory> =>
		createSlotMemory(
			{ minimum: BigInt(SAMPLE_PAGES), maximum: BigInt(SAMPLE_PAGES), shared: false, index: "i32" },
			undefined,
		);
	const length = SAMPLE_PAGES * WASM_PAGE;
	const image = new Uint8Array(length).fill(1);
	const plain = create().bytes;
	const copy = least(COPIES, () => timed(() => plain.set(image)));

	using source = mapper.createImage(image);
	const none: PageDelta = { offsets: [], pages: [] };
	let [asked, few, many] = [Infinity, Infinity, Infinity];
	for (let i = 0; i < MAPPINGS; i++) {
		const { memory, bytes } = create();
		const mapping = source.map(memory);
		const reset = (pages: number): number => {
			// Each apart from the others, as calls write them
			for (let page = 0; page < pages; page++) bytes[2 * page * pageSize] = 2;
			return timed(() => {
				if (mapping.restore(none) === undefined) throw new Error("the system did not say");
			});
		};
		// Fewer resets than after which a mapping is reviewed. A page for the first time is a fault, and so the system is asked.
		for (const pages of [MANY - 1, MANY]) {
			asked = Math.min(asked, reset(pages));
			many = Math.min(many, reset(pages));
			few = Math.min(few, reset(1));
		}
	}
	const copyKiB = copy / (length / 1024);
	const page = Math.max((many - few) / (MANY - 2), (pageSize / 1024) * copyKiB);
	// What takes as long without asking is the engine's own code.
	return { copyKiB, scan: Math.max((asked - many) * COMPILED, 0), page };
}

/** Of others' work on the machine, the least of some times has least. */
function least(times: number, measure: () => number): number {
	let found = Infinity;
	for (let i = 0; i < times; i++) found = Math.min(found, measure());
	return found;
}

/** Microseconds. */
function timed(act: () => void): number {
	const from = performance.now();
	act();
	return (performance.now() - from) * 1000;
}

export function median(of: readonly number[]): number {
	const sorted = of.toSorted((a, b) => a - b);
	return sorted[sorted.length >> 1] ?? 0;
}
