import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MAX_CACHED } from "./limits.ts";

/** An entry's component, its file as an absolute path. */
export interface Cached {
	readonly file: string;
	readonly component: Uint8Array;
}

/** The name of an entry: 64 hexadecimal digits. */
export type CacheKey = string;

const COMPONENT = "component.wasm";
const SEAL = "component.sha256";

export function hash(content: string | Uint8Array): string {
	return createHash("sha256").update(content).digest("hex");
}

/** Makes the folder where it is not there. @returns why nothing can be kept in it, or nothing where it can */
export async function openCache(folder: string): Promise<string | undefined> {
	try {
		await mkdir(folder, { recursive: true });
		await writeFile(join(folder, ".gitignore"), "*\n");
		return undefined;
	} catch (error) {
		return (error as Error).message;
	}
}

/** The component of an entry, or nothing when there is none or its bytes are not those that were written. */
export async function readCache(folder: string, key: CacheKey): Promise<Cached | undefined> {
	const entry = join(folder, key);
	try {
		const file = join(entry, COMPONENT);
		const [component, seal] = await Promise.all([readFile(file), readFile(join(entry, SEAL), "utf8")]);
		if (hash(component) !== seal) return undefined;
		const now = new Date();
		await utimes(entry, now, now).catch(() => {}); // only for the order of leaving; the folder may be read-only
		return { file, component };
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw error;
	}
}

/**
 * Lets `fill` write `component.wasm` (and whatever is worth keeping beside it) in a new folder, which then becomes the entry as a
 * whole: whoever reads, in any process, sees either no entry or all of it. An entry that is there already is replaced.
 */
export async function writeCache(
	folder: string,
	key: CacheKey,
	fill: (work: string) => Promise<void>,
): Promise<Cached> {
	const work = join(folder, `new-${randomUUID()}`);
	await mkdir(work, { recursive: true });
	await writeFile(join(folder, ".gitignore"), "*\n");
	try {
		await fill(work);
		const component = await readFile(join(work, COMPONENT));
		await writeFile(join(work, SEAL), hash(component));
		await replace(work, join(folder, key));
		return { file: join(folder, key, COMPONENT), component };
	} finally {
		await rm(work, { recursive: true, force: true });
		await prune(folder);
	}
}

/** A folder cannot be renamed onto one that is not empty, so that one is moved out of the way; whoever comes last wins. */
async function replace(work: string, entry: string): Promise<void> {
	for (let attempt = 0; ; attempt++) {
		try {
			return await rename(work, entry);
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException;
			if (attempt === 9 || (code !== "ENOTEMPTY" && code !== "EEXIST" && code !== "EPERM")) throw error;
			const old = `${work}-old-${attempt}`;
			await rename(entry, old).catch(() => {});
			await rm(old, { recursive: true, force: true });
		}
	}
}

/** Removes the entries that have not been used for longest, beyond the limit, and what a killed build left a day ago. */
async function prune(folder: string): Promise<void> {
	const entries: { path: string; time: number; isEntry: boolean }[] = [];
	for (const name of await readdir(folder)) {
		const path = join(folder, name);
		const status = await stat(path).catch(() => undefined);
		if (status?.isDirectory() !== true) continue;
		entries.push({ path, time: status.mtimeMs, isEntry: /^[0-9a-f]{64}$/.test(name) });
	}
	const surplus = entries
		.filter(({ isEntry }) => isEntry)
		.sort((a, b) => b.time - a.time)
		.slice(MAX_CACHED);
	const abandoned = entries.filter(({ isEntry, time }) => !isEntry && time < Date.now() - 86_400_000);
	for (const { path } of [...surplus, ...abandoned]) await rm(path, { recursive: true, force: true });
}
