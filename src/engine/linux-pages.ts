/**
 * Copy-on-write memory on Linux, through `node:ffi`: the image is a memfd, mapped privately over V8's memory. After a call one
 * `PAGEMAP_SCAN` (Linux 6.7) lists exactly the pages that are no longer the file's; they are copied back and stay resident, so that
 * the pages which every call dirties cost no page fault.
 * @see https://docs.kernel.org/admin-guide/mm/pagemap.html
 */
import { type MappedPages, type PageImage, type PageMapper, RESIDENT_LIMIT } from "./pages.ts";
import { webAssembly } from "./v8.ts";

type Pointer = bigint;

interface LibC {
	memfd_create(name: Pointer, flags: number): number;
	pwrite(fd: number, bytes: Pointer, length: bigint, offset: bigint): bigint;
	ftruncate(fd: number, length: bigint): number;
	mmap(at: Pointer, length: bigint, protection: number, flags: number, fd: number, offset: bigint): Pointer;
	madvise(at: Pointer, length: bigint, advice: number): number;
	open(path: Pointer, flags: number): number;
	close(fd: number): number;
	ioctl(fd: number, request: bigint, argument: Pointer): number;
	getpagesize(): number;
}

interface Ffi {
	dlopen(path: null, functions: Record<string, { arguments: string[]; return: string }>): { functions: unknown };
	getRawPointer(of: ArrayBufferLike | ArrayBufferView): Pointer;
}

const SIGNATURES = {
	memfd_create: { arguments: ["pointer", "u32"], return: "i32" },
	pwrite: { arguments: ["i32", "pointer", "u64", "i64"], return: "i64" },
	ftruncate: { arguments: ["i32", "i64"], return: "i32" },
	mmap: { arguments: ["pointer", "u64", "i32", "i32", "i32", "i64"], return: "pointer" },
	madvise: { arguments: ["pointer", "u64", "i32"], return: "i32" },
	open: { arguments: ["pointer", "i32"], return: "i32" },
	close: { arguments: ["i32"], return: "i32" },
	ioctl: { arguments: ["i32", "u64", "pointer"], return: "i32" },
	getpagesize: { arguments: [], return: "i32" },
};

const MFD_CLOEXEC = 1;
const O_CLOEXEC = 0o2000000;
const PROT_READ_WRITE = 3;
const MAP_PRIVATE_FIXED = 0x02 | 0x10;
const MADV_DONTNEED = 4;

/** `_IOWR('f', 16, struct pm_scan_arg)`; the structure has 12 words of 64 bits. */
const PAGEMAP_SCAN = 0xc060_6610n;
const SCAN = {
	size: 0,
	flags: 1,
	start: 2,
	end: 3,
	walkEnd: 4,
	vec: 5,
	vecLength: 6,
	maxPages: 7,
	inverted: 8,
	mask: 9,
	anyOf: 10,
	wanted: 11,
} as const;
const SCAN_WORDS = 12;
const PAGE_IS_FILE = 1n << 2n;
const PAGE_IS_PRESENT = 1n << 3n;
const PAGE_IS_SWAPPED = 1n << 4n;
/** Regions that one scan reports: three words each (start, end, categories). */
const REGIONS = 1024;
const REGION_WORDS = 3;

/** The argument of `PAGEMAP_SCAN` for one memory. */
interface Scan {
	readonly words: BigUint64Array;
	readonly pointer: Pointer;
	readonly base: Pointer;
	/** `base` as a number: addresses have 47 bits. */
	readonly origin: number;
}

interface HostProcess {
	readonly platform: string;
	getBuiltinModule?: (name: string) => unknown;
	emitWarning: (...args: unknown[]) => void;
}

let tried: PageMapper | string | undefined;

/** The mapper of this machine, or why there is none. Tried once, with a real page: what it needs is either there or not. */
export function createLinuxPageMapper(): PageMapper | string {
	return (tried ??= tryPageMapper((globalThis as { process?: HostProcess }).process));
}

function tryPageMapper(process: HostProcess | undefined): PageMapper | string {
	if (process?.platform !== "linux") return "copy-on-write memory needs Linux";
	// It is used on purpose, and does without where it fails: that `node:ffi` is experimental is nothing to tell every user.
	const { emitWarning } = process;
	process.emitWarning = () => {};
	try {
		const ffi = process.getBuiltinModule?.("node:ffi") as Ffi | undefined;
		if (ffi === undefined) return "node:ffi is missing";
		const mapper = new LinuxPageMapper(ffi);
		return mapper.selfTest() ?? mapper;
	} catch (error) {
		return error instanceof Error ? error.message : String(error);
	} finally {
		process.emitWarning = emitWarning;
	}
}

function cString(text: string): Uint8Array {
	return new TextEncoder().encode(`${text}\0`);
}

class LinuxPageMapper implements PageMapper {
	readonly pageSize: number;
	readonly #ffi: Ffi;
	readonly #libc: LibC;
	readonly #pagemap: number;
	/** Closes images that nobody disposes of: components of an embedder just go out of scope. Mappings of them stay valid. */
	readonly #forgotten = new FinalizationRegistry<number>((fd) => void this.#libc.close(fd));
	/** Low and high halves of each word: addresses as numbers, without a bigint each. */
	readonly #regions = new Uint32Array(REGIONS * REGION_WORDS * 2);

