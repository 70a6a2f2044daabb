import { type GuestResource, isAsync } from "../abi/mod.ts";
import type { ComponentType, ExternType } from "../component/mod.ts";
import { type CompileCache, limitStacks, type PageMapper, watchdogReady, webAssembly } from "../engine/mod.ts";
import { inFile, type Limits, type MeteringMode, SkerryError, withDefaultLimits } from "../fault/mod.ts";
import {
	composeComponents,
	type Features,
	type GuestMemory,
	type HostImports,
	type Instance,
	type Linked,
	linkComponent,
	linkComposed,
	linkCoreModule,
	type LinkOptions,
	loadCoreModule,
	openComponent,
} from "../link/mod.ts";
import { createCompileCache, findPageMapper, SandboxPool, SharedSlots } from "../pool/mod.ts";
import { createWasiContext, WASI_HOST, WASI_P1, type WasiContext } from "../wasi/mod.ts";
import { isCoreModule } from "../wasm/mod.ts";
import type { Composition } from "./compose.ts";
import { strayCoreImports, toCoreModules } from "./core-imports.ts";
import {
	bindSync,
	callExport,
	createExports,
	type ExportedFunction,
	type Exports,
	type ExportType,
	isPlain,
	settle,
	type SyncExports,
	typeOf,
} from "./exports.ts";
import { type Grants, type GrantsAndLimit, SHARED_CLIENT, toWasiOptions } from "./grants.ts";
import { type Imports, toHostImports } from "./imports.ts";
import { findInside } from "./inside.ts";
import { checkFuel, checkOptions } from "./options.ts";
import { type Caller, ResourceClasses } from "./resources.ts";
import { nameOf, readSource, type Source } from "./source.ts";

/** How guests are run. */
interface GuestOptions {
	/**
	 * What each sandbox may take; what is left out has its default (`skerry help limits` lists them). `stack` is one for all of the process, and
	 * given to `Engine` before any guest is called.
	 */
	readonly limits?: Limits;
	/** How guests are stopped that hold the thread. */
	readonly metering?: MeteringMode;
	/** What the specification still gates; each is off by default, and a component that needs one is refused by its name. */
	readonly features?: Features;
	/**
	 * Lets guests cancel a read or write synchronously while the end of the stream or future is in a waitable set. The specification traps
	 * there, and so does the default; guests built before that became final (wit-bindgen of 2025) rely on it.
	 */
	readonly lenientCancel?: boolean;
	/**
	 * Told when a stream that was given to a guest fails: for the guest it ends there, as streams of components know no errors. By default
	 * a warning of the process.
	 */
	readonly onStreamError?: (error: unknown) => void;
}

/** What `skerry bindgen` writes of a component: `engine.load<Shop>(source, { imports })`. */
export interface World {
	readonly imports: object;
	readonly exports: object;
}

/** A component of which no types were made. */
interface AnyWorld {
	readonly imports: Imports;
	readonly exports: Exports;
}

export interface LoadOptions<I extends object = Imports> extends GuestOptions {
	/** What the host gives beside WASI. An interface of WASI given here takes the place of Skerry's own. */
	readonly imports?: I;
	/** What each sandbox gets of WASI unless `instantiate` says otherwise. By default nothing: no arguments, no environment, no network. */
	readonly wasi?: Grants;
	/** What errors call whose limits these are. */
	readonly app?: string;
	/** Sandboxes that are kept ready between calls of `exports`; after a burst there are more for some seconds. 0 makes a new one for each. */
	readonly warm?: number;
	/**
	 * Sandboxes of its own. By default components of one engine that differ in nothing but their initial state (scripts in the same
	 * JavaScript engine, say) share theirs: one that was put back into the state of one component is put into that of another.
	 */
	readonly dedicated?: boolean;
}

export interface CallOptions {
	/**
	 * Of a component, whose calls have a sandbox each: ends the call, and its sandbox with the streams and futures that it gave, for the signal's
	 * reason. Of a sandbox that is kept: cancels the guest's task, where the export is async. The guest is told, and the call is rejected
	 * with the reason once it has given way; one that returns nevertheless has returned. Nothing else in the sandbox is touched.
	 */
	readonly signal?: AbortSignal;
}

export interface InstantiateOptions {
	readonly wasi?: Grants;
	/** In place of those that the component was loaded with. */
	readonly limits?: Limits;
}

export interface EngineOptions extends GuestOptions {
	/**
	 * The folder in which rewritten modules are kept for the next process, or `false` for none. By default `modules` in
	 * `$SKERRY_CACHE_DIR`, else in `skerry` in `$XDG_CACHE_HOME` or `~/.cache`. Whoever can write to it decides what runs.
	 */
	readonly cache?: string | false;
	/** Told once of what the system refuses, that folder or memory: everything goes on without. By default a warning of the process. */
	readonly onWarning?: (message: string) => void;
}

