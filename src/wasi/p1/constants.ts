/** Numbers of WASI 0.1 (`typenames.witx` of `wasi_snapshot_preview1`), under the specification's names. */

/** `filetype`. */
export const FILE_TYPE = {
	unknown: 0,
	blockDevice: 1,
	characterDevice: 2,
	directory: 3,
	regularFile: 4,
	socketStream: 6,
	symbolicLink: 7,
} as const;

/** `rights`, bit by bit. */
export const RIGHT = {
	fdDatasync: 0x1n,
	fdRead: 0x2n,
	fdSeek: 0x4n,
	fdFdstatSetFlags: 0x8n,
	fdSync: 0x10n,
	fdTell: 0x20n,
	fdWrite: 0x40n,
	fdAdvise: 0x80n,
	fdAllocate: 0x100n,
	pathCreateDirectory: 0x200n,
	pathCreateFile: 0x400n,
	pathLinkSource: 0x800n,
	pathLinkTarget: 0x1000n,
	pathOpen: 0x2000n,
	fdReaddir: 0x4000n,
	pathReadlink: 0x8000n,
	pathRenameSource: 0x10000n,
	pathRenameTarget: 0x20000n,
	pathFilestatGet: 0x40000n,
	pathFilestatSetSize: 0x80000n,
	pathFilestatSetTimes: 0x100000n,
	fdFilestatGet: 0x200000n,
	fdFilestatSetSize: 0x400000n,
	fdFilestatSetTimes: 0x800000n,
	pathSymlink: 0x1000000n,
	pathRemoveDirectory: 0x2000000n,
	pathUnlinkFile: 0x4000000n,
	pollFdReadwrite: 0x8000000n,
} as const;

const all = (...rights: bigint[]): bigint => rights.reduce((sum, right) => sum | right, 0n);

/** What can be done with a stream that is none of a terminal's: no place in it can be sought. */
export const STREAM_RIGHTS: bigint = all(RIGHT.fdFdstatSetFlags, RIGHT.fdFilestatGet, RIGHT.pollFdReadwrite);

/** What can be done with any file, beside reading and writing. */
const FILE_RIGHTS = all(
	RIGHT.fdSeek,
	RIGHT.fdTell,
	RIGHT.fdFdstatSetFlags,
	RIGHT.fdAdvise,
	RIGHT.fdFilestatGet,
	RIGHT.pollFdReadwrite,
);
export const READ_RIGHTS: bigint = FILE_RIGHTS | RIGHT.fdRead;
/** In addition, what changes it. */
export const WRITE_RIGHTS: bigint = all(
	RIGHT.fdWrite,
	RIGHT.fdDatasync,
	RIGHT.fdSync,
	RIGHT.fdAllocate,
	RIGHT.fdFilestatSetSize,
	RIGHT.fdFilestatSetTimes,
);

const FOLDER_CHANGES = all(
	RIGHT.pathCreateDirectory,
	RIGHT.pathCreateFile,
	RIGHT.pathLinkSource,
	RIGHT.pathLinkTarget,
	RIGHT.pathRenameSource,
	RIGHT.pathRenameTarget,
	RIGHT.pathFilestatSetSize,
	RIGHT.pathFilestatSetTimes,
	RIGHT.pathSymlink,
	RIGHT.pathRemoveDirectory,
	RIGHT.pathUnlinkFile,
	RIGHT.fdFilestatSetTimes,
);
const FOLDER_READS = all(
	RIGHT.pathOpen,
	RIGHT.fdReaddir,
	RIGHT.pathReadlink,
	RIGHT.pathFilestatGet,
	RIGHT.fdFilestatGet,
	RIGHT.fdSync,
	RIGHT.fdDatasync,
	RIGHT.fdFdstatSetFlags,
);

/** What can be done with a folder; C libraries ask before they open anything in it. */
export function folderRights(readOnly: boolean): bigint {
	return readOnly ? FOLDER_READS : FOLDER_READS | FOLDER_CHANGES;
}

/** What can be done with what is opened in it. */
export function inheritedRights(readOnly: boolean): bigint {
	return readOnly ? FOLDER_READS | READ_RIGHTS : FOLDER_READS | FOLDER_CHANGES | READ_RIGHTS | WRITE_RIGHTS;
}

/** `fdflags`. */
export const FD_FLAG = { append: 1, dsync: 2, nonblock: 4, rsync: 8, sync: 16 } as const;
/** `oflags`. */
export const OPEN_FLAG = { create: 1, directory: 2, exclusive: 4, truncate: 8 } as const;
/** `lookupflags`. */
export const LOOKUP_SYMLINK_FOLLOW = 1;
/** `fstflags`. */
export const TIME_FLAG = { accessed: 1, accessedNow: 2, modified: 4, modifiedNow: 8 } as const;
/** `whence`. */
export const WHENCE = { set: 0, cur: 1, end: 2 } as const;
/** `clockid`. */
export const CLOCK = { realtime: 0, monotonic: 1, processCpu: 2, threadCpu: 3 } as const;
/** `eventtype`. */
export const EVENT = { clock: 0, fdRead: 1, fdWrite: 2 } as const;
/** `subclockflags`: the timeout is a time, not a span. */
export const ABSTIME = 1;
/** `eventrwflags`. */
export const HANGUP = 1;
