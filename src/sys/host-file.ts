import {
	type BigIntStats,
	closeSync,
	fdatasyncSync,
	fstatSync,
	fsyncSync,
	ftruncateSync,
	futimesSync,
	openSync,
	readSync,
	writeSync,
} from "node:fs";
import { FileFailure, type FileKind, type FileStatus, type FileTimes, type OpenFile } from "./folder.ts";

/** What a new file may be used for; the process's own mask takes away from it. */
const NEW_FILE_MODE = 0o666;

/** A regular file of this machine. */
export class HostFile implements OpenFile {
	readonly kind = "file";
	#descriptor: number;

	private constructor(descriptor: number) {
		this.#descriptor = descriptor;
	}

	/** Devices, pipes and sockets are refused: reading them could hold the thread, and they are no part of a folder's content. */
	static open(path: string, flags: number): HostFile | "folder" {
		// With `O_CREAT` some systems refuse a folder, some open it.
		const descriptor = openSync(path, flags, NEW_FILE_MODE);
		try {
			const status = fstatSync(descriptor);
			if (status.isFile()) return new HostFile(descriptor);
			if (status.isDirectory()) {
				closeSync(descriptor);
				return "folder";
			}
		} catch (error) {
			closeSync(descriptor);
			throw error;
		}
		closeSync(descriptor);
		throw new FileFailure("ENOTSUP", "it is neither a regular file nor a folder");
	}

	read(into: Uint8Array, at: bigint): number {
		return attempt(() => readSync(this.#descriptor, into, 0, into.length, at));
	}

	write(bytes: Uint8Array, at: bigint | null): number {
		// What was opened for appending does so wherever it is told to write.
		const place = Number(at ?? this.status().size);
		return attempt(() => writeSync(this.#descriptor, bytes, 0, bytes.length, place));
	}

	status(): FileStatus {
		return attempt(() => toStatus(fstatSync(this.#descriptor, { bigint: true })));
	}

	resize(size: bigint): void {
		attempt(() => ftruncateSync(this.#descriptor, Number(size)));
	}

	setTimes({ accessed, modified }: FileTimes): void {
		attempt(() => {
			const now = fstatSync(this.#descriptor, { bigint: true });
			futimesSync(this.#descriptor, toSeconds(accessed ?? now.atimeNs), toSeconds(modified ?? now.mtimeNs));
		});
	}

	sync(dataOnly: boolean): void {
		attempt(() => (dataOnly ? fdatasyncSync(this.#descriptor) : fsyncSync(this.#descriptor)));
	}

	close(): void {
		if (this.#descriptor === -1) return;
		closeSync(this.#descriptor);
		this.#descriptor = -1;
	}
}

/** Does it; what the system refuses becomes a `FileFailure`. */
export function attempt<T>(act: () => T): T {
	try {
		return act();
	} catch (error) {
		if (error instanceof FileFailure) throw error;
		const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
		if (code === undefined) throw error;
		// Node checks some arguments itself.
		const posix = code.startsWith("ERR_") ? "EINVAL" : code;
		throw new FileFailure(posix, (error as Error).message, { cause: error });
	}
}

interface Kinds {
	isFile(): boolean;
	isDirectory(): boolean;
	isSymbolicLink(): boolean;
	isBlockDevice(): boolean;
	isCharacterDevice(): boolean;
}

export function kindOf(of: Kinds): FileKind {
	if (of.isFile()) return "file";
	if (of.isDirectory()) return "folder";
	if (of.isSymbolicLink()) return "link";
	return of.isBlockDevice() || of.isCharacterDevice() ? "device" : "other";
}

export function toStatus(status: BigIntStats): FileStatus {
	return {
		kind: kindOf(status),
		size: status.size,
		links: status.nlink,
		device: status.dev,
		inode: status.ino,
		accessed: status.atimeNs,
		modified: status.mtimeNs,
		changed: status.ctimeNs,
	};
}

/** As Node takes times: a double, so that what it cannot hold of the nanoseconds is lost. */
export function toSeconds(nanoseconds: bigint): number {
	return Number(nanoseconds / 1_000n) / 1e6;
}
