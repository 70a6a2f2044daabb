import { type CoreHostFunction, viewOf } from "../../link/mod.ts";
import type { FileStatus, FileTimes, OpenFile } from "../../sys/mod.ts";
import type { WasiContext } from "../context.ts";
import { readClock } from "./clock.ts";
import { CLOCK, FD_FLAG, FILE_TYPE, RIGHT, STREAM_RIGHTS, TIME_FLAG } from "./constants.ts";
import type { Descriptor } from "./descriptors.ts";
import { Errno } from "./errno.ts";
import { type P1, p1Function } from "./state.ts";

const KINDS: Readonly<Record<FileStatus["kind"], number>> = {
	file: FILE_TYPE.regularFile,
	folder: FILE_TYPE.directory,
	link: FILE_TYPE.symbolicLink,
	device: FILE_TYPE.unknown,
	other: FILE_TYPE.unknown,
};

export function fileTypeOf(kind: FileStatus["kind"]): number {
	return KINDS[kind];
}

/** A stream has the type of a device only where a terminal is behind it: C libraries tell terminals by that. */
const streamType = (terminal: boolean): number => (terminal ? FILE_TYPE.characterDevice : FILE_TYPE.unknown);

/** Bytes of a `filestat`. */
const FILESTAT_SIZE = 64;

/** `filestat`: device, inode, type, links, size and three times, of 8 bytes each. */
export function writeFilestat({ memory }: P1, at: number, status: FileStatus): void {
	viewOf(memory, at, FILESTAT_SIZE).fill(0);
	const base = at >>> 0;
	memory.setU64(base, status.device);
	memory.setU64(base + 8, status.inode);
	memory.setU8(base + 16, fileTypeOf(status.kind));
	memory.setU64(base + 24, status.links);
	memory.setU64(base + 32, status.size);
	memory.setU64(base + 40, status.accessed);
	memory.setU64(base + 48, status.modified);
	memory.setU64(base + 56, status.changed);
}

/** What `fstflags` and two times ask for. */
export function toTimes({ context }: P1, accessed: bigint, modified: bigint, flags: number): FileTimes {
	const now = (): bigint => readClock(context, CLOCK.realtime);
	const pick = (time: bigint, set: number, setNow: number): bigint | undefined => {
		if ((flags & set) !== 0 && (flags & setNow) !== 0) throw new Errno("inval");
		if ((flags & setNow) !== 0) return now();
		return (flags & set) === 0 ? undefined : BigInt.asUintN(64, time);
	};
	return {
		accessed: pick(accessed, TIME_FLAG.accessed, TIME_FLAG.accessedNow),
		modified: pick(modified, TIME_FLAG.modified, TIME_FLAG.modifiedNow),
	};
}

/** The file behind a descriptor, if it may be used so. */
export function fileWith({ descriptors }: P1, fd: number, right: bigint): Extract<Descriptor, { kind: "file" }> {
	const found = descriptors.ofKind(fd, "file", "badf");
	if ((found.rights & right) === 0n) throw new Errno("badf");
	return found;
}

function writeFdstat({ memory }: P1, at: number, descriptor: Descriptor): void {
	let type: number = FILE_TYPE.directory;
	let flags = 0;
	let rights = 0n;
	let inheriting = 0n;
	if (descriptor.kind === "source" || descriptor.kind === "sink") {
		type = streamType(descriptor.terminal);
		rights = STREAM_RIGHTS | (descriptor.kind === "source" ? RIGHT.fdRead : RIGHT.fdWrite);
	} else {
		({ rights, inheriting } = descriptor);
		if (descriptor.kind === "file") {
			type = FILE_TYPE.regularFile;
			if (descriptor.append) flags |= FD_FLAG.append;
		}
	}
	viewOf(memory, at, 24).fill(0);
	const base = at >>> 0;
	memory.setU8(base, type);
	memory.setU16(base + 2, flags);
	memory.setU64(base + 8, rights);
	memory.setU64(base + 16, inheriting);
}

function syncWith(dataOnly: boolean, right: bigint): CoreHostFunction<WasiContext> {
	return p1Function("i32", (p1, fd: number) => {
		// What a folder or a stream holds is nothing that could be lost.
		if (p1.descriptors.get(fd).kind === "file") fileWith(p1, fd, right).file.sync(dataOnly);
	});
}

