/**
 * Which pages of a memory were written: one `PAGEMAP_SCAN` (Linux 6.7) lists exactly those that are no longer the image's.
 * @see https://docs.kernel.org/admin-guide/mm/pagemap.html
 */
import { cString, type Ffi, type LibC, O_CLOEXEC, type Pointer } from "../libc.ts";
import { type OwnedFile, ownFile } from "./owned-files.ts";
import { type FaultMethod, type PageFaults, toNumber, watchFaults } from "./page-faults.ts";

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
const PAGE_IS_WRITTEN = 1n << 1n;
const PAGE_IS_FILE = 1n << 2n;
const PAGE_IS_PRESENT = 1n << 3n;
const PAGE_IS_SWAPPED = 1n << 4n;

/** Regions that one scan reports, three words each: start, end, categories. */
const REGIONS = 128;
const REGION_WORDS = 3;

/**
 * `_IOWR(0xAA, 0x3F, struct uffdio_api)`, `_IOWR(0xAA, 0x00, struct uffdio_register)`, `_IOWR(0xAA, 0x06, struct uffdio_writeprotect)`
 * @see https://docs.kernel.org/admin-guide/mm/userfaultfd.html
 */
const UFFDIO_API = 0xc018_aa3fn;
const UFFDIO_REGISTER = 0xc020_aa00n;
const UFFDIO_WRITEPROTECT = 0xc018_aa06n;
const UFFD_API = 0xaan;
/** Write-protection of memory that is a file's; of pages that are not there yet; taken off by the kernel itself at the first write. */
const UFFD_FEATURES: bigint = (1n << 12n) | (1n << 13n) | (1n << 15n);
const UFFD_MODE_WP = 1n << 1n;
const UFFD_WRITE_PROTECT = 1n;
/** Needs no privilege: nobody handles faults, so none of the kernel's can be held up. */
const UFFD_USER_MODE_ONLY = 1n;
/** The number of the system call `userfaultfd` by `process.arch`. */
const USERFAULTFD: Readonly<Record<string, bigint>> = { x64: 323n, arm64: 282n, riscv64: 282n };

/**
 * A protected page costs 4 ns whether it is there or not; without protection only those cost (13 ns) that are there. So beyond so many
 * bytes, of which a guest mostly touches few, they are not protected.
 */
const PROTECT_LIMIT = 16 * 1024 * 1024;

/** The pages of one memory. */
export interface PageScan {
	/**
	 * Calls back for each run of pages that were written since the image was mapped, in ascending order, offsets in bytes.
	 * @returns false when the system did not say
	 */
	each(found: (from: number, to: number) => void): boolean;
	/** Page faults of this thread until now; NaN, which is not equal to itself, where they cannot be told. */
	mark(): number;
	/**
	 * Whether there was surely no fault in these pages between two marks: then none can have been written that was not written before, as
	 * only this thread writes to the memory.
	 */
	isUntouched(since: number, until: number): boolean;
	/** To be called when pages have been given back: they are the image's again. */
	forget(): void;
	/** Whether written pages can be taken for unwritten again. */
	readonly renews: boolean;
	/** From now on these pages count as written only when they are written again. Only where it `renews`. */
	renew(from: number, to: number): void;
}

/** What the system is asked for, and may refuse. */
export interface ScanMethod {
	/** The kernel is to mark pages at their first write where it can. */
	readonly protect: boolean;
	/** Pages are looked for only after page faults of this thread, where those are known. */
	readonly faults: FaultMethod;
}

/** Finds written pages; one for the process. */
export class PageScanner {
	readonly #ffi: Ffi;
	readonly #libc: LibC;
	readonly #pagemap: OwnedFile;
	readonly #userfault: OwnedFile | undefined;
	/** Low and high halves of each word: addresses as numbers, without a bigint each. */
	readonly #regions = new Uint32Array(REGIONS * REGION_WORDS * 2);
	readonly #faults: PageFaults;
	readonly #faultMethod: FaultMethod;

	/** @param arch `process.arch` */
	constructor(ffi: Ffi, libc: LibC, arch: string, { protect, faults }: ScanMethod) {
		this.#ffi = ffi;
		this.#libc = libc;
		this.#faultMethod = faults;
		const path = cString("/proc/self/pagemap");
		const pagemap = libc.open(ffi.getRawPointer(path), O_CLOEXEC);
		if (pagemap < 0) throw new Error("/proc/self/pagemap cannot be opened");
		this.#pagemap = ownFile(libc, pagemap);
		try {
			this.#faults = watchFaults(faults, ffi, libc, arch);
		} catch (error) {
			this.#pagemap[Symbol.dispose]();
			throw error;
		}
		this.#userfault = protect ? this.#openUserfault(USERFAULTFD[arch]) : undefined;
	}

