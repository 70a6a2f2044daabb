import { readFile } from "node:fs/promises";

import type { GuestResource } from "../abi/mod.ts";
import type { ExternType } from "../component/mod.ts";
import { type CompileCache, createLinuxPageMapper, webAssembly } from "../engine/mod.ts";
import { inFile, SkerryError } from "../fault/mod.ts";
import {
	type HostImports,
	type Instance,
	instantiate,
	type Linked,
	linkComponent,
	openComponent,
} from "../link/mod.ts";
import { createCompileCache, SandboxPool } from "../pool/mod.ts";
import { createWasiContext, WASI_HOST, type WasiContext } from "../wasi/mod.ts";
import { callExport, createExports, type Exports } from "./exports.ts";
import { type Grants, SHARED_CLIENT, toWasiOptions } from "./grants.ts";
import { type Imports, toHostImports } from "./imports.ts";

export interface LoadOptions {
	/** What the host gives beside WASI. An interface of WASI given here takes the place of Skerry's own. */
	readonly imports?: Imports;
	/** What each sandbox gets of WASI unless `instantiate` says otherwise. By default nothing: no arguments, no environment, no network. */
	readonly wasi?: Grants;
}

export interface InstantiateOptions {
	readonly wasi?: Grants;
}

/** Where a component comes from: its bytes or those of what `skerry compile` made of it, a path, or a `file:` URL. */
export type Source = Uint8Array | ArrayBuffer | string | URL;

export interface EngineOptions {
	/**
	 * The folder in which rewritten modules are kept for the next process, or `false` for none. By default `modules` in
	 * `$SKERRY_CACHE_DIR`, else in `skerry` in `$XDG_CACHE_HOME` or `~/.cache`. Whoever can write to it decides what runs.
	 */
	readonly cache?: string | false;
	/** Told once when there is no using that folder: everything goes on without. By default a warning of the process. */
	readonly onWarning?: (message: string) => void;
}

/** Compiles and runs components. Core modules that several components share are compiled once per engine. */
export class Engine {
	readonly #cache: CompileCache;

	/** @throws SkerryError `engine/unsupported-platform` on an engine without JavaScript Promise Integration (Node.js before 26) */
	constructor(options: EngineOptions = {}) {
		webAssembly();
		this.#cache = createCompileCache(options);
	}

	/**
	 * Decodes, validates, links and compiles a component.
	 * @throws SkerryError `cli/file-not-found`, `binary/*`, `component/invalid`, `link/*`, `core/invalid`, with a byte offset where there is one
	 */
	async load(source: Source, options: LoadOptions = {}): Promise<Component> {
		const file = typeof source === "string" ? source : source instanceof URL ? source.href : undefined;
		try {
			const loaded = await openComponent(await readSource(source), this.#cache);
			const host = hostImports(loaded.type.imports, options.imports ?? {});
			return new Component(await linkComponent(loaded, host, this.#cache), options.wasi ?? {});
		} catch (error) {
			throw file === undefined ? error : inFile(error, file);
		}
	}
}

async function readSource(source: Source): Promise<Uint8Array> {
	if (source instanceof Uint8Array) return source;
	if (source instanceof ArrayBuffer) return new Uint8Array(source);
	try {
		return await readFile(source);
	} catch (error) {
		const name = typeof source === "string" ? source : source.href;
		throw new SkerryError("cli/file-not-found", `Cannot read ${name}: ${(error as Error).message}`, { cause: error });
	}
}

function hostImports(wanted: ReadonlyMap<string, ExternType>, imports: Imports): HostImports {
	const { host, stray } = toHostImports(wanted, imports);
	if (stray.length > 0) {
		throw new SkerryError("link/missing-imports", `Cannot link the component: it does not import ${stray.join(", ")}`);
	}
	return { ...WASI_HOST, ...host, interfaces: [...host.interfaces, ...WASI_HOST.interfaces] };
}

/** Handles that each component instance of a sandbox may have: what a guest that leaks can cost of the host's memory. As the server's limit. */
const MAX_HANDLES = 1_000_000;
/** Sandboxes of a component that are kept ready for calls of its `exports`: they cost the pages that a call writes. */
const WARM = 16;
/** Why a sandbox ends after its call; made once, for a stack costs more than the reset. */
const CALL_OVER = new SkerryError("guest/killed", "the call is over");

/** A component that is ready to run. */
export class Component {
	/**
	 * The exported functions. Each call gets a fresh sandbox, which ends with the call: no call sees what another left behind.
	 * For calls that share state, or return resources, use `instantiate`.
	 */
	readonly exports: Exports;
	readonly #linked: Linked;
	readonly #grants: Grants;

	constructor(linked: Linked, grants: Grants) {
		this.#linked = linked;
		this.#grants = grants;
		const mapper = createLinuxPageMapper();
		const pool = new SandboxPool(linked, {
			wasi: () => toWasiOptions(grants, SHARED_CLIENT),
			warm: WARM,
			mapper: typeof mapper === "string" ? undefined : mapper,
			maxHandles: MAX_HANDLES,
		});
		this.exports = createExports(linked.plan.exports, async (path, args, type) => {
			const sandbox = await pool.acquire();
			try {
				return await callExport(type, path.join("#"), args, (values) => sandbox.call(path, values));
			} finally {
				sandbox.end(CALL_OVER);
			}
		});
	}

	/** The names of what it imports, as in the binary. */
	get imports(): readonly string[] {
		return [...this.#linked.plan.imports.keys()];
	}

	/** The names of what it exports, as in the binary. */
	get exportNames(): readonly string[] {
		return [...this.#linked.plan.exports.keys()];
	}

	/** A sandbox of its own, kept until it is disposed. */
	instantiate(options: InstantiateOptions = {}): Sandbox {
		return new Sandbox(
			this.#linked,
			createWasiContext(toWasiOptions({ ...this.#grants, ...options.wasi }, SHARED_CLIENT)),
		);
	}
}

/** One instance of a component with its own memories, handles and grants. Dispose it when done: `using sandbox = component.instantiate()`. */
export class Sandbox implements Disposable {
	readonly exports: Exports;
	readonly #instance: Instance;
	readonly #context: WasiContext;

	constructor(linked: Linked, context: WasiContext) {
		this.#context = context;
		try {
			this.#instance = instantiate(linked, context, MAX_HANDLES);
		} catch (error) {
			context.end();
			throw error;
		}
		this.exports = createExports(linked.plan.exports, (path, args) => this.call(path, args));
	}

	/** Calls an export by its names in the binary: `["wasi:cli/run@0.2.3", "run"]`. */
	async call(path: readonly string[], args: readonly unknown[]): Promise<unknown> {
		const fn = this.#instance.function(path);
		if (fn === undefined)
			throw new SkerryError("link/no-export", `Cannot call ${path.join("#")}: the component does not export it`);
		return await callExport(fn.type, path.join("#"), args, (values) => fn.call(values));
	}

	/** Drops a resource of the guest that a call returned: its destructor runs. */
	async drop(resource: GuestResource): Promise<void> {
		await this.#instance.store.drop(resource);
	}

	/** Handles that the guest holds now. */
	get handles(): number {
		return this.#instance.store.handles;
	}

	/** Ends what runs or waits in it; the callers get an error. Idempotent. */
	[Symbol.dispose](): void {
		try {
			this.#context.end();
		} finally {
			this.#instance.dispose(new SkerryError("guest/killed", "the sandbox was disposed"));
		}
	}
}
