import { SkerryError } from "../fault/mod.ts";
import { type RewriteOptions, type RewrittenModule, rewriteModule } from "../rewrite/mod.ts";
import { webAssembly, type WasmModule } from "./v8.ts";

/** A guest's core module, rewritten and compiled. */
export interface LoadedModule extends Pick<RewrittenModule, "state" | "imports" | "sites"> {
	readonly module: WasmModule;
}

/** Core modules by the hash of their bytes: equal modules are rewritten and compiled once per cache, in one component or in many. */
export class CompileCache {
	readonly #modules = new Map<string, Promise<WasmModule>>();
	readonly #loaded = new Map<string, Promise<LoadedModule>>();

	/**
	 * Rewrites and compiles a guest's module.
	 * @param offset where it starts in the outermost binary, for errors
	 */
	async load(bytes: Uint8Array, offset: number, options: RewriteOptions): Promise<LoadedModule> {
		const key = `${await digest(bytes)} ${options.metering} ${options.verify}`;
		let loading = this.#loaded.get(key);
		if (loading === undefined) {
			loading = this.#rewrite(bytes, offset, options);
			this.#loaded.set(key, loading);
			loading.catch(() => this.#loaded.delete(key));
		}
		try {
			return await loading;
		} catch (error) {
			// What is wrong with the guest's own bytes V8 says best of these, with their offsets.
			await this.compile(bytes, offset);
			throw error;
		}
	}

	async #rewrite(bytes: Uint8Array, offset: number, options: RewriteOptions): Promise<LoadedModule> {
		const { bytes: rewritten, ...rest } = rewriteModule(bytes, offset, options);
		return { ...rest, module: await this.compile(rewritten, offset) };
	}

	/**
	 * @param bytes a core module, preamble included
	 * @param offset where it starts in the outermost binary, for errors
	 */
	async compile(bytes: Uint8Array, offset: number): Promise<WasmModule> {
		const key = await digest(bytes);
		let compiling = this.#modules.get(key);
		if (compiling === undefined) {
			compiling = webAssembly().compile(bytes);
			this.#modules.set(key, compiling);
			// A failed compilation is not kept: its error carries the offset of one place, and the bytes may stand in another.
			compiling.catch(() => this.#modules.delete(key));
		}
		try {
			return await compiling;
		} catch (error) {
			throw compileFault(error, offset);
		}
	}
}

async function digest(bytes: Uint8Array): Promise<string> {
	const hash = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
	return new Uint8Array(hash).toHex();
}

/** V8 says `… @+123` for an offset in the module. */
function compileFault(error: unknown, base: number): unknown {
	if (!(error instanceof Error)) return error;
	const at = /@\+(\d+)/.exec(error.message);
	const message = error.message.replace(/^WebAssembly\.\w+\(\): /, "").replace(/ @\+\d+$/, "");
	return new SkerryError("core/invalid", `Cannot compile a core module: ${message}`, {
		place: { offset: base + Number(at?.[1] ?? 0) },
		cause: error,
	});
}
