/**
 * Copy-on-write memory on Linux, through `node:ffi`: the image is a memfd, mapped privately over V8's memory. After a call exactly the
 * pages that were written are copied back and stay resident, so that the pages which every call dirties cost no page fault.
 */
import {
	cString,
	type Ffi,
	type FfiProcess,
	type LibC,
	MADV_COLLAPSE,
	MADV_DONTNEED,
	MADV_HUGEPAGE,
	MAP_PRIVATE_FIXED,
	MFD_CLOEXEC,
	openLibC,
	PROT_NONE,
	PROT_READ_WRITE,
	withFfi,
} from "../libc.ts";
import { LinePatch, LineStore } from "./line-patch.ts";
import { Mapping } from "./mapping.ts";
import { ImagePages, NO_DELTA } from "./page-delta.ts";
import { type OwnedFile, ownFile } from "./owned-files.ts";
import { PageScanner, type ScanMethod } from "./page-scan.ts";
import type { MappedPages, PageImage, PageMapper } from "./pages.ts";
import { catchesFaults } from "../v8/trap-handler.ts";
import { webAssembly, type WasmMemory } from "../v8/v8.ts";

interface HostProcess extends FfiProcess {
	readonly platform: string;
	readonly arch: string;
	once(event: "exit", listener: () => void): unknown;
}

const AFTER = { listed: " after page faults in them", counted: " after page faults", unknown: "" } as const;
const HUGE_PAGE = 2n * 1024n * 1024n;

let tried: PageMapper | string | undefined;

/** The mapper of this machine, or why there is none. Tried once, with a real page: what it needs is either there or not. */
export function createLinuxPageMapper(): PageMapper | string {
	if (tried !== undefined) return tried;
	tried = tryPageMapper();
	// What a thread has open outlives it, but for what `ownFile` closes with it.
	if (tried instanceof LinuxPageMapper)
		(globalThis as unknown as { process: HostProcess }).process.once("exit", tried.end);
	return tried;
}

/** From the quickest to the one that needs least of the system. */
const METHODS: readonly ScanMethod[] = [
	{ protect: true, faults: "listed" },
	{ protect: true, faults: "counted" },
	{ protect: true, faults: "unknown" },
	{ protect: false, faults: "listed" },
	{ protect: false, faults: "counted" },
	{ protect: false, faults: "unknown" },
];

/** @param methods in this order; the first that works */
export function tryPageMapper(methods: readonly ScanMethod[] = METHODS): PageMapper | string {
	const { process } = globalThis as { process?: HostProcess };
	if (process?.platform !== "linux") return "copy-on-write memory needs Linux";
	if (!catchesFaults()) return "V8's trap handler is off, as where address space is limited (ulimit -v)";
	try {
		return withFfi(process, (ffi) => {
			if (ffi === undefined) return "node:ffi is missing";
			for (const method of methods) {
				const mapper = tryMethod(ffi, process.arch, method);
				if (mapper !== undefined) return mapper;
			}
			return "PAGEMAP_SCAN does not find dirty pages (Linux before 6.7?)";
		});
	} catch (error) {
		return error instanceof Error ? error.message : String(error);
	}
}

function tryMethod(ffi: Ffi, arch: string, method: ScanMethod): PageMapper | undefined {
	let mapper: LinuxPageMapper;
	try {
		mapper = new LinuxPageMapper(ffi, arch, method);
	} catch (error) {
		// Whether another one is possible is seen with the last, which needs least.
		if (method === METHODS.at(-1)) throw error;
		return undefined;
	}
	if (mapper.selfTest() === undefined) return mapper;
	mapper.close();
	return undefined;
}

class LinuxPageMapper implements PageMapper {
	readonly pageSize: number;
	readonly #ffi: Ffi;
	readonly #libc: LibC;
	readonly #scanner: PageScanner;
	/** Images that are open. */
	readonly #images = new Set<OwnedFile>();
	/** Closes images that nobody disposes of: components of an embedder just go out of scope. Mappings of them stay valid. */
	readonly #forgotten = new FinalizationRegistry<OwnedFile>((file) => this.#closeImage(file));

	constructor(ffi: Ffi, arch: string, method: ScanMethod) {
		this.#ffi = ffi;
		this.#libc = openLibC(ffi);
		this.pageSize = this.#libc.getpagesize();
		this.#scanner = new PageScanner(ffi, this.#libc, arch, method);
	}

