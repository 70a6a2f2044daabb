/** The few functions of libc that own a memory's pages, through `node:ffi`. */

/** An address. */
export type Pointer = bigint;

type SystemCallArguments = [first: bigint, second: bigint, third: bigint, fourth: bigint, fifth: bigint];

export interface LibC {
	memfd_create(name: Pointer, flags: number): number;
	pwrite(fd: number, bytes: Pointer, length: bigint, offset: bigint): bigint;
	ftruncate(fd: number, length: bigint): number;
	mmap(at: Pointer, length: bigint, protection: number, flags: number, fd: number, offset: bigint): Pointer;
	mprotect(at: Pointer, length: bigint, protection: number): number;
	madvise(at: Pointer, length: bigint, advice: number): number;
	open(path: Pointer, flags: number): number;
	close(fd: number): number;
	dup3(from: number, to: number, flags: number): number;
	ioctl(fd: number, request: bigint, argument: Pointer): number;
	syscall(number: bigint, ...five: SystemCallArguments): bigint;
	getpagesize(): number;
	getrusage(who: number, usage: Pointer): number;
}

export interface Ffi {
	dlopen(path: null, functions: Record<string, { arguments: string[]; return: string }>): { functions: unknown };
	getRawPointer(of: ArrayBufferLike | ArrayBufferView): Pointer;
	/** @param copy false for the very bytes that are there, as long as they are mapped */
	toArrayBuffer(at: Pointer, length: number, copy: boolean): ArrayBuffer;
}

export interface FfiProcess {
	getBuiltinModule?: (name: string) => unknown;
	emitWarning: (...args: unknown[]) => void;
}

/** `use` with `node:ffi`, if it is there. It is used on purpose, and done without where it fails: that it is experimental is nothing to tell every user. */
export function withFfi<T>(process: FfiProcess, use: (ffi: Ffi | undefined) => T): T {
	const { emitWarning } = process;
	process.emitWarning = () => {};
	try {
		return use(process.getBuiltinModule?.("node:ffi") as Ffi | undefined);
	} finally {
		process.emitWarning = emitWarning;
	}
}

export const MFD_CLOEXEC = 1;
export const O_CLOEXEC = 0o2000000;
export const PROT_NONE = 0;
export const PROT_READ = 1;
export const PROT_READ_WRITE = 3;
export const MAP_SHARED = 0x01;
export const MAP_PRIVATE_FIXED: number = 0x02 | 0x10;
export const MADV_DONTNEED = 4;
export const MADV_HUGEPAGE = 14;
/** Linux 6.1 */
export const MADV_COLLAPSE = 25;

const SIGNATURES: Readonly<Record<keyof LibC, { arguments: string[]; return: string }>> = {
	memfd_create: { arguments: ["pointer", "u32"], return: "i32" },
	pwrite: { arguments: ["i32", "pointer", "u64", "i64"], return: "i64" },
	ftruncate: { arguments: ["i32", "i64"], return: "i32" },
	mmap: { arguments: ["pointer", "u64", "i32", "i32", "i32", "i64"], return: "pointer" },
	mprotect: { arguments: ["pointer", "u64", "i32"], return: "i32" },
	madvise: { arguments: ["pointer", "u64", "i32"], return: "i32" },
	open: { arguments: ["pointer", "i32"], return: "i32" },
	close: { arguments: ["i32"], return: "i32" },
	dup3: { arguments: ["i32", "i32", "i32"], return: "i32" },
	ioctl: { arguments: ["i32", "u64", "pointer"], return: "i32" },
	syscall: { arguments: ["i64", "i64", "i64", "i64", "i64", "i64"], return: "i64" },
	getpagesize: { arguments: [], return: "i32" },
	getrusage: { arguments: ["i32", "pointer"], return: "i32" },
};

let opened: LibC | undefined;

/** For all who use it on this thread: to open it takes more than a millisecond. */
export function openLibC(ffi: Ffi): LibC {
	return (opened ??= ffi.dlopen(null, SIGNATURES).functions as LibC);
}

/** As C wants it, to be kept alive during the call. */
export function cString(text: string): Uint8Array {
	return new TextEncoder().encode(`${text}\0`);
}