/** Offsets beyond are no offsets of a file on any system, nor numbers that JavaScript has. */
const LARGEST_FILE = BigInt(Number.MAX_SAFE_INTEGER);

function resize(file: OpenFile, size: bigint): void {
	const wanted = BigInt.asUintN(64, size);
	if (wanted > LARGEST_FILE) throw new Errno("fbig");
	file.resize(wanted);
}

/** What is asked of descriptors, whatever they stand for. */
export const FD: Readonly<Record<string, CoreHostFunction<WasiContext>>> = {
	fd_close: p1Function("i32", ({ descriptors }, fd: number) => descriptors.close(fd)),
	fd_renumber: p1Function("i32 i32", ({ descriptors }, from: number, to: number) => descriptors.renumber(from, to)),
	fd_fdstat_get: p1Function("i32 i32", (p1, fd: number, result: number) =>
		writeFdstat(p1, result, p1.descriptors.get(fd)),
	),
	fd_fdstat_set_flags: p1Function("i32 i32", ({ descriptors }, fd: number, flags: number) => {
		const found = descriptors.get(fd);
		if ((flags & ~(FD_FLAG.append | FD_FLAG.nonblock)) !== 0) throw new Errno("notsup");
		const append = (flags & FD_FLAG.append) !== 0;
		if (found.kind !== "file" || found.append === append) return;
		// The system was told when it was opened.
		if (found.append) throw new Errno("notsup");
		found.append = true;
	}),
	fd_fdstat_set_rights: p1Function("i32 i64 i64", ({ descriptors }, fd: number, base: bigint, inherits: bigint) => {
		const found = descriptors.get(fd);
		const rights = BigInt.asUintN(64, base);
		const inheriting = BigInt.asUintN(64, inherits);
		if (found.kind === "source" || found.kind === "sink") throw new Errno("notsup");
		// They can only be given up.
		if ((rights & ~found.rights) !== 0n || (inheriting & ~found.inheriting) !== 0n) throw new Errno("notcapable");
		found.rights = rights;
		found.inheriting = inheriting;
	}),
	fd_filestat_get: p1Function("i32 i32", (p1, fd: number, result: number) => {
		const found = p1.descriptors.get(fd);
		if (found.kind === "file") return writeFilestat(p1, result, found.file.status());
		if (found.kind === "folder") return writeFilestat(p1, result, found.folder.status());
		viewOf(p1.memory, result, FILESTAT_SIZE).fill(0);
		p1.memory.setU8((result >>> 0) + 16, streamType(found.terminal));
	}),
	fd_filestat_set_size: p1Function("i32 i64", (p1, fd: number, size: bigint) =>
		resize(fileWith(p1, fd, RIGHT.fdFilestatSetSize).file, size),
	),
	fd_filestat_set_times: p1Function(
		"i32 i64 i64 i32",
		(p1, fd: number, accessed: bigint, modified: bigint, flags: number) => {
			const times = toTimes(p1, accessed, modified, flags);
			const found = p1.descriptors.get(fd);
			if (found.kind === "folder") found.folder.setTimesOf(".", true, times);
			else fileWith(p1, fd, RIGHT.fdFilestatSetTimes).file.setTimes(times);
		},
	),
	fd_allocate: p1Function("i32 i64 i64", (p1, fd: number, offset: bigint, length: bigint) => {
		const { file } = fileWith(p1, fd, RIGHT.fdAllocate);
		const end = BigInt.asUintN(64, offset) + BigInt.asUintN(64, length);
		if (end > file.status().size) resize(file, end > LARGEST_FILE ? -1n : end);
	}),
	// Only advice, and Node cannot give it.
	fd_advise: p1Function("i32 i64 i64 i32", (p1, fd: number, _offset: bigint, _length: bigint, advice: number) => {
		if (advice >>> 0 > 5) throw new Errno("inval");
		fileWith(p1, fd, RIGHT.fdAdvise);
	}),
	fd_datasync: syncWith(true, RIGHT.fdDatasync),
	fd_sync: syncWith(false, RIGHT.fdSync),
};
