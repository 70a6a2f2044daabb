import { randomUUID } from "node:crypto";
import { chmod, constants, open, readdir, realpath, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { makeFolder } from "./make-folder.ts";

export interface DiskStoreOptions {
	/** Made, for its owner alone, where it is not there. */
	readonly folder: string;
	/** Bytes of all entries together, beyond which those that were used longest ago are removed. */
	readonly capacity: number;
	/** Told once, when the folder turns out to be of no use, and why. */
	readonly onWarning: (message: string) => void;
}

/** What is there of a folder: who may write to it, and what is in it. */
interface Entry {
	readonly path: string;
	readonly size: number;
	readonly time: number;
	readonly isPart: boolean;
}

const PART = ".part";
/** After which time the unfinished file of a writer that was killed is removed, in milliseconds. */
const ABANDONED = 3_600_000;
/** How exactly the time of an entry's last use is known: more often it is not written down. */
const USE_RESOLUTION = 60_000;
/** Anyone but the owner may write. */
const WRITABLE_BY_OTHERS = 0o022;
const WRITABLE_BY_ALL = 0o002;
/** Who may write to a folder may not take away what is in it and someone else's. */
const STICKY = 0o1000;

/** Bytes behind an entry's own: the CRC-32 of its name and of these, and their number, little endian. */
const TRAILER = 8;

/**
 * Entries by name in a folder on disk, for several processes at once: each is written to a file of its own that is then renamed, so
 * that readers find all of it or nothing. Entries that were damaged are removed: what is found is what was written. The sum is against
 * accidents, not against people: whoever can write to the folder decides what is in it.
 */
export class DiskStore {
	readonly #options: DiskStoreOptions;
	#folder: Promise<boolean> | undefined;
	#warned = false;
	#full = false;

	constructor(options: DiskStoreOptions) {
		this.#options = options;
	}

	/** The entry's bytes; `undefined` when there is none, or it cannot be read. */
	async read(name: string): Promise<Uint8Array | undefined> {
		if (!(await this.#usable())) return undefined;
		const path = join(this.#options.folder, name);
		try {
			const bytes = await readEntry(path, this.#options.capacity + TRAILER);
			const entry = bytes?.subarray(0, -TRAILER);
			if (bytes !== undefined && entry !== undefined && bytes.length >= TRAILER) {
				if (trailerOf(name, entry).equals(bytes.subarray(-TRAILER))) return entry;
			}
			await rm(path);
		} catch (error) {
			const { code, message } = error as NodeJS.ErrnoException;
			if (code !== "ENOENT") this.#warn(message);
		}
		return undefined;
	}

	/** Keeps the bytes under a name, which is good for a file, in place of what was there. Never fails. */
	async write(name: string, bytes: Uint8Array): Promise<void> {
		// Once it could not be written to, it is for reading
		if (this.#full || !(await this.#usable())) return;
		const { folder, capacity } = this.#options;
		if (bytes.length > capacity) return;
		const part = join(folder, `${randomUUID()}${PART}`);
		try {
			await writeFile(part, [bytes, trailerOf(name, bytes)], { mode: 0o600, flag: "wx" });
			await rename(part, join(folder, name));
			await this.#prune();
		} catch (error) {
			this.#full = true;
			this.#warn((error as Error).message);
			await rm(part, { force: true }).catch(() => {});
		}
	}

	#warn(why: string): void {
		if (this.#warned) return;
		this.#warned = true;
		this.#options.onWarning(`Cannot use the cache folder ${this.#options.folder}: ${why}`);
	}

	#usable(): Promise<boolean> {
		return (this.#folder ??= this.#open());
	}

	async #open(): Promise<boolean> {
		const { folder } = this.#options;
		try {
			if (await makeFolder(folder, 0o700)) await chmod(folder, 0o700);
			const { uid, mode } = await stat(folder);
			// What is in it is run. Windows has neither of the two.
			const user = process.getuid?.();
			if (user !== undefined && uid !== user && uid !== 0) throw new Error("it belongs to another user");
			if (user !== undefined && (mode & WRITABLE_BY_OTHERS) !== 0) throw new Error("other users may write to it");
			if (user !== undefined) await checkAbove(folder, user);
			return true;
		} catch (error) {
			this.#warn((error as Error).message);
			return false;
		}
	}

	async #prune(): Promise<void> {
		const entries = await this.#list();
		let size = entries.reduce((sum, entry) => sum + (entry.isPart ? 0 : entry.size), 0);
		entries.sort((a, b) => a.time - b.time);
		for (const entry of entries) {
			if (entry.isPart) {
				if (entry.time < Date.now() - ABANDONED) await rm(entry.path, { force: true });
				continue;
			}
			if (size <= this.#options.capacity) continue;
			await rm(entry.path, { force: true });
			size -= entry.size;
		}
	}

	/** Other processes remove entries at the same time: who is gone is left out. */
	async #list(): Promise<Entry[]> {
		const { folder } = this.#options;
		const found = await Promise.all(
			(await readdir(folder)).map(async (name): Promise<Entry | undefined> => {
				const path = join(folder, name);
				const status = await stat(path).catch(() => undefined);
				if (status?.isFile() !== true) return undefined;
				return { path, size: status.size, time: status.mtimeMs, isPart: name.endsWith(PART) };
			}),
		);
		return found.filter((entry) => entry !== undefined);
	}
}

/**
 * Who may write to a folder above can put another in its place.
 * @throws Error
 */
async function checkAbove(folder: string, user: number): Promise<void> {
	for (let path = await realpath(folder); path !== dirname(path);) {
		path = dirname(path);
		const { uid, gid, mode } = await stat(path);
		if (uid !== user && uid !== 0) throw new Error(`${path} belongs to another user`);
		// A group by the number of its owner is mostly that user's own: some systems let it write everywhere
		const others = gid === uid ? WRITABLE_BY_ALL : WRITABLE_BY_OTHERS;
		if ((mode & others) !== 0 && (mode & STICKY) === 0) throw new Error(`other users may write to ${path}`);
	}
}

/** `undefined` where it is nothing that was ever written: no file, or more than `most` bytes. */
async function readEntry(path: string, most: number): Promise<Uint8Array | undefined> {
	// Whoever opens a pipe waits for its writer, unless he says so
	await using file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
	const status = await file.stat();
	if (status.isDirectory()) throw new Error(`${path} is a folder`);
	const { size, mtimeMs } = status;
	if (!status.isFile() || size > most) return undefined;
	// Not filled with zeros before: that takes as long as the reading
	const bytes = Buffer.allocUnsafeSlow(size);
	const { bytesRead } = await file.read(bytes, 0, size, 0);
	const now = Date.now();
	if (now - mtimeMs > USE_RESOLUTION) await utimes(path, now / 1000, now / 1000).catch(() => {}); // the folder may be read-only
	// Those of a Buffer are cut and copied by other rules
	return new Uint8Array(bytes.buffer, bytes.byteOffset, bytesRead);
}

function trailerOf(name: string, bytes: Uint8Array): Buffer {
	const trailer = Buffer.alloc(TRAILER);
	trailer.writeUInt32LE(crc32(bytes, crc32(name)), 0);
	trailer.writeUInt32LE(bytes.length, 4);
	return trailer;
}
