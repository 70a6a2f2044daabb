import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Makes a folder, and those above it that are not there. Node's own way (`recursive`) goes on for ever where a folder is there and the
 * system has `ENOENT` for whatever is to be made in it, as `/proc` does.
 * @returns whether it was not there before; what is there need not be a folder
 * @throws what `mkdir` throws
 */
export async function makeFolder(path: string, mode?: number): Promise<boolean> {
	const above = dirname(path);
	for (let isAgain = false; ; isAgain = true) {
		try {
			await mkdir(path, mode);
			return true;
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException;
			if (code === "EEXIST") return false;
			if (code !== "ENOENT" || isAgain || above === path || (await isThere(above))) throw error;
		}
		await makeFolder(above, mode);
	}
}

async function isThere(path: string): Promise<boolean> {
	return await stat(path).then(
		() => true,
		() => false,
	);
}
