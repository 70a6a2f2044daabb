/**
 * One load of a component in a process of its own, where no code is warm: `node loading-child.ts WAY COMPONENT CACHE`. Writes what each
 * stage took, in milliseconds, as JSON.
 */
import { readFileSync } from "node:fs";
import { decodeComponent, validateComponent } from "../src/component/mod.ts";
import { CompileCache, webAssembly } from "../src/engine/mod.ts";
import { linkComponent, listModules, openComponent } from "../src/link/mod.ts";
import { createCompileCache } from "../src/pool/mod.ts";
import { rewriteModule } from "../src/rewrite/mod.ts";
import { WASI_HOST } from "../src/wasi/mod.ts";
import type { LoadingWay } from "./loading-report.ts";

const [way, file, folder] = process.argv.slice(2) as [LoadingWay, string, string];
const bytes = new Uint8Array(readFileSync(file));
const times: Record<string, number> = {};

async function time<T>(stage: string, run: () => T | Promise<T>): Promise<T> {
	const started = performance.now();
	const result = await run();
	times[stage] = performance.now() - started;
	return result;
}

/** Each stage by itself, one after the other. */
async function stages(verify: boolean): Promise<void> {
	const component = await time("decode", () => decodeComponent(bytes));
	const type = await time("validate", () => validateComponent(component));
	const modules = listModules(component);
	const options = { metering: "trap", verify } as const;
	const rewritten = await time("rewrite", () =>
		modules.map((module) => rewriteModule(module.bytes, module.offset, options)),
	);
	await time("compile", async () => {
		for (const one of rewritten) await webAssembly().compile(one.bytes);
	});
	// Its own modules are loaded before: what is left is hashing, the plan, and the host's functions.
	const cache = new CompileCache();
	for (const module of modules) await cache.load(module.bytes, module.offset, options);
	await time("link", () => linkComponent({ bytes, component, type }, WASI_HOST, cache, { verify }));
}

async function whole(cache: CompileCache): Promise<void> {
	await time("whole", async () => {
		await linkComponent(await openComponent(bytes, cache), WASI_HOST, cache);
	});
	await cache.flush();
}

async function transpile(): Promise<void> {
	const { transpileBytes } = await import("@bytecodealliance/jco-transpile");
	const { parse } = await import("@bytecodealliance/jco-transpile/wasm-tools");
	// Its own component is loaded and has run once: that does not count.
	await transpileBytes(new Uint8Array(await parse("(component)")), { name: "empty" });
	await time("whole", () => transpileBytes(bytes, { name: "component", instantiation: { tag: "async" } }));
}

if (way === "proven" || way === "unproven") await stages(way === "proven");
else if (way === "uncached") await whole(new CompileCache());
else if (way === "cached") await whole(createCompileCache({ cache: folder }));
else await transpile();
process.stdout.write(JSON.stringify(times));
// V8 may still be compiling in the background.
process.exit(0);
