import {
	closeSync,
	constants,
	existsSync,
	linkSync,
	lstatSync,
	lutimesSync,
	mkdirSync,
	openSync,
	opendirSync,
	readlinkSync,
	realpathSync,
	renameSync,
	rmdirSync,
	symlinkSync,
	unlinkSync,
} from "node:fs";
import {
	FileFailure,
	type FileStatus,
	type FileTimes,
	type Folder,
	type FolderEntry,
	type OpenFile,
	type OpenOptions,
} from "./folder.ts";
import { attempt, HostFile, kindOf, toSeconds, toStatus } from "./host-file.ts";

/**
 * Where Linux shows a process its own descriptors. A name below the entry of a folder's descriptor is looked up in that very
 * folder, whatever has become of its path since: what `openat` does, which Node does not have.
 */
const DESCRIPTORS = "/proc/self/fd";
const HAS_DESCRIPTORS = process.platform === "linux" && existsSync(DESCRIPTORS);

/** Linux's `O_PATH`, which Node does not name: the descriptor of a folder that can be gone through, though perhaps not be listed. */
const O_PATH = 0o10000000;

/** As many as Linux follows in one path (`MAXSYMLINKS`). */
const LONGEST_CHAIN = 40;
/** Linux's `PATH_MAX`, in characters: longer ones are not even looked at. */
const LONGEST_PATH = 4096;
/** A path must not be made to hold the thread: each name costs a few system calls. */
const MOST_NAMES = 1024;

/**
 * A folder of this machine, by a path that is trusted: links in it are followed.
 * @throws FileFailure when there is no such folder
 */
export function openHostFolder(path: string, options: { readonly readOnly?: boolean } = {}): Folder {
	return attempt(() => new HostFolder(openPlace(realpathSync(path)), options.readOnly ?? false));
}

/** A folder that is held, and the path under which what is in it can be reached. */
interface Place {
	readonly base: string;
	/** -1 where folders are known by their paths alone. */
	readonly descriptor: number;
}

function openPlace(path: string): Place {
	if (HAS_DESCRIPTORS) {
		const descriptor = openSync(path, constants.O_DIRECTORY | constants.O_NOFOLLOW | O_PATH);
		return { base: `${DESCRIPTORS}/${descriptor}`, descriptor };
	}
	// Another process could exchange it for a link after this; a guest cannot, for it does not run meanwhile.
	const status = lstatSync(path);
	if (!status.isDirectory()) throw failure(status.isSymbolicLink() ? "ELOOP" : "ENOTDIR", path);
	return { base: path, descriptor: -1 };
}

function closePlace({ descriptor }: Place): void {
	if (descriptor !== -1) closeSync(descriptor);
}

class HostFolder implements Folder {
	readonly kind = "folder";
	readonly readOnly: boolean;
	readonly #place: Place;
	#closed = false;

	constructor(place: Place, readOnly: boolean) {
		this.#place = place;
		this.readOnly = readOnly;
	}