	/**
	 * Whether the kernel marks pages at their first write. Then a scan looks at the page table only (4 ns a page; else 13 for each page
	 * that is there, for what it belongs to), and neighbours of a page that is read are not mapped with it.
	 */
	get protects(): boolean {
		return this.#userfault !== undefined;
	}

	get faults(): FaultMethod {
		return this.#faultMethod;
	}

	close(): void {
		this.#faults[Symbol.dispose]();
		this.#pagemap[Symbol.dispose]();
		this.#userfault?.[Symbol.dispose]();
	}

	#openUserfault(number: bigint | undefined): OwnedFile | undefined {
		if (number === undefined) return undefined;
		const fd = Number(this.#libc.syscall(number, UFFD_USER_MODE_ONLY | BigInt(O_CLOEXEC), 0n, 0n, 0n, 0n));
		if (fd < 0) return undefined;
		const api = BigUint64Array.of(UFFD_API, UFFD_FEATURES, 0n);
		if (this.#libc.ioctl(fd, UFFDIO_API, this.#ffi.getRawPointer(api)) === 0) return ownFile(this.#libc, fd);
		this.#libc.close(fd);
		return undefined;
	}

	/**
	 * @param base of a private mapping of an image, in which nothing is written yet
	 * @param isShared whether other threads may write to it
	 */
	scan(base: Pointer, length: number, isShared: boolean): PageScan {
		const size = BigInt(length);
		// What is registered has no neighbours of a page mapped with it, whether it is protected or not.
		const file = this.#userfault?.fd;
		const registered = file !== undefined && this.#register(file, base, size);
		const protect = registered && length <= PROTECT_LIMIT ? () => this.#protect(file, base, size) : undefined;
		const written = protect?.() ?? false;
		// All that a scan asks for, once for each memory: a reset makes no object.
		const words = new BigUint64Array(SCAN_WORDS);
		words[SCAN.size] = BigInt(words.byteLength);
		words[SCAN.start] = base;
		words[SCAN.end] = base + size;
		words[SCAN.vec] = this.#ffi.getRawPointer(this.#regions);
		words[SCAN.vecLength] = BigInt(REGIONS);
		words[SCAN.inverted] = written ? 0n : PAGE_IS_FILE;
		words[SCAN.mask] = written ? PAGE_IS_WRITTEN : PAGE_IS_FILE;
		words[SCAN.anyOf] = written ? 0n : PAGE_IS_PRESENT | PAGE_IS_SWAPPED;
		// Asked for alone, what was written is found on the kernel's quick path.
		words[SCAN.wanted] = written ? PAGE_IS_WRITTEN : PAGE_IS_PRESENT;
		const argument = this.#ffi.getRawPointer(words);
		// User addresses have 47 bits: exact as numbers.
		const origin = Number(base);
		const end = origin + length;
		const faults = this.#faults;
		return {
			each: (found) => this.#each(words, argument, origin, base, found),
			mark: () => (isShared ? NaN : faults.mark()),
			isUntouched: (since, until) => faults.isFree(since, until, origin, end),
			forget: () => void (written && protect?.()),
			renews: written,
			renew: (from, to) => void (written && this.#protect(file as number, base + BigInt(from), BigInt(to - from))),
		};
	}

	#register(file: number, base: Pointer, length: bigint): boolean {
		const words = BigUint64Array.of(base, length, UFFD_MODE_WP, 0n);
		return this.#libc.ioctl(file, UFFDIO_REGISTER, this.#ffi.getRawPointer(words)) === 0;
	}

	/** A page that this fails to mark counts as written: slower, never wrong. */
	#protect(file: number, base: Pointer, length: bigint): boolean {
		const words = BigUint64Array.of(base, length, UFFD_WRITE_PROTECT);
		return this.#libc.ioctl(file, UFFDIO_WRITEPROTECT, this.#ffi.getRawPointer(words)) === 0;
	}

	#each(
		words: BigUint64Array,
		argument: Pointer,
		origin: number,
		base: Pointer,
		found: (from: number, to: number) => void,
	): boolean {
		const regions = this.#regions;
		for (;;) {
			const count = this.#libc.ioctl(this.#pagemap.fd, PAGEMAP_SCAN, argument);
			if (count < 0) return false;
			for (let i = 0; i < count; i++) {
				const word = i * REGION_WORDS * 2;
				found(toNumber(regions, word) - origin, toNumber(regions, word + 2) - origin);
			}
			// With room to spare, it went to the end.
			if (count < REGIONS) break;
			words[SCAN.start] = words[SCAN.walkEnd] as bigint;
			if (words[SCAN.start] === words[SCAN.end]) break;
		}
		if (words[SCAN.start] !== base) words[SCAN.start] = base;
		return true;
	}
}
