import { type CoreHostFunction, viewOf } from "../../link/mod.ts";
import type { Folder, FolderEntry } from "../../sys/mod.ts";
import type { WasiContext } from "../context.ts";
import type { Listing } from "./descriptors.ts";
import { Errno } from "./errno.ts";
import { fileTypeOf } from "./fd.ts";
import { type P1, p1Function } from "./state.ts";

const encoder = new TextEncoder();

/** `preopentype`: the only one there is. */
const PREOPEN_DIR = 0;
/** Bytes of a `dirent`: the next cookie, the inode, the length of the name, the type and padding. The name follows. */
const DIRENT_SIZE = 24;

function preopenName({ descriptors }: P1, fd: number): Uint8Array {
	const found = descriptors.get(fd);
	if (found.kind !== "folder" || found.preopen === undefined) throw new Errno("badf");
	return encoder.encode(found.preopen);
}

/** POSIX has these two first, whatever else there is. */
function* listAll(folder: Folder): Generator<FolderEntry> {
	const { inode } = folder.status();
	yield { name: ".", kind: "folder", inode };
	yield { name: "..", kind: "folder", inode };
	yield* folder.entries();
}

function openListing(folder: Folder): Listing {
	return { entries: listAll(folder), next: 0n, pending: undefined };
}

function take(listing: Listing): FolderEntry | undefined {
	const { pending } = listing;
	listing.pending = undefined;
	if (pending !== undefined) return pending;
	const next = listing.entries.next();
	return next.done === true ? undefined : next.value;
}

/** A listing that goes on at `cookie`: the one at hand where the guest goes on, a new one where it goes back. */
function listingAt(folder: Folder, listing: Listing | undefined, cookie: bigint): Listing {
	if (listing !== undefined && listing.next === cookie) return listing;
	listing?.entries.return?.();
	const anew = openListing(folder);
	while (anew.next < cookie && take(anew) !== undefined) anew.next++;
	return anew;
}

/** Writes entries until the buffer is full; the last one may be cut off, by which the guest knows that there are more. */
function readFolder(p1: P1, listing: Listing, pointer: number, length: number): number {
	const size = length >>> 0;
	const base = pointer >>> 0;
	viewOf(p1.memory, base, size);
	let used = 0;
	while (used < size) {
		const entry = take(listing);
		if (entry === undefined) break;
		const name = encoder.encode(entry.name);
		const bytes = new Uint8Array(DIRENT_SIZE + name.length);
		const view = new DataView(bytes.buffer);
		view.setBigUint64(0, listing.next + 1n, true);
		view.setBigUint64(8, entry.inode, true);
		view.setUint32(16, name.length, true);
		view.setUint8(20, fileTypeOf(entry.kind));
		bytes.set(name, DIRENT_SIZE);
		const fitting = bytes.subarray(0, size - used);
		p1.memory.write(base + used, fitting);
		used += fitting.length;
		if (fitting.length < bytes.length) {
			listing.pending = entry;
			break;
		}
		listing.next++;
	}
	return used;
}

export const FD_FOLDER: Readonly<Record<string, CoreHostFunction<WasiContext>>> = {
	fd_prestat_get: p1Function("i32 i32", (p1, fd: number, result: number) => {
		const name = preopenName(p1, fd);
		p1.memory.setU32((result >>> 0) + 4, name.length);
		p1.memory.setU32(result, PREOPEN_DIR);
	}),
	fd_prestat_dir_name: p1Function("i32 i32 i32", (p1, fd: number, pointer: number, length: number) => {
		const name = preopenName(p1, fd);
		if (length >>> 0 < name.length) throw new Errno("nametoolong");
		p1.memory.write(pointer, name);
	}),
	fd_readdir: p1Function(
		"i32 i32 i32 i64 i32",
		(p1, fd: number, pointer: number, length: number, cookie: bigint, result: number) => {
			const found = p1.descriptors.ofKind(fd, "folder", "notdir");
			viewOf(p1.memory, result, 4);
			found.listing = listingAt(found.folder, found.listing, BigInt.asUintN(64, cookie));
			p1.memory.setU32(result, readFolder(p1, found.listing, pointer, length));
		},
	),
};