	open(path: string, options: OpenOptions): OpenFile | Folder {
		const { read, write, append, create, exclusive, truncate, folder } = options;
		if (write || append || create || truncate) this.#mayChange();
		// `O_EXCL` is about the link itself.
		const follow = options.follow && !(create && exclusive);
		return this.#at(path, follow, (file, name) => {
			if (folder || name === undefined) {
				if (create && exclusive && name === undefined) throw failure("EEXIST", path);
				// Only folders can be opened so; and `write` is what some ask for every descriptor.
				if (!folder && (write || create || truncate)) throw failure("EISDIR", path);
				return new HostFolder(openPlace(name === undefined ? `${file}/.` : file), this.readOnly);
			}
			let flags = constants.O_NOFOLLOW | constants.O_NONBLOCK;
			flags |= write || append || truncate ? (read ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY;
			if (append) flags |= constants.O_APPEND;
			if (create) flags |= constants.O_CREAT;
			if (create && exclusive) flags |= constants.O_EXCL;
			// What is no regular file must not be harmed before it is known.
			const opened = HostFile.open(file, flags);
			if (opened === "folder") return new HostFolder(openPlace(file), this.readOnly);
			if (truncate) opened.resize(0n);
			return opened;
		});
	}

	status(): FileStatus {
		return attempt(() => toStatus(lstatSync(`${this.#place.base}/.`, { bigint: true })));
	}

	statusOf(path: string, follow: boolean): FileStatus {
		return this.#at(path, follow, (file, name) =>
			toStatus(lstatSync(name === undefined ? `${file}/.` : file, { bigint: true })),
		);
	}

	*entries(): Iterable<FolderEntry> {
		const folder = attempt(() => opendirSync(`${this.#place.base}/.`));
		try {
			for (let next = folder.readSync(); next !== null; next = folder.readSync()) {
				const { name } = next;
				let inode = 0n;
				try {
					inode = lstatSync(`${this.#place.base}/${name}`, { bigint: true }).ino;
				} catch {
					// It is gone since.
				}
				yield { name, kind: kindOf(next), inode };
			}
		} finally {
			folder.closeSync();
		}
	}

	makeFolder(path: string): void {
		this.#change(path, (file) => mkdirSync(file));
	}

	removeFolder(path: string): void {
		this.#change(path, (file) => rmdirSync(file));
	}

	removeFile(path: string): void {
		checkPath(path);
		if (path.endsWith("/")) throw failure("ENOTDIR", path);
		this.#change(path, (file) => unlinkSync(file));
	}

	rename(path: string, target: Folder, targetPath: string): void {
		this.#change(path, (from) => within(target).#change(targetPath, (to) => renameSync(from, to)));
	}

	link(path: string, follow: boolean, target: Folder, targetPath: string): void {
		this.#mayChange();
		this.#at(path, follow, (from, name) => {
			if (name === undefined) throw failure("EPERM", path);
			within(target).#change(targetPath, (to) => linkSync(from, to));
		});
	}

	makeLink(content: string, path: string): void {
		if (content.startsWith("/")) throw failure("ENOTCAPABLE", content);
		this.#change(path, (file) => symlinkSync(content, file));
	}

	readLink(path: string): string {
		return this.#at(path, false, (file, name) => {
			if (name === undefined) throw failure("EINVAL", path);
			return readlinkSync(file);
		});
	}

	setTimesOf(path: string, follow: boolean, { accessed, modified }: FileTimes): void {
		this.#mayChange();
		this.#at(path, follow, (file, name) => {
			const own = name === undefined ? `${file}/.` : file;
			const now = lstatSync(own, { bigint: true });
			lutimesSync(own, toSeconds(accessed ?? now.atimeNs), toSeconds(modified ?? now.mtimeNs));
		});
	}

	close(): void {
		if (this.#closed) return;
		this.#closed = true;
		closePlace(this.#place);
	}

	#mayChange(): void {
		if (this.readOnly) throw new FileFailure("EROFS", "the folder is granted for reading only");
	}

	/** As `#at`, of something that is made or taken away: never of the folder itself, and never through a link at the end. */
	#change(path: string, act: (file: string) => void): void {
		this.#mayChange();
		this.#at(path, false, (file, name) => {
			if (name === undefined) throw failure(path.endsWith("..") ? "ENOTEMPTY" : "EINVAL", path);
			act(file);
		});
	}

	/**
	 * Goes along a path, one name after the other, each looked up in the folder that the last one led to: no link is followed but
	 * by reading it here, so that all of it is checked. `act` gets a path whose last name is all that is left to be looked up, and
	 * that name; without one, the path of a folder that is held.
	 */
	#at<T>(path: string, follow: boolean, act: (file: string, name: string | undefined) => T): T {
		checkPath(path);
		if (this.#closed) throw failure("EBADF", path);
		const held: Place[] = [];
		const names = path.split("/").reverse();
		let links = 0;
		let steps = 0;
		try {
			return attempt(() => {
				for (let name = names.pop(); name !== undefined; name = names.pop()) {
					if (++steps > MOST_NAMES) throw failure("ENAMETOOLONG", path);
					if (name === "" || name === ".") continue;
					if (name === "..") {
						const left = held.pop();
						if (left === undefined) throw failure("ENOTCAPABLE", path);
						closePlace(left);
						continue;
					}
					const file = `${(held.at(-1) ?? this.#place).base}/${name}`;
					const isLast = names.every((rest) => rest === "" || rest === ".");
					/** A slash at the end says that it is a folder. */
					const isFolder = isLast && names.length > 0;
					if (isLast && !isFolder && !follow) return act(file, name);
					const status = lstatSync(file, { throwIfNoEntry: false });
					if (status?.isSymbolicLink() === true) {
						if (++links > LONGEST_CHAIN) throw failure("ELOOP", path);
						const content = readlinkSync(file);
						if (content.startsWith("/")) throw failure("ENOTCAPABLE", path);
						names.push(...content.split("/").reverse());
					} else if (isLast) {
						if (isFolder && status?.isDirectory() === false) throw failure("ENOTDIR", path);
						return act(file, name);
					} else {
						// Should it be a link by now, it is not followed.
						held.push(openPlace(file));
					}
				}
				return act((held.at(-1) ?? this.#place).base, undefined);
			});
		} finally {
			for (const place of held) closePlace(place);
		}
	}
}

function checkPath(path: string): void {
	if (path === "") throw failure("ENOENT", path);
	if (path.length > LONGEST_PATH) throw failure("ENAMETOOLONG", `${path.slice(0, 40)}…`);
	if (path.includes("\0")) throw failure("EILSEQ", path);
	if (path.startsWith("/")) throw failure("ENOTCAPABLE", path);
}

function within(target: Folder): HostFolder {
	if (target instanceof HostFolder) return target;
	throw new FileFailure("EXDEV", "the two folders are not of the same kind");
}

function failure(code: string, path: string): FileFailure {
	return new FileFailure(code, `${code}: ${path}`);
}
