/**
 * Page faults of this thread. A page is written for the first time in a fault, so where there was none, no page was written that had
 * not been written before: then nobody needs to look for such pages.
 * @see https://man7.org/linux/man-pages/man2/perf_event_open.2.html
 */
import { type Ffi, type LibC, MAP_SHARED, type Pointer, PROT_READ } from "../libc.ts";
import { type OwnedFile, ownFile } from "./owned-files.ts";

/** How faults are known: each with its address, in memory; as a number, from the system; or not at all. */
export type FaultMethod = "listed" | "counted" | "unknown";

export interface PageFaults extends Disposable {
	/** Until now. NaN, which is not equal to itself, where it cannot be told. */
	mark(): number;
	/** Whether there was surely no fault at these addresses between two marks. */
	isFree(since: number, until: number, from: number, to: number): boolean;
}

/** @throws Error where the system refuses */
export function watchFaults(method: FaultMethod, ffi: Ffi, libc: LibC, arch: string): PageFaults {
	if (method === "listed") return new FaultRing(ffi, libc, arch);
	return method === "counted" ? countFaults(ffi, libc) : UNKNOWN;
}

const UNKNOWN: PageFaults = { mark: () => NaN, isFree: () => false, [Symbol.dispose]() {} };

/** `RUSAGE_THREAD`, and two of the 18 words of `struct rusage`: faults without and with reading from disk. */
const RUSAGE_THREAD = 1;
const RUSAGE_WORDS = 18;
const MINOR_FAULTS = 8;
const MAJOR_FAULTS = 9;

/** A system call for each mark: some 5 µs where a guest has emptied the caches. */
function countFaults(ffi: Ffi, libc: LibC): PageFaults {
	const usage = new Uint32Array(RUSAGE_WORDS * 2);
	const pointer = ffi.getRawPointer(usage);
	return {
		mark: () =>
			libc.getrusage(RUSAGE_THREAD, pointer) === 0
				? toNumber(usage, MINOR_FAULTS * 2) + toNumber(usage, MAJOR_FAULTS * 2)
				: NaN,
		isFree: (since, until) => since === until,
		[Symbol.dispose]() {},
	};
}

/** The number of the system call `perf_event_open` by `process.arch`. */
const PERF_EVENT_OPEN: Readonly<Record<string, bigint>> = { x64: 298n, arm64: 241n, riscv64: 241n };
const PERF_FLAG_FD_CLOEXEC = 8n;
/** `struct perf_event_attr`, its first version, by byte: software event, size, page faults, each one, its address alone. */
const ATTR_BYTES = 64;
const ATTR = { type: 0, size: 4, config: 8, period: 16, sampleType: 24, flags: 40 } as const;
const PERF_TYPE_SOFTWARE = 1;
const PERF_COUNT_SW_PAGE_FAULTS = 2;
const PERF_SAMPLE_ADDR = 1 << 3;
const EXCLUDE_KERNEL = 1 << 5;

/** `struct perf_event_mmap_page`, by 32-bit word: how many bytes were ever written, where they are from, and for how many is room. */
const RING = { head: 256, offset: 260, size: 262 } as const;
/** Pages for records, 16 bytes each; a power of two. */
const RING_PAGES = 4;
const RECORD_WORDS = 4;
/** The header of a record has its kind in the first word and its size in the upper half of the second. */
const PERF_RECORD_SAMPLE = 9;
/** From here on faults are left out: written just before the last one that is not. */
const PERF_RECORD_THROTTLE = 5;
const THROTTLE_WORDS = 8;
const SIZE_SHIFT = 16;

/**
 * The kernel writes down the address of each fault where this process can read it, the last over the first. Read only, so that it never
 * waits for a reader.
 */
class FaultRing implements PageFaults {
	readonly #file: OwnedFile;
	readonly #words: Uint32Array;
	readonly #first: number;
	/** Bytes. */
	readonly #size: number;
	#head: number;
	/** `#head`, or NaN where faults after it may have been left out. */
	#mark: number;

