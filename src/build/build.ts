import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { SkerryError } from "../fault/mod.ts";
import { bundleScript } from "./bundle.ts";
import { type Cached, type CacheKey, hash, openCache, readCache, writeCache } from "./cache.ts";
import { componentize } from "./componentize.ts";
import { ENTRY_MODULE, GUEST_VERSION, WORLD_WIT } from "./guest.ts";
import { TOP_LEVEL_DEADLINE } from "./limits.ts";
import { findTools } from "./tools.ts";

/** What a build is doing: `bundle` takes milliseconds, `componentize` 5 s, or 20 s the first time on a machine. */
export type BuildStep = "bundle" | "componentize";

export interface BuildOptions {
	/** The script, JavaScript or TypeScript. */
	readonly entry: string;
	/** The application's folder: where its tools are looked for first and paths in messages start. Default: the folder of `entry`. */
	readonly folder?: string;
	/** Where built components are kept. Default: `.skerry/build` in `folder`. */
	readonly cacheDir?: string;
	/** Told of each step as it starts. */
	readonly onProgress?: (step: BuildStep) => void;
	/** How long the script's top level may run, in milliseconds. */
	readonly deadlineMs?: number;
}

export interface BuildResult {
	/**
	 * Absolute path of the component; it stays until builds of newer content push it out of the cache. That of the script, where nothing
	 * can be kept.
	 */
	readonly file: string;
	readonly component: Uint8Array;
	/** Whether it was in the cache. */
	readonly cached: boolean;
	/** Milliseconds; `componentize` is 0 when the component was in the cache. */
	readonly times: { readonly bundle: number; readonly componentize: number };
	/** What the bundler warns of, each with its place; and that there is no use of the cache, and why. */
	readonly warnings: readonly string[];
}

/**
 * Builds a script into a component that answers `wasi:http/incoming-handler`.
 *
 * The script is bundled on every call; the component is taken from the cache when the bundle, the tools' versions and what
 * Skerry adds are the same.
 * @throws {SkerryError} `build/tool-missing` or `build/failed`
 */
export async function buildComponent(options: BuildOptions): Promise<BuildResult> {
	const entry = resolve(options.entry);
	const folder = resolve(options.folder ?? dirname(entry));
	const cacheDir = resolve(options.cacheDir ?? join(folder, ".skerry/build"));
	const tools = findTools([join(folder, "package.json"), fileURLToPath(import.meta.url)]);

	options.onProgress?.("bundle");
	const start = performance.now();
	const bundle = bundleScript(tools.esbuild, entry, folder);
	const bundled = performance.now() - start;
	const { code } = bundle;
	const warnings = [...bundle.warnings];
	const key = hash(
		JSON.stringify([tools.componentize.version, WORLD_WIT, ENTRY_MODULE, GUEST_VERSION, bundle.hasDefault, code]),
	);
	const unusable = await openCache(cacheDir);
	const known = await readCache(cacheDir, key).catch(() => undefined);
	if (known !== undefined) {
		return { ...known, cached: true, times: { bundle: bundled, componentize: 0 }, warnings };
	}

	options.onProgress?.("componentize");
	const from = performance.now();
	const script = { entry, folder, bundle };
	const fill = async (work: string): Promise<void> => {
		await componentize(tools.componentize, script, work, options.deadlineMs ?? TOP_LEVEL_DEADLINE);
	};
	if (unusable !== undefined) warnings.push(`Cannot keep components in ${cacheDir}: ${unusable}`);
	const kept = unusable === undefined ? writeCache(cacheDir, key, fill) : buildAside(entry, key, fill);
	const built = await kept.catch((cause: unknown) => {
		if (cause instanceof SkerryError) throw cause;
		throw new SkerryError("build/failed", `Cannot build ${relative(folder, entry)}`, { place: { file: entry }, cause });
	});
	return { ...built, cached: false, times: { bundle: bundled, componentize: performance.now() - from }, warnings };
}

/** Where there is no cache: in a folder that is gone when it is built. */
async function buildAside(entry: string, key: CacheKey, fill: (work: string) => Promise<void>): Promise<Cached> {
	const folder = await mkdtemp(join(tmpdir(), "skerry-build-"));
	try {
		const { component } = await writeCache(folder, key, fill);
		return { file: entry, component };
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}
