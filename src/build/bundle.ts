import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { relative, resolve } from "node:path";
import type * as Esbuild from "esbuild";
import { type Place, SkerryError } from "../fault/mod.ts";
import { BUNDLE_NAME, WORLD_IMPORTS } from "./guest.ts";
import type { Tool } from "./tools.ts";

/** A script with everything that it imports, as one module. */
export interface Bundle {
	readonly code: string;
	/** Its source map, as JSON; the paths in it start at the folder that was bundled in. */
	readonly map: string;
	readonly hasDefault: boolean;
	/** What the bundler warns of, each with its place. */
	readonly warnings: readonly string[];
}

/**
 * Bundles `entry`: everything inlined but `wasi:` imports.
 *
 * esbuild runs as a process of its own for the time of the call, which blocks: its asynchronous form would leave one running.
 * @param folder the application's folder; its `tsconfig.json` applies and paths in messages start there
 * @throws {SkerryError} `build/failed` with every error of the bundler
 */
export function bundleScript(esbuild: Tool, entry: string, folder: string): Bundle {
	const { buildSync } = createRequire(import.meta.url)(esbuild.folder) as typeof Esbuild;
	const name = relative(folder, entry);
	if (!existsSync(entry)) {
		throw new SkerryError("build/failed", `Cannot build ${name}: there is no such file`, { place: { file: entry } });
	}
	let result;
	try {
		result = buildSync({
			absWorkingDir: folder,
			entryPoints: [entry],
			outfile: resolve(folder, BUNDLE_NAME),
			bundle: true,
			write: false,
			metafile: true,
			sourcemap: "external",
			format: "esm",
			platform: "browser",
			conditions: ["worker", "module"],
			external: ["wasi:*"],
			target: "es2024",
			charset: "utf8",
			define: { "process.env.NODE_ENV": '"production"' },
			logLevel: "silent",
		});
	} catch (error) {
		const { errors } = error as Partial<Esbuild.BuildFailure>;
		if (errors === undefined) throw error;
		throw failure(name, errors, folder);
	}
	const output = Object.values(result.metafile.outputs).find((output) => output.entryPoint !== undefined);
	const [map, code] = result.outputFiles.toSorted((a, b) => b.path.length - a.path.length);
	if (output === undefined || map === undefined || code === undefined) throw new Error("esbuild made no bundle");
	checkImports(name, result.metafile, folder);
	const hasDefault = output.exports.includes("default");
	if (!hasDefault && !/\baddEventListener\b/.test(code.text)) {
		throw new SkerryError("build/failed", `Cannot build ${name}: it has no default export`, {
			place: { file: entry },
			hint: 'export default { fetch(request) { return new Response("hello"); } }',
		});
	}
	const warnings = result.warnings.map((warning) => describe(warning));
	return { code: code.text, map: map.text, hasDefault, warnings };
}

/** Refuses what the world of the component does not have. */
function checkImports(name: string, metafile: Esbuild.Metafile, folder: string): void {
	for (const [file, input] of Object.entries(metafile.inputs)) {
		for (const { path, external } of input.imports) {
			if (external !== true || WORLD_IMPORTS.includes(path)) continue;
			throw new SkerryError(
				"build/failed",
				`Cannot build ${name}: the import ${JSON.stringify(path)} is not supported`,
				{
					place: { file: resolve(folder, file) },
					hint: `a script may import ${WORLD_IMPORTS.join(", ")}, and has fetch for HTTP`,
				},
			);
		}
	}
}

function failure(name: string, errors: readonly Esbuild.Message[], folder: string): SkerryError {
	const [first] = errors;
	const place: Place = first?.location
		? {
				file: resolve(folder, first.location.file),
				line: first.location.line,
				column: first.location.column + 1,
			}
		: { file: resolve(folder, name) };
	const message =
		errors.length === 1
			? `Cannot build ${name}: ${first?.text}`
			: `Cannot build ${name}: ${errors.length} errors${errors.map((error) => `\n  ${describe(error)}`).join("")}`;
	const node = errors.some((error) => /^Could not resolve "(?:node:|fs"|path"|http")/.test(error.text));
	const hint = node
		? "a guest has the Web's interfaces (fetch, streams, crypto), not Node.js's modules"
		: first?.notes[0]?.text;
	return new SkerryError("build/failed", message, hint === undefined ? { place } : { place, hint });
}

function describe({ text, location }: Esbuild.Message): string {
	return location ? `${location.file}:${location.line}:${location.column + 1}: ${text}` : text;
}