/** Compiles and runs components and core modules. Core modules that several components share are compiled once per engine. */
export class Engine {
	readonly #cache: CompileCache;
	readonly #slots = new SharedSlots();
	readonly #options: EngineOptions;

	/**
	 * @param options for all that it loads, unless `load` says otherwise
	 * @throws SkerryError `engine/options`; `engine/unsupported-platform` on an engine without JavaScript Promise Integration (Node.js before 26)
	 */
	constructor(options: EngineOptions = {}) {
		webAssembly();
		checkOptions("make the engine", options);
		if (options.limits?.stack !== undefined) limitStacks(options.limits.stack);
		this.#cache = createCompileCache(options);
		this.#options = options;
	}

	/**
	 * Decodes, validates, links and compiles a component or a core module. What a core module imports of WASI 0.1 is there.
	 * @throws SkerryError `engine/options`, `cli/file-not-found`, `binary/*`, `component/invalid`, `link/*`, `core/invalid`, `engine/watchdog`, with a byte offset where there is one
	 */
	async load<W extends World = AnyWorld>(
		source: Source,
		options: LoadOptions<W["imports"]> = {},
	): Promise<Component<W["exports"]>> {
		checkOptions("load the guest", options);
		const file = nameOf(source);
		try {
			const loaded = await this.#link(
				await readSource(source),
				(options.imports ?? {}) as Imports,
				this.#linkOptions(options),
			);
			return await this.#create(loaded, options);
		} catch (error) {
			throw file === undefined ? error : inFile(error, file);
		}
	}

	/**
	 * Links components to one another and loads the whole: it is called, limited, pooled and reset as one component. Arguments of
	 * strings and integers are copied once, from memory to memory; results are lifted and lowered.
	 * @throws SkerryError as `load` does, and `link/graph`, which lists all that does not fit, by node, import and export
	 */
	async compose<W extends World = AnyWorld>(
		composition: Composition,
		options: LoadOptions<W["imports"]> = {},
	): Promise<Component<W["exports"]>> {
		checkOptions("load the guest", options);
		checkOptions("compose", composition);
		const linkOptions = this.#linkOptions(options);
		const nodes = await Promise.all(
			Object.entries(composition.nodes).map(async ([name, source]) => {
				try {
					return [name, await openComponent(await readSource(source), this.#cache, linkOptions)] as const;
				} catch (error) {
					throw inFile(error, nameOf(source) ?? name);
				}
			}),
		);
		const { edges, exports } = composition;
		const composed = composeComponents({ nodes: new Map(nodes), edges, exports });
		const given = (options.imports ?? {}) as Imports;
		const linked = await linkToHost(composed.resolved.type, given, (host) =>
			linkComposed(composed, host, this.#cache, linkOptions),
		);
		return await this.#create({ kind: "component", linked, imports: [...linked.plan.imports.keys()] }, options);
	}

	#linkOptions(options: GuestOptions): LinkOptions {
		const { metering, features, lenientCancel } = this.#options;
		return {
			metering: options.metering ?? metering,
			features: { ...features, ...options.features },
			lenientCancel: options.lenientCancel ?? lenientCancel,
		};
	}

	async #create<E extends object>(loaded: Loaded, options: Omit<LoadOptions, "imports">): Promise<Component<E>> {
		const limits = withDefaultLimits({ ...this.#options.limits, ...options.limits });
		checkFuel(limits, loaded.linked.metering);
		// By default an embedder's streams get all that is written.
		const output = options.limits?.output ?? this.#options.limits?.output;
		const grants: GrantsAndLimit = { ...options.wasi, ...(output === undefined ? {} : { outputLimit: output }) };
		const { app, dedicated = false, warm = WARM } = options;
		// Whose time is limited is not called while nobody could stop it.
		if (loaded.linked.metering !== "off" && Math.min(limits.cpu, limits.wall) < Infinity) await watchdogReady();
		// Where every call gets a new instance, nothing is put back.
		const mapper = warm === 0 ? undefined : findPageMapper(this.#options.onWarning);
		const onStreamError = options.onStreamError ?? this.#options.onStreamError ?? warnOfStream;
		const slots = dedicated ? undefined : this.#slots;
		return new Component({ ...loaded, limits, grants, warm, app, mapper, slots, onStreamError });
	}

	async #link(bytes: Uint8Array, given: Imports, options: LinkOptions): Promise<Loaded> {
		if (isCoreModule(bytes)) {
			const loaded = loadCoreModule(bytes);
			const { imports } = loaded.interface;
			const stray = strayCoreImports(given, imports);
			if (stray.length > 0) throw strayError("core module", stray);
			const linked = await linkCoreModule(loaded, [...toCoreModules(given), WASI_P1], this.#cache, options);
			return { kind: "core module", linked, imports: imports.map(({ module, name }) => `${module}.${name}`) };
		}
		const loaded = await openComponent(bytes, this.#cache, options);
		const linked = await linkToHost(loaded.type, given, (host) => linkComponent(loaded, host, this.#cache, options));
		return { kind: "component", linked, imports: [...linked.plan.imports.keys()] };
	}
}

/** What was linked, and what it is. */
interface Loaded {
	readonly kind: "component" | "core module";
	readonly linked: Linked;
	/** Names of its imports. */
	readonly imports: readonly string[];
}

interface ComponentInit extends Loaded {
	readonly limits: Limits;
	readonly grants: GrantsAndLimit;
	readonly warm: number;
	readonly mapper: PageMapper | undefined;
	readonly slots: SharedSlots | undefined;
	readonly app: string | undefined;
	readonly onStreamError: (error: unknown) => void;
}

function warnOfStream(error: unknown): void {
	const why = error instanceof Error ? error.message : String(error);
	process.emitWarning(`a stream that was given to a guest failed, and ended for it: ${why}`, "SkerryWarning");
}

function strayError(kind: Loaded["kind"], stray: readonly string[]): SkerryError {
	return new SkerryError("link/missing-imports", `Cannot link the ${kind}: it does not import ${stray.join(", ")}`);
}

async function linkToHost(
	type: ComponentType,
	given: Imports,
	link: (host: HostImports) => Promise<Linked>,
): Promise<Linked> {
	const guarded = hasAsync(type.imports) || hasAsync(type.exports);
	const linked = await link(hostImports(type, given, guarded));
	// Tasks of which its world says nothing: only the plan tells. Its modules are compiled by now.
	return linked.plan.async && !guarded ? await link(hostImports(type, given, true)) : linked;
}

function hostImports(type: ComponentType, imports: Imports, guarded: boolean): HostImports {
	const { host, stray } = toHostImports(type.imports, imports, guarded);
	if (stray.length > 0) throw strayError("component", stray);
	return { ...WASI_HOST, ...host, interfaces: [...host.interfaces, ...WASI_HOST.interfaces] };
}

/** Whether there is a function whose calls are tasks. */
function hasAsync(types: ReadonlyMap<string, ExternType>): boolean {
	return [...types.values()].some((type) =>
		type.kind === "instance" ? hasAsync(type.type.exports) : type.kind === "func" && isAsync(type.type),
	);
}

/** Sandboxes of a component that are kept ready for calls of its `exports`: they cost the pages that a call writes. */
const WARM = 16;
/** Why a sandbox ends after its call; made once, for a stack costs more than the reset. */
const CALL_OVER = new SkerryError("guest/killed", "the call is over");

/** A component, or a core module, that is ready to run. */
export class Component<E extends object = Exports> {
	readonly kind: "component" | "core module";
	/** The names of what it imports, as in the binary; of a core module `module.name`. */
	readonly imports: readonly string[];
	/**
	 * The exported functions. Each call gets a fresh sandbox, which ends with the call: no call sees what another left behind.
	 * For calls that share state, or return resources, or whose memory you want to read, use `instantiate`.
	 */
	readonly exports: E;
	readonly #plan: Linked["plan"];
	readonly #grants: GrantsAndLimit;
	readonly #limits: Limits;
	readonly #metering: MeteringMode;
	readonly #pool: SandboxPool;
	readonly #onStreamError: (error: unknown) => void;

	/** Made by `Engine.load`. */
	constructor({ linked, kind, imports, grants, limits, warm, mapper, slots, app, onStreamError }: ComponentInit) {
		this.#onStreamError = onStreamError;
		this.kind = kind;
		this.imports = imports;
		this.#plan = linked.plan;
		this.#metering = linked.metering;
		this.#grants = grants;
		this.#limits = limits;
		this.#pool = new SandboxPool(linked, {
			wasi: () => toWasiOptions(grants, SHARED_CLIENT),
			warm,
			slots,
			mapper,
			limits,
			...(app === undefined ? {} : { app }),
		});
		this.exports = createExports(
			linked.plan.exports,
			(path) =>
				(...args) =>
					this.call(path, args),
		) as E;
	}

	/** The names of what it exports, as in the binary. */
	get exportNames(): readonly string[] {
		return [...this.#plan.exports.keys()];
	}

	/** The type of a function that a core module exports: `{ params: ["i32"], results: [] }`; `undefined` where there is none. */
	coreType(name: string): { readonly params: readonly string[]; readonly results: readonly string[] } | undefined {
		const found = this.#plan.exports.get(name);
		return found?.kind === "core" ? found.type : undefined;
	}

	/**
	 * Calls an export in a fresh sandbox, by its names in the binary: `["wasi:cli/run@0.2.3", "run"]`; of a core module `["_start"]`. The
	 * sandbox ends with the call; where components are asynchronous, once the guest's tasks have ended, and the streams and futures between
	 * it and the host, too.
	 */
	async call(path: readonly string[], args: readonly unknown[], { signal }: CallOptions = {}): Promise<unknown> {
		const type = typeOf(this.#plan.exports, path);
		const sandbox = await this.#pool.acquire();
		const abort = (): void => sandbox.end(signal?.reason);
		const end = (): void => {
			signal?.removeEventListener("abort", abort);
			sandbox.end(CALL_OVER);
		};
		signal?.addEventListener("abort", abort);
		sandbox.report = this.#onStreamError;
		let settled: Promise<void> | undefined;
		try {
			return await callExport(type, path.join("#"), args, async (values) => {
				signal?.throwIfAborted();
				const result = await sandbox.call(path, values);
				if (this.#plan.async) settled = sandbox.settled;
				return result;
			});
		} finally {
			if (settled === undefined) end();
			else void settled.then(end);
		}
	}

	/**
	 * A sandbox of its own, kept until it is disposed.
	 * @throws SkerryError `engine/options`
	 */
	instantiate(options: InstantiateOptions = {}): Sandbox<E> {
		checkOptions("make the sandbox", options);
		const limits = { ...this.#limits, ...options.limits };
		checkFuel(limits, this.#metering);
		const grants = toWasiOptions({ ...this.#grants, ...options.wasi }, SHARED_CLIENT);
		const context = createWasiContext(grants, { buffered: withDefaultLimits(limits).buffered });
		return new Sandbox(this.#plan, context, () => {
			const instance = this.#pool.instantiate(context, limits);
			instance.store.report = this.#onStreamError;
			return instance;
		});
	}
}

/** One instance of a component or core module with its own memories, handles and grants. Dispose it when done: `using sandbox = component.instantiate()`. */
export class Sandbox<E extends object = Exports> implements Disposable {
	readonly exports: E;
	readonly #plan: Linked["plan"];
	readonly #instance: Instance;
	readonly #context: WasiContext;
	readonly #classes: ResourceClasses;
	/** Its guest cannot call the host. */
	readonly #cannotWait: boolean;
	#sync: SyncExports<E> | undefined;
	#calls = 0;
	#disposed = false;
	/** Destructors that run, or wait. */
	#dropping: Promise<void> | undefined;

	/** Made by `Component.instantiate`. */
	constructor(plan: Linked["plan"], context: WasiContext, instantiate: () => Instance) {
		this.#plan = plan;
		this.#context = context;
		try {
			this.#instance = instantiate();
		} catch (error) {
			context.end();
			throw error;
		}
		this.#cannotWait = this.#instance.beginEachCall();
		const caller: Caller = (path, args) => this.call(path, args);
		this.#classes = new ResourceClasses(caller, (resource) => this.drop(resource));
		this.exports = createExports(plan.exports, (path, type) => this.#bind(path, type), this.#classes) as E;
	}

	#bind(path: readonly string[], type: ExportType): ExportedFunction {
		const call: ExportedFunction = (...args) => this.call(path, args);
		if (this.#plan.async) return this.#bindAtOnce(path, type, call);
		if (!this.#cannotWait) return call;
		let sync: ((...args: unknown[]) => unknown) | undefined;
		return (...args) => {
			if (this.#disposed || args.length !== type.params.length) return call(...args);
			try {
				return Promise.resolve((sync ??= this.#bindSync(path, type))(...args));
			} catch (error) {
				return Promise.reject(error);
			}
		};
	}

	/** Calls of an asynchronous component that find everything at rest mostly return at once: these need nothing but the promise they give. */
	#bindAtOnce(path: readonly string[], type: ExportType, call: ExportedFunction): ExportedFunction {
		const found = this.#instance.function(path);
		if (found === undefined || !("invoke" in found) || found.invoke === undefined) return call;
		const { invoke } = found;
		const name = path.join("#");
		const { length } = type.params;
		const plain = isPlain(type);
		return (...args) => {
			const rests = this.#calls === 0 && this.#dropping === undefined && this.#instance.isSettled;
			if (!rests || this.#disposed || args.length !== length) return call(...args);
			this.#instance.begin();
			// It counts from here, also for what the host's own code calls while its arguments are looked at.
			this.#calls = 1;
			let given: unknown;
			try {
				given = invoke(...args);
			} catch (error) {
				given = Promise.reject(error);
			}
			this.#calls = 0;
			if (!(given instanceof Promise) && this.#instance.isSettled) {
				return plain ? Promise.resolve(given) : settle(type, given, this.#classes.wardrobe);
			}
			const goOn = (): Promise<unknown> => this.#limited(() => given, false);
			return callExport(type, name, args, goOn, this.#classes.wardrobe);
		};
	}

	/**
	 * The exported functions once more, which return what the guest does at once: for calls that are too short to be awaited. Limits count
	 * for each of them. There are none where a call could wait: where the component imports functions (WASI's, too) or is asynchronous.
	 * @throws SkerryError `call/may-wait`
	 */
	get sync(): SyncExports<E> {
		if (!this.#cannotWait) {
			throw new SkerryError(
				"call/may-wait",
				"Cannot call the sandbox without a promise: its guest may wait for the host",
				{
					hint: "use `exports`, and await its functions",
				},
			);
		}
		return (this.#sync ??= createExports(this.#plan.exports, (path, type) =>
			this.#bindSync(path, type),
		) as SyncExports<E>);
	}

	#bindSync(path: readonly string[], type: ExportType): (...args: unknown[]) => unknown {
		const found = this.#instance.function(path);
		const name = path.join("#");
		const call = (...args: unknown[]): unknown => {
			if (this.#disposed) throw disposedError(name);
			this.#instance.begin();
			return found?.call(args);
		};
		const invoke = found !== undefined && "invoke" in found ? found.invoke : call;
		return bindSync(type, name, invoke, this.#classes.wardrobe);
	}

	/** Calls an export by its names in the binary: `["wasi:cli/run@0.2.3", "run"]`; of a core module `["_start"]`. */
	async call(path: readonly string[], args: readonly unknown[], { signal }: CallOptions = {}): Promise<unknown> {
		const type = typeOf(this.#plan.exports, path);
		const name = path.join("#");
		signal?.throwIfAborted();
		if (this.#disposed) throw disposedError(name);
		const waits = this.#plan.async ? findInside(this.#context) : undefined;
		if (waits !== undefined) {
			throw new SkerryError(
				"call/reentrant",
				`Cannot call ${name}: the sandbox waits for ${waits}, which makes the call`,
				{
					hint: "make the call when the function has returned, or let the world import it as async",
				},
			);
		}
		// A guest is entered once at a time
		if (this.#dropping !== undefined) await this.#dropping;
		const call = (values: readonly unknown[]): unknown =>
			this.#limited(() => this.#instance.function(path)?.call(values, signal));
		return await callExport(type, name, args, call, this.#classes.wardrobe);
	}

	/** The limits of a call count from its start; calls that are under way at the same time have them together. */
	async #limited(call: () => unknown, begins = true): Promise<unknown> {
		if (this.#calls++ === 0 && begins) this.#instance.begin();
		try {
			return await call();
		} finally {
			this.#calls--;
			// Tasks go on after they have returned.
			if (this.#plan.async) void this.#instance.settled;
		}
	}

	/** A memory that a core module exports. */
	memory(name = "memory"): GuestMemory {
		return this.#instance.memory(name);
	}

	/** Drops a resource of the guest that a call returned: its destructor runs. Calls that are made meanwhile begin after it. */
	async drop(resource: GuestResource): Promise<void> {
		if (this.#disposed) return;
		while (this.#dropping !== undefined) await this.#dropping;
		const dropping = this.#limited(() => this.#instance.store.drop(resource)) as Promise<void>;
		const settled = dropping
			.catch(() => {})
			.then(() => {
				if (this.#dropping === settled) this.#dropping = undefined;
			});
		this.#dropping = settled;
		await dropping;
	}

	/** Handles that the guest holds now. */
	get handles(): number {
		return this.#instance.store.handles;
	}

	/** Ends what runs or waits in it; the callers get an error. Idempotent. */
	[Symbol.dispose](): void {
		this.#disposed = true;
		try {
			this.#context.end();
		} finally {
			this.#instance.dispose(new SkerryError("guest/killed", "the sandbox was disposed"));
		}
	}
}

function disposedError(name: string): SkerryError {
	return new SkerryError("guest/killed", `Cannot call ${name}: the sandbox was disposed`);
}
