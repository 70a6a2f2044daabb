/**
 * Putting pages back by their lines. Of the pages that a request writes, mostly one line in ten is another afterwards, and half of the
 * lines are zeros or like others. So each is compared with what it is to be, which is kept once for all that are alike, and written where
 * it differs: less than half of what a copy moves through the processor's cache, and so less of it is lost to the guest.
 */
import { DELTA_PAGE, type PageContent } from "./page-delta.ts";
import { webAssembly, type WasmMemory, type WasmModule } from "../v8/v8.ts";

/** Bytes of a cache line. */
const LINE = 64;
const WORDS = LINE / 4;
const PAGE_LINES = DELTA_PAGE / LINE;
/** Lines that are compared before a branch. */
const BLOCK_LINES = 4;
const WASM_PAGE = 65_536;
/** Of lines and lists of lines: 4 MiB, of which there is what is used. */
const STORE_PAGES = 64;
/** To find the lines of a page costs some microseconds: only for one that is put back again and again. */
const SETTLED = 32;
/** Pages to put back: below, copying is as quick; above, the cache is lost to the guest in any case. */
const BOUNDS = { least: 8, most: 256 } as const;
/** An entry of the list that the function is given: where the page is, and where the places of its lines are. */
const ENTRY_WORDS = 2;
/** In bytes: behind the list. */
const FIRST_LINE: number = BOUNDS.most * ENTRY_WORDS * 4;

/** What is to stand where. */
export interface Placed {
	/** Bytes, at pages. */
	readonly offsets: readonly number[];
	readonly pages: readonly PageContent[];
	/** For `LinePatch`: how it was done last. */
	listed: Listed | undefined;
}

/** As long as the store is of this generation. */
interface Listed {
	readonly generation: number;
	/** Of pages whose lines are known: what the list in the store is to be. */
	readonly words: readonly number[];
	/** Indices of the others. */
	readonly rest: readonly number[];
}

/** Each store that is begun, or begun anew, has one of its own: places in another are never taken for places in it. */
let generations = 0;

/** The lines of an image and of what differs from it; for all memories over which it is mapped. */
export class LineStore {
	readonly #memory: WasmMemory;
	/** At the start of it, the list. */
	readonly #words: Int32Array;
	/** Where a line is, by a hash of it. */
	readonly #lines = new Map<number, number>();
	/** Bytes in use. */
	#used = FIRST_LINE;
	#generation = ++generations;
	#current: Listed | undefined;

	constructor() {
		this.#memory = new (webAssembly().Memory)({ initial: STORE_PAGES, maximum: STORE_PAGES });
		this.#words = new Int32Array(this.#memory.buffer);
	}

	get generation(): number {
		return this.#generation;
	}

