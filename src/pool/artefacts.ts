import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CompileCache } from "../engine/mod.ts";
import { type LinkOptions, packComponent } from "../link/mod.ts";
import { DiskStore } from "../sys/mod.ts";

/** Bytes of rewritten modules on disk, beyond which those that were used longest ago are removed: some 70 language engines. */
export const CACHE_CAPACITY: number = 1024 * 1024 * 1024;

export interface ArtefactOptions {
	/** The folder for rewritten modules, or none; where it is not given, that of the environment. */
	readonly cache?: string | false | undefined;
	/** Told once when there is no using the folder: everything goes on without. By default a warning of the process. */
	readonly onWarning?: ((message: string) => void) | undefined;
}

/** A compile cache whose modules are kept on disk, for the next process. */
export function createCompileCache(options: ArtefactOptions = {}): CompileCache {
	const { cache: folder = cacheFolder(process.env), onWarning = warnProcess } = options;
	const version = findRewriterVersion();
	// What was packed has a version, too
	if (folder === false) return new CompileCache({ version });
	if (version === undefined) {
		onWarning(
			"Cannot use the cache folder: this build of Skerry does not know its own version, as in a bundle; leave the package out of the bundle, or give `cache: false`",
		);
		return new CompileCache();
	}
	return new CompileCache({ version, store: new DiskStore({ folder, capacity: CACHE_CAPACITY, onWarning }) });
}

function warnProcess(message: string): void {
	process.emitWarning(message, { code: "SKERRY_CACHE" });
}

/** `$SKERRY_CACHE_DIR`, or else `skerry` in the user's folder for caches; in it the folder of rewritten modules. */
export function cacheFolder(environment: Readonly<Record<string, string | undefined>>): string {
	const { SKERRY_CACHE_DIR: own, XDG_CACHE_HOME: user } = environment;
	// The XDG specification has relative paths ignored
	const base = user !== undefined && user.startsWith("/") ? user : join(homedir(), ".cache");
	return join(own === undefined || own === "" ? join(base, "skerry") : own, "modules");
}

/**
 * What `skerry compile` writes: a component with its rewritten modules.
 * @param source a component, or such a file
 */
export async function compileComponent(
	source: Uint8Array,
	metering: NonNullable<LinkOptions["metering"]>,
): Promise<Uint8Array> {
	return await packComponent(source, findRewriterVersion() ?? "unknown", metering);
}

/** What decides how a module is rewritten and kept: folders and files of `src/`, or of what was built from it. */
const REWRITER = ["rewrite", "wasm", "bytes", "engine/modules/artefact", "engine/modules/plain-data"];

/** Of this process's own sources. */
let version: string | undefined;

function findRewriterVersion(): string | undefined {
	try {
		return (version ??= hashRewriter(fileURLToPath(new URL("..", import.meta.url))));
	} catch {
		// As when a bundler has put everything into one file
		return undefined;
	}
}

/** The rewriter's version: a hash of its own sources, so that no one has to remember to change it. */
export function hashRewriter(root: string): string {
	const hash = createHash("sha256");
	for (const part of REWRITER) {
		for (const name of listSources(root, part)) {
			const text = readFileSync(join(root, name));
			hash.update(`${name}\0${text.length}\0`).update(text);
		}
	}
	return hash.digest("hex").slice(0, 16);
}

function listSources(root: string, part: string): string[] {
	const file = [".ts", ".js"].map((extension) => part + extension).find((name) => existsSync(join(root, name)));
	if (file !== undefined) return [file];
	return readdirSync(join(root, part), { recursive: true, encoding: "utf8" })
		.filter((name) => /\.[tj]s$/.test(name) && !/\.(?:test|fixture|d)\.ts$/.test(name))
		.map((name) => join(part, name))
		.sort();
}