	get method(): string {
		const { faults, protects } = this.#scanner;
		return `PAGEMAP_SCAN${protects ? " of write-protected pages" : ""}${AFTER[faults]}`;
	}

	close(): void {
		this.#scanner.close();
	}

	/** All that is open is closed; for when the thread ends. */
	readonly end = (): void => {
		this.close();
		for (const file of this.#images) this.#closeImage(file);
	};

	#closeImage(file: OwnedFile): void {
		this.#images.delete(file);
		file[Symbol.dispose]();
	}

	/** Why exact restoring does not work here, found by doing it: unread, read and written pages, twice. */
	selfTest(): string | undefined {
		const pages = 4;
		const bytes = new Uint8Array(pages * this.pageSize).fill(7);
		using image = this.createImage(bytes);
		const memory = new (webAssembly().Memory)({ initial: 1 });
		const view = new Uint8Array(memory.buffer, 0, bytes.length);
		const mapped = image.map(memory);
		for (const page of [1, 2]) {
			view[page * this.pageSize] = (view[3 * this.pageSize] as number) + 1;
			// The page of the first round is known by the second.
			if (mapped.restore(NO_DELTA) !== page * this.pageSize) return "dirty pages are not found";
			if (!view.every((byte) => byte === 7)) return "dirty pages are not restored";
		}
		return undefined;
	}

	protect(buffer: ArrayBufferLike, from: number, to: number): boolean {
		const [base, length] = this.#range(buffer, from, to);
		// The pages go at once: nobody will see what is in them.
		return this.#libc.mprotect(base, length, PROT_NONE) === 0 && this.#libc.madvise(base, length, MADV_DONTNEED) === 0;
	}

	unprotect(buffer: ArrayBufferLike, from: number, to: number): boolean {
		return this.#libc.mprotect(...this.#range(buffer, from, to), PROT_READ_WRITE) === 0;
	}

	#range(buffer: ArrayBufferLike, from: number, to: number): [base: bigint, length: bigint] {
		return [this.#ffi.getRawPointer(buffer) + BigInt(from), BigInt(to - from)];
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
		this.#joinPages(bytes);
		const file = ownFile(libc, fd);
		this.#images.add(file);
		let lines: LineStore | undefined;
		const pages = new ImagePages(bytes);
		const made: PageImage = {
			map: (memory) => this.#map(memory, file.fd, pages, () => (lines ??= new LineStore())),
			[Symbol.dispose]: () => {
				this.#forgotten.unregister(made);
				this.#closeImage(file);
			},
		};
		this.#forgotten.register(made, file, made);
		return made;
	}

	/** Copying single pages out of large ones is a tenth quicker: fewer addresses to look up. Nothing is lost where it is refused. */
	#joinPages(bytes: Uint8Array): void {
		const start = this.#ffi.getRawPointer(bytes);
		const from = BigInt.asUintN(64, (start + HUGE_PAGE - 1n) & -HUGE_PAGE);
		const to = BigInt.asUintN(64, (start + BigInt(bytes.length)) & -HUGE_PAGE);
		if (from >= to) return;
		if (this.#libc.madvise(from, to - from, MADV_HUGEPAGE) === 0) this.#libc.madvise(from, to - from, MADV_COLLAPSE);
	}

	#map(mapped: WasmMemory, fd: number, pages: ImagePages, lines: () => LineStore): MappedPages {
		const { buffer } = mapped;
		const base = this.#ffi.getRawPointer(buffer);
		const length = BigInt(pages.image.length);
		if (this.#libc.mmap(base, length, PROT_READ_WRITE, MAP_PRIVATE_FIXED, fd, 0n) !== base) {
			throw new Error("mmap refused the image");
		}
		const memory = new Uint8Array(buffer, 0, pages.image.length);
		const isShared = !(buffer instanceof ArrayBuffer);
		const drop = (): boolean => this.#libc.madvise(base, length, MADV_DONTNEED) === 0;
		const patch = new LinePatch(mapped, memory, lines);
		return new Mapping(memory, pages, this.#scanner.scan(base, memory.length, isShared), this.pageSize, drop, patch);
	}
}