	constructor(ffi: Ffi, libc: LibC, arch: string) {
		// That the kernel itself writes to a page is a fault as well, but only the privileged may see that: no system call is given any.
		let fd = openEvent(ffi, libc, arch, 0);
		if (fd < 0) fd = openEvent(ffi, libc, arch, EXCLUDE_KERNEL);
		if (fd < 0) throw new Error("page faults cannot be listed");
		this.#file = ownFile(libc, fd);
		const page = libc.getpagesize();
		const length = page * (1 + RING_PAGES);
		const at = libc.mmap(0n, BigInt(length), PROT_READ, MAP_SHARED, this.#file.fd, 0n);
		if (BigInt.asIntN(64, at) === -1n) {
			this.#file[Symbol.dispose]();
			throw new Error("the list of page faults cannot be mapped");
		}
		this.#words = new Uint32Array(ffi.toArrayBuffer(at, length, false));
		this.#first = toNumber(this.#words, RING.offset) / 4;
		this.#size = toNumber(this.#words, RING.size);
		this.#head = toNumber(this.#words, RING.head);
		this.#mark = this.#head;
	}

	mark(): number {
		const head = toNumber(this.#words, RING.head);
		if (head === this.#head) return this.#mark;
		this.#head = head;
		return (this.#mark = this.#mayLeaveOut(head) ? NaN : head);
	}

	/** With each fault a sample of its own the kernel has no reason to; but it says so if it does. */
	#mayLeaveOut(head: number): boolean {
		const last = head - RECORD_WORDS * 4;
		if (this.#bytesOfFault(last) === 0) return true;
		const before = last - THROTTLE_WORDS * 4;
		return before >= 0 && this.#words[this.#wordAt(before)] === PERF_RECORD_THROTTLE;
	}

	isFree(since: number, until: number, from: number, to: number): boolean {
		if (since === until) return true;
		// The oldest may be gone; and so NaN.
		if (!(until - since <= this.#size)) return false;
		for (let at = since; at < until;) {
			const bytes = this.#bytesOfFault(at);
			if (bytes === 0) return false;
			const address = toNumber(this.#words, this.#wordAt(at) + 2);
			if (address >= from && address < to) return false;
			at += bytes;
		}
		// This function's own faults, too, are written over the oldest.
		return toNumber(this.#words, RING.head) - since <= this.#size;
	}

	/** 0 where there is something else: faults may be missing. */
	#bytesOfFault(at: number): number {
		const word = this.#wordAt(at);
		const size = (this.#words[word + 1] as number) >>> SIZE_SHIFT;
		return this.#words[word] === PERF_RECORD_SAMPLE && size === RECORD_WORDS * 4 ? size : 0;
	}

	#wordAt(at: number): number {
		return this.#first + (at % this.#size) / 4;
	}

	[Symbol.dispose](): void {
		this.#file[Symbol.dispose]();
	}
}

/** Of the calling thread; negative where it is refused. */
function openEvent(ffi: Ffi, libc: LibC, arch: string, flags: number): number {
	const number = PERF_EVENT_OPEN[arch];
	if (number === undefined) return -1;
	const bytes = new Uint8Array(ATTR_BYTES);
	const attr = new DataView(bytes.buffer);
	const isLittle = true;
	attr.setUint32(ATTR.type, PERF_TYPE_SOFTWARE, isLittle);
	attr.setUint32(ATTR.size, ATTR_BYTES, isLittle);
	attr.setUint32(ATTR.config, PERF_COUNT_SW_PAGE_FAULTS, isLittle);
	attr.setUint32(ATTR.period, 1, isLittle);
	attr.setUint32(ATTR.sampleType, PERF_SAMPLE_ADDR, isLittle);
	attr.setUint32(ATTR.flags, flags, isLittle);
	const pointer: Pointer = ffi.getRawPointer(bytes);
	return Number(libc.syscall(number, pointer, 0n, -1n, -1n, PERF_FLAG_FD_CLOEXEC));
}

/** Numbers of up to 53 bits: user addresses have 47, and a counter of bytes grows for ever. */
export function toNumber(words: Uint32Array, at: number): number {
	return (words[at + 1] as number) * 0x1_0000_0000 + (words[at] as number);
}