	constructor(ffi: Ffi) {
		this.#ffi = ffi;
		this.#libc = ffi.dlopen(null, SIGNATURES).functions as LibC;
		this.pageSize = this.#libc.getpagesize();
		const path = cString("/proc/self/pagemap");
		this.#pagemap = this.#libc.open(ffi.getRawPointer(path), O_CLOEXEC);
		if (this.#pagemap < 0) throw new Error("/proc/self/pagemap cannot be opened");
	}

	/** Why exact restoring does not work here, found by doing it once. */
	selfTest(): string | undefined {
		const pages = 4;
		const bytes = new Uint8Array(pages * this.pageSize).fill(7);
		using image = this.createImage(bytes);
		const { buffer } = new (webAssembly().Memory)({ initial: 1 });
		const view = new Uint8Array(buffer, 0, bytes.length);
		const mapped = image.map(buffer);
		view[this.pageSize] = 9;
		if (mapped.restore() !== this.pageSize) return "PAGEMAP_SCAN does not find dirty pages (Linux before 6.7?)";
		return view.every((byte) => byte === 7) ? undefined : "copy-on-write memory does not restore";
	}

	createImage(bytes: Uint8Array): PageImage {
		const libc = this.#libc;
		const name = cString("skerry-image");
		const fd = libc.memfd_create(this.#ffi.getRawPointer(name), MFD_CLOEXEC);
		if (fd < 0) throw new Error("memfd_create failed");
		const length = BigInt(bytes.length);
		const written =
			libc.ftruncate(fd, length) === 0 ? libc.pwrite(fd, this.#ffi.getRawPointer(bytes), length, 0n) : -1n;
		if (written !== length) {
			libc.close(fd);
			throw new Error("the image cannot be written: out of memory?");
		}
		let open = true;
		const made: PageImage = {
			map: (buffer) => this.#map(buffer, fd, bytes),
			[Symbol.dispose]: () => {
				if (!open) return;
				open = false;
				this.#forgotten.unregister(made);
				libc.close(fd);
			},
		};
		this.#forgotten.register(made, fd, made);
		return made;
	}

	#map(buffer: ArrayBufferLike, fd: number, image: Uint8Array): MappedPages {
		const base = this.#ffi.getRawPointer(buffer);
		const length = BigInt(image.length);
		if (this.#libc.mmap(base, length, PROT_READ_WRITE, MAP_PRIVATE_FIXED, fd, 0n) !== base) {
			throw new Error("mmap refused the image");
		}
		// All that a scan asks for, once for each memory: a reset makes no object.
		const words = new BigUint64Array(SCAN_WORDS);
		words[SCAN.size] = BigInt(words.byteLength);
		words[SCAN.start] = base;
		words[SCAN.end] = base + length;
		words[SCAN.vec] = this.#ffi.getRawPointer(this.#regions);
		words[SCAN.vecLength] = BigInt(REGIONS);
		words[SCAN.inverted] = PAGE_IS_FILE;
		words[SCAN.mask] = PAGE_IS_FILE;
		words[SCAN.anyOf] = PAGE_IS_PRESENT | PAGE_IS_SWAPPED;
		words[SCAN.wanted] = PAGE_IS_PRESENT;
		const scan: Scan = { words, pointer: this.#ffi.getRawPointer(words), base, origin: Number(base) };
		const memory = new Uint8Array(buffer, 0, image.length);
		return { restore: () => this.#restore(scan, memory, image) };
	}

	#restore({ words, pointer, base, origin }: Scan, memory: Uint8Array, image: Uint8Array): number | undefined {
		const libc = this.#libc;
		let restored = 0;
		for (;;) {
			const count = libc.ioctl(this.#pagemap, PAGEMAP_SCAN, pointer);
			if (count < 0) return undefined;
			restored += this.#copyBack(count, origin, memory, image);
			// With room to spare, it went to the end.
			if (count < REGIONS) break;
			words[SCAN.start] = words[SCAN.walkEnd] as bigint;
			if (words[SCAN.start] === words[SCAN.end]) break;
		}
		if (words[SCAN.start] !== base) words[SCAN.start] = base;
		// A call that dirtied far more than others do: give the pages back rather than copy them each time.
		if (restored > RESIDENT_LIMIT * this.pageSize) libc.madvise(base, BigInt(image.length), MADV_DONTNEED);
		return restored;
	}

	#copyBack(count: number, origin: number, memory: Uint8Array, image: Uint8Array): number {
		const regions = this.#regions;
		let restored = 0;
		for (let i = 0; i < count; i++) {
			const word = i * REGION_WORDS * 2;
			const from = address(regions, word) - origin;
			const to = address(regions, word + 2) - origin;
			memory.set(image.subarray(from, to), from);
			restored += to - from;
		}
		return restored;
	}
}

/** User addresses have 47 bits: exact as numbers. */
function address(words: Uint32Array, at: number): number {
	return (words[at + 1] as number) * 0x1_0000_0000 + (words[at] as number);
}