	/** @throws LinkError for a memory that is shared or has 64-bit addresses */
	attach(memory: WasmMemory): (listEnd: number) => void {
		const { exports } = new (webAssembly().Instance)(compiled(), { "": { memory, lines: this.#memory } });
		return exports["patch"] as (listEnd: number) => void;
	}

	list({ offsets, pages }: Placed): Listed {
		const words: number[] = [];
		const rest: number[] = [];
		for (let i = 0; i < pages.length; i++) {
			const page = pages[i] as PageContent;
			if (page.generation === this.#generation && page.place > 0) words.push(offsets[i] as number, page.place);
			else rest.push(i);
		}
		return { generation: this.#generation, words, rest };
	}

	/** @returns where the list ends, in bytes */
	load(listed: Listed): number {
		const { words } = listed;
		if (listed !== this.#current) {
			for (let i = 0; i < words.length; i++) this.#words[i] = words[i] as number;
			this.#current = listed;
		}
		return words.length * 4;
	}

	/** Takes in the lines of a page. Those that are mostly written cost no more than a copy, which goes through a call of its own for each. */
	add(page: PageContent): void {
		if (this.#used + DELTA_PAGE + PAGE_LINES * 4 > STORE_PAGES * WASM_PAGE) this.#clear();
		const due = toWords(page.bytes);
		const places: number[] = [];
		for (let word = 0; word < due.length; word += WORDS) places.push(this.#place(due, word));
		page.generation = this.#generation;
		page.place = this.#used;
		this.#words.set(places, this.#used / 4);
		this.#used += PAGE_LINES * 4;
	}

	#clear(): void {
		this.#lines.clear();
		this.#used = FIRST_LINE;
		this.#generation = ++generations;
		this.#current = undefined;
	}

	/** Where a line like this one is. */
	#place(from: Int32Array, at: number): number {
		let hash = 0;
		for (let i = at; i < at + WORDS; i++) hash = Math.imul(hash ^ (from[i] as number), 0x9e37_79b1) ^ (hash >>> 15);
		const known = this.#lines.get(hash);
		if (known !== undefined && isSameLine(from, at, this.#words, known / 4)) return known;
		const place = this.#used;
		this.#used += LINE;
		for (let i = 0; i < WORDS; i++) this.#words[place / 4 + i] = from[at + i] as number;
		this.#lines.set(hash, place);
		return place;
	}
}

const toWords = ({ buffer, byteOffset, length }: Uint8Array): Int32Array =>
	new Int32Array(buffer, byteOffset, length >>> 2);

function isSameLine(a: Int32Array, at: number, b: Int32Array, from: number): boolean {
	for (let i = 0; i < WORDS; i++) if (a[at + i] !== b[from + i]) return false;
	return true;
}

interface Patcher {
	readonly store: LineStore;
	/** Puts back what is in the list, which ends there. */
	readonly run: (listEnd: number) => void;
}

/** Puts pages back into one memory. */
export class LinePatch {
	readonly #memory: WasmMemory;
	readonly #bytes: Uint8Array;
	readonly #open: () => LineStore;
	/** From the first page on that is worth it; "refused" where there can be none. */
	#patcher: Patcher | "refused" | undefined;

	/**
	 * @param bytes of the memory
	 * @param open the store of the image
	 */
	constructor(memory: WasmMemory, bytes: Uint8Array, open: () => LineStore) {
		this.#memory = memory;
		this.#bytes = bytes;
		this.#open = open;
	}

	/** @returns how many were put back by their lines; the others were copied */
	put(placed: Placed): number {
		const { offsets, pages } = placed;
		const count = pages.length;
		if (count < BOUNDS.least || count > BOUNDS.most) {
			for (let i = 0; i < count; i++) this.#bytes.set((pages[i] as PageContent).bytes, offsets[i]);
			return 0;
		}
		const patcher = this.#patcher;
		if (typeof patcher !== "object") {
			for (let i = 0; i < count; i++) this.#copy(pages[i] as PageContent, offsets[i] as number);
			return 0;
		}
		const { run, store } = patcher;
		const known = placed.listed;
		const listed = known?.generation === store.generation ? known : (placed.listed = store.list(placed));
		const { rest, words } = listed;
		if (words.length > 0) run(store.load(listed));
		// Only now: the store may begin anew for one of these.
		for (let i = 0; i < rest.length; i++) {
			const at = rest[i] as number;
			if (this.#copy(pages[at] as PageContent, offsets[at] as number)) placed.listed = undefined;
		}
		return count - rest.length;
	}

	/** @returns whether its lines are known from now on */
	#copy(page: PageContent, offset: number): boolean {
		let isKnown = false;
		if (this.#patcher !== "refused" && ++page.copies >= SETTLED) {
			page.copies = 0;
			const found = (this.#patcher ??= this.#attach());
			isKnown = found !== "refused";
			if (found !== "refused") found.store.add(page);
		}
		this.#bytes.set(page.bytes, offset);
		return isKnown;
	}

	#attach(): Patcher | "refused" {
		try {
			const store = this.#open();
			return { store, run: store.attach(this.#memory) };
		} catch {
			// Shared, or of 64-bit addresses, or no room for another memory: slower, never wrong.
			return "refused";
		}
	}
}

let module: WasmModule | undefined;

function compiled(): WasmModule {
	return (module ??= new (webAssembly().Module)(Uint8Array.from(encode())));
}

/** Index spaces of the module. */
const MEMORY = 0;
const LINES = 1;
const LOCAL = { listEnd: 0, list: 1, at: 2, code: 3, codeEnd: 4, lines: 5 } as const;
const LOCALS = 4 + BLOCK_LINES;

const leb = (value: number): number[] => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)]);
const section = (id: number, body: readonly number[]): number[] => [id, ...leb(body.length), ...body];
const name = (text: string): number[] => [text.length, ...new TextEncoder().encode(text)];

const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const memarg = (align: number, memory: number, offset: number): number[] =>
	memory === 0 ? [align, ...leb(offset)] : [align | 0x40, memory, ...leb(offset)];
const loadWord = (address: number, offset: number): number[] => [...get(address), 0x28, ...memarg(2, LINES, offset)];
const loadVector = (memory: number, address: number, offset: number): number[] => [
	...get(address),
	0xfd,
	0x00,
	...memarg(4, memory, offset),
];
/** `i32.const`s of up to 13 bits. */
const constant = (value: number): number[] => [
	0x41,
	...(value < 0x40 ? [value] : [(value & 0x7f) | 0x80, value >>> 7]),
];
const advance = (local: number, by: number): number[] => [...get(local), ...constant(by), 0x6a, ...set(local)];
/** `br_if` to the start of the loop. */
const repeatBelow = (local: number, end: number): number[] => [...get(local), ...get(end), 0x49, 0x0d, 0];
const LOOP = [0x03, 0x40];
const END = 0x0b;

/** The vectors of a block: the local that points to the line, the offset in it, and that in the block. */
const VECTORS = Array.from({ length: (BLOCK_LINES * LINE) / 16 }, (_, i) => ({
	line: LOCAL.lines + (((i * 16) / LINE) | 0),
	offset: (i * 16) % LINE,
	place: i * 16,
}));

const writeVector = ({ line, offset, place }: (typeof VECTORS)[number]): number[] => [
	...get(LOCAL.at),
	...loadVector(LINES, line, offset),
	0xfd,
	0x0b,
	...memarg(4, MEMORY, place),
];

function encode(): number[] {
	const differs = VECTORS.flatMap(({ line, offset, place }, i) => [
		...loadVector(MEMORY, LOCAL.at, place),
		...loadVector(LINES, line, offset),
		0xfd,
		0x51,
		...(i === 0 ? [] : [0xfd, 0x50]),
	]);
	const write = VECTORS.flatMap(writeVector);
	const lines = Array.from({ length: BLOCK_LINES }, (_, i) => [
		...loadWord(LOCAL.code, i * 4),
		...set(LOCAL.lines + i),
	]).flat();
	const blocks = [
		...LOOP,
		...lines,
		...differs,
		0xfd,
		0x53,
		0x04,
		0x40,
		...write,
		END,
		...advance(LOCAL.at, BLOCK_LINES * LINE),
		...advance(LOCAL.code, BLOCK_LINES * 4),
		...repeatBelow(LOCAL.code, LOCAL.codeEnd),
		END,
	];
	const body = [
		1,
		LOCALS,
		0x7f,
		...LOOP,
		...loadWord(LOCAL.list, 0),
		...set(LOCAL.at),
		...loadWord(LOCAL.list, 4),
		...set(LOCAL.code),
		...get(LOCAL.code),
		...constant(PAGE_LINES * 4),
		0x6a,
		...set(LOCAL.codeEnd),
		...blocks,
		...advance(LOCAL.list, ENTRY_WORDS * 4),
		...repeatBelow(LOCAL.list, LOCAL.listEnd),
		END,
		END,
	];
	return [
		0x00,
		0x61,
		0x73,
		0x6d,
		1,
		0,
		0,
		0,
		...section(1, [1, 0x60, 1, 0x7f, 0]),
		...section(2, [2, ...name(""), ...name("memory"), 2, 0, 0, ...name(""), ...name("lines"), 2, 0, 0]),
		...section(3, [1, 0]),
		...section(7, [1, ...name("patch"), 0, 0]),
		...section(10, [1, ...leb(body.length), ...body]),
	];
}
