import { type CoreHostFunction, viewOf } from "../../link/mod.ts";
import type { Folder } from "../../sys/mod.ts";
import type { WasiContext } from "../context.ts";
import {
	FD_FLAG,
	folderRights,
	inheritedRights,
	LOOKUP_SYMLINK_FOLLOW,
	OPEN_FLAG,
	READ_RIGHTS,
	RIGHT,
	WRITE_RIGHTS,
} from "./constants.ts";
import type { Descriptor } from "./descriptors.ts";
import { Errno } from "./errno.ts";
import { toTimes, writeFilestat } from "./fd.ts";
import { type P1, p1Function } from "./state.ts";

const encoder = new TextEncoder();

const follows = (lookupFlags: number): boolean => (lookupFlags & LOOKUP_SYMLINK_FOLLOW) !== 0;

function folderOf({ descriptors }: P1, fd: number): Extract<Descriptor, { kind: "folder" }> {
	return descriptors.ofKind(fd, "folder", "notdir");
}

/** A function of one path below a folder. */
function ofPath(act: (folder: Folder, path: string) => void): CoreHostFunction<WasiContext> {
	return p1Function("i32 i32 i32", (p1, fd: number, pointer: number, length: number) =>
		act(folderOf(p1, fd).folder, p1.path(pointer, length)),
	);
}

interface OpenCall {
	readonly fd: number;
	readonly lookup: number;
	readonly path: string;
	readonly flags: number;
	readonly rights: bigint;
	readonly inheriting: bigint;
	readonly fdFlags: number;
}

function open(p1: P1, { fd, lookup, path, flags, rights, inheriting, fdFlags }: OpenCall): number {
	const from = folderOf(p1, fd);
	if ((from.rights & RIGHT.pathOpen) === 0n) throw new Errno("notcapable");
	// Older C libraries ask for more than they were told that there is.
	const granted = rights & from.inheriting;
	const append = (fdFlags & FD_FLAG.append) !== 0;
	const read = (granted & (RIGHT.fdRead | RIGHT.fdReaddir)) !== 0n;
	// Of a folder that may only be read it is the folder that refuses, which the operator hears of.
	const asked = from.folder.readOnly ? rights : granted;
	const write = (asked & (RIGHT.fdWrite | RIGHT.fdAllocate | RIGHT.fdFilestatSetSize)) !== 0n;
	const opened = from.folder.open(path, {
		follow: follows(lookup),
		read,
		write,
		append,
		create: (flags & OPEN_FLAG.create) !== 0,
		exclusive: (flags & OPEN_FLAG.exclusive) !== 0,
		truncate: (flags & OPEN_FLAG.truncate) !== 0,
		folder: (flags & OPEN_FLAG.directory) !== 0,
	});
	if (opened.kind === "folder") {
		const { readOnly } = opened;
		return p1.descriptors.add({
			kind: "folder",
			folder: opened,
			preopen: undefined,
			listing: undefined,
			rights: granted & folderRights(readOnly),
			inheriting: inheriting & from.inheriting & inheritedRights(readOnly),
		});
	}
	return p1.descriptors.add({
		kind: "file",
		file: opened,
		position: 0n,
		append,
		// Who may write may do all that changes the file, as with Wasmtime: programs seldom name more.
		rights: (READ_RIGHTS & (read ? ~0n : ~RIGHT.fdRead)) | (write ? WRITE_RIGHTS : 0n),
		inheriting: 0n,
	});
}

/** What a path below a preopened folder leads to; `Folder` sees to it that it does not lead out. */
export const PATH: Readonly<Record<string, CoreHostFunction<WasiContext>>> = {
	path_open: p1Function(
		"i32 i32 i32 i32 i32 i64 i64 i32 i32",
		(
			p1,
			fd: number,
			lookup: number,
			pointer: number,
			length: number,
			flags: number,
			rights: bigint,
			inheriting: bigint,
			fdFlags: number,
			result: number,
		) => {
			viewOf(p1.memory, result, 4);
			const path = p1.path(pointer, length);
			p1.memory.setU32(result, open(p1, { fd, lookup, path, flags, rights, inheriting, fdFlags }));
		},
	),
	path_filestat_get: p1Function(
		"i32 i32 i32 i32 i32",
		(p1, fd: number, lookup: number, pointer: number, length: number, result: number) =>
			writeFilestat(p1, result, folderOf(p1, fd).folder.statusOf(p1.path(pointer, length), follows(lookup))),
	),
	path_filestat_set_times: p1Function(
		"i32 i32 i32 i32 i64 i64 i32",
		(
			p1,
			fd: number,
			lookup: number,
			pointer: number,
			length: number,
			accessed: bigint,
			modified: bigint,
			flags: number,
		) => {
			const times = toTimes(p1, accessed, modified, flags);
			folderOf(p1, fd).folder.setTimesOf(p1.path(pointer, length), follows(lookup), times);
		},
	),
	path_create_directory: ofPath((folder, path) => folder.makeFolder(path)),
	path_remove_directory: ofPath((folder, path) => folder.removeFolder(path)),
	path_unlink_file: ofPath((folder, path) => folder.removeFile(path)),
	path_rename: p1Function(
		"i32 i32 i32 i32 i32 i32",
		(p1, fd: number, from: number, fromLength: number, toFd: number, to: number, toLength: number) => {
			const target = folderOf(p1, toFd).folder;
			folderOf(p1, fd).folder.rename(p1.path(from, fromLength), target, p1.path(to, toLength));
		},
	),
	path_link: p1Function(
		"i32 i32 i32 i32 i32 i32 i32",
		(p1, fd: number, lookup: number, from: number, fromLength: number, toFd: number, to: number, toLength: number) => {
			const target = folderOf(p1, toFd).folder;
			folderOf(p1, fd).folder.link(p1.path(from, fromLength), follows(lookup), target, p1.path(to, toLength));
		},
	),
	path_symlink: p1Function(
		"i32 i32 i32 i32 i32",
		(p1, content: number, contentLength: number, fd: number, pointer: number, length: number) =>
			folderOf(p1, fd).folder.makeLink(p1.path(content, contentLength), p1.path(pointer, length)),
	),
	path_readlink: p1Function(
		"i32 i32 i32 i32 i32 i32",
		(p1, fd: number, pointer: number, length: number, buffer: number, size: number, result: number) => {
			viewOf(p1.memory, result, 4);
			const content = encoder.encode(folderOf(p1, fd).folder.readLink(p1.path(pointer, length)));
			const fitting = content.subarray(0, size >>> 0);
			p1.memory.write(buffer, fitting);
			p1.memory.setU32(result, fitting.length);
		},
	),
};
