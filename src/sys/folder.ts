/**
 * Folders and files as a guest is given them: a tree with a root that nothing in it can lead out of. Operations do not wait: a file
 * is there or it is not.
 */

/** What kept a file operation from being done, by its POSIX name; `ENOTCAPABLE` where it is not the system that refuses. */
export class FileFailure extends Error {
	override readonly name = "FileFailure";
	readonly code: string;

	constructor(code: string, message: string, options: { readonly cause?: unknown } = {}) {
		super(message, options);
		this.code = code;
	}
}

export type FileKind = "file" | "folder" | "link" | "device" | "other";

/** Times in nanoseconds since 1970. */
export interface FileStatus {
	readonly kind: FileKind;
	readonly size: bigint;
	readonly links: bigint;
	readonly device: bigint;
	readonly inode: bigint;
	readonly accessed: bigint;
	readonly modified: bigint;
	readonly changed: bigint;
}

/** `undefined` leaves a time as it is. */
export interface FileTimes {
	readonly accessed?: bigint | undefined;
	readonly modified?: bigint | undefined;
}

/** A regular file that is open. Every operation may throw a `FileFailure`. */
export interface OpenFile {
	readonly kind: "file";
	/** How many bytes were read; 0 at the end. */
	read(into: Uint8Array, at: bigint): number;
	/** How many bytes were written; `null` writes at the end. */
	write(bytes: Uint8Array, at: bigint | null): number;
	status(): FileStatus;
	resize(size: bigint): void;
	setTimes(times: FileTimes): void;
	sync(dataOnly: boolean): void;
	/** Idempotent. */
	close(): void;
}

export interface OpenOptions {
	/** Whether a link at the end of the path is followed. */
	readonly follow: boolean;
	readonly read: boolean;
	readonly write: boolean;
	readonly append: boolean;
	readonly create: boolean;
	/** Only with `create`: it must not be there yet. */
	readonly exclusive: boolean;
	readonly truncate: boolean;
	/** It must be a folder. */
	readonly folder: boolean;
}

export interface FolderEntry {
	readonly name: string;
	readonly kind: FileKind;
	readonly inode: bigint;
}

/**
 * An open folder. Paths are relative to it, with `/` between names; `..`, links and absolute paths lead nowhere but within it,
 * and fail with `ENOTCAPABLE` where they would. Every operation may throw a `FileFailure`.
 */
export interface Folder {
	readonly kind: "folder";
	/** Nothing in it can be changed. */
	readonly readOnly: boolean;
	open(path: string, options: OpenOptions): OpenFile | Folder;
	/** Of the folder itself. */
	status(): FileStatus;
	statusOf(path: string, follow: boolean): FileStatus;
	/** One by one, in an order that stays the same while nothing changes; `.` and `..` are not among them. */
	entries(): Iterable<FolderEntry>;
	makeFolder(path: string): void;
	removeFolder(path: string): void;
	removeFile(path: string): void;
	rename(path: string, target: Folder, targetPath: string): void;
	link(path: string, follow: boolean, target: Folder, targetPath: string): void;
	/** `content` is kept as it is, also where it leads out: then nobody can follow it. */
	makeLink(content: string, path: string): void;
	readLink(path: string): string;
	setTimesOf(path: string, follow: boolean, times: FileTimes): void;
	/** Idempotent. */
	close(): void;
}
