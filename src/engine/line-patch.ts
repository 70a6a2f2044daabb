/**
 * Putting pages back by their lines. Of the pages that a request writes, mostly one line in ten is another afterwards, and half of the
 * lines are zeros or like others. So each is compared with what it is to be, which is kept once for all that are alike, and written where
 * it differs: less than half of what a copy moves through the processor's cache, and so less of it is lost to the guest.
 */
import { webAssembly, type WasmMemory, type WasmModule } from "./v8.ts";

/** Bytes of a cache line. */
const LINE = 64;
const WORDS = LINE / 4;
/** Lines that are compared before a branch. */
const BLOCK_LINES = 4;
const WASM_PAGE = 65_536;
/** Of lines and lists: 4 MiB, of which there is what is used. */
const STORE_PAGES = 64;
/** A list costs some hundred microseconds to make: only for what is put back again and again. */
const SETTLED = 64;
/** Bytes to put back: below, copying is as quick; above, a list would take too much of the store. */
const BOUNDS = { least: 8 * 4096, most: 1024 * 1024 } as const;

/** What is to stand where. */
interface Pages {
	readonly offsets: readonly number[];
	/** Multiples of a system page in length. */
	readonly contents: readonly Uint8Array[];
	/** Of all contents. */
	readonly bytes: number;
}

/** Where a list is in the store, as long as that is of this generation. */
interface List {
	readonly generation: number;
	readonly from: number;
	readonly to: number;
}

/** The lines of an image and of what differs from it, and lists of them; for all memories over which it is mapped. */
export class LineStore {
	readonly #memory: WasmMemory;
	readonly #words: Int32Array;
	/** Where a line is, by a hash of it. */
	readonly #lines = new Map<number, number>();
	/** Bytes in use. */
	#used = 0;
	#generation = 0;

	constructor() {
		this.#memory = new (webAssembly().Memory)({ initial: STORE_PAGES, maximum: STORE_PAGES });
		this.#words = new Int32Array(this.#memory.buffer);
	}

	get generation(): number {
		return this.#generation;
	}

	/** @throws LinkError for a memory that is shared or has 64-bit addresses */
	attach(memory: WasmMemory): (from: number, to: number) => void {
		const { exports } = new (webAssembly().Instance)(compiled(), { "": { memory, lines: this.#memory } });
		return exports["patch"] as (from: number, to: number) => void;
	}

	/**
	 * @param memory as it is before they are put back
	 * @returns `undefined` where copying is better
	 */
	add({ offsets, contents, bytes }: Pages, memory: ArrayBufferLike): List | undefined {
		const codes = (bytes / LINE) * 4;
		const needed = bytes + codes + offsets.length * 12 + LINE;
		if (this.#used + needed > STORE_PAGES * WASM_PAGE) this.#clear();
		const now = new Int32Array(memory);
		const list: number[] = [];
		const codeOf: number[] = [];
		let changed = 0;
		for (const [i, content] of contents.entries()) {
			const offset = offsets[i] as number;
			const due = new Int32Array(content.buffer, content.byteOffset, content.length >>> 2);
			list.push(offset, codeOf.length * 4, (due.length / WORDS) * 4);
			for (let word = 0; word < due.length; word += WORDS) {
				codeOf.push(this.#place(due, word));
				if (!isSameLine(due, word, now, offset / 4 + word)) changed++;
			}
		}
		if (changed * LINE * 2 > bytes) return undefined;
		const first = this.#used;
		this.#words.set(codeOf, first / 4);
		const from = first + codes;
		for (let i = 1; i < list.length; i += 3) list[i] = (list[i] as number) + first;
		this.#words.set(list, from / 4);
		const to = from + list.length * 4;
		this.#used = Math.ceil(to / LINE) * LINE;
		return { generation: this.#generation, from, to };
	}

	/** All lists are void. */
	#clear(): void {
		this.#lines.clear();
		this.#used = 0;
		this.#generation++;
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

function isSameLine(a: Int32Array, at: number, b: Int32Array, from: number): boolean {
	for (let i = 0; i < WORDS; i++) if (a[at + i] !== b[from + i]) return false;
	return true;
}

interface Patcher {
	readonly store: LineStore;
	/** From where to where a list is. */
	readonly run: (from: number, to: number) => void;
}

/** Puts pages back into one memory. */
export class LinePatch {
	readonly #memory: WasmMemory;
	readonly #open: () => LineStore;
	/** From the first list on; "refused" where there can be none. */
	#patcher: Patcher | "refused" | undefined;
	#pages: Pages | undefined;
	#list: List | undefined;
	/** How often the same pages were put back without a list. */
	#copies = 0;

	/** @param open the store of the image */
	constructor(memory: WasmMemory, open: () => LineStore) {
		this.#memory = memory;
		this.#open = open;
	}

	/** @returns false when nothing was done: they are to be copied */
	restore(pages: Pages): boolean {
		if (pages !== this.#pages) {
			this.#pages = pages;
			this.#list = undefined;
			this.#copies = 0;
		}
		const list = this.#list;
		const patcher = this.#patcher;
		if (list !== undefined && typeof patcher === "object") {
			if (list.generation === patcher.store.generation) {
				patcher.run(list.from, list.to);
				return true;
			}
			this.#list = undefined;
			this.#copies = 0;
		}
		if (++this.#copies === SETTLED) this.#list = this.#add(pages);
		return false;
	}

	#add(pages: Pages): List | undefined {
		const { bytes } = pages;
		if (bytes < BOUNDS.least || bytes > BOUNDS.most) return undefined;
		const patcher = (this.#patcher ??= this.#attach());
		return patcher === "refused" ? undefined : patcher.store.add(pages, this.#memory.buffer);
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
const LOCAL = { list: 0, listEnd: 1, at: 2, code: 3, codeEnd: 4, lines: 5 } as const;
const LOCALS = 3 + BLOCK_LINES;

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
		...loadWord(LOCAL.list, 8),
		0x6a,
		...set(LOCAL.codeEnd),
		...blocks,
		...advance(LOCAL.list, 12),
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
		...section(1, [1, 0x60, 2, 0x7f, 0x7f, 0]),
		...section(2, [2, ...name(""), ...name("memory"), 2, 0, 0, ...name(""), ...name("lines"), 2, 0, 0]),
		...section(3, [1, 0]),
		...section(7, [1, ...name("patch"), 0, 0]),
		...section(10, [1, ...leb(body.length), ...body]),
	];
}
