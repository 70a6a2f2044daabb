import { SkerryError } from "../../fault/mod.ts";
import {
	isWithoutData,
	type RewriteOptions,
	type RewrittenModule,
	rewriteModule,
	splitData,
	takeData,
} from "../../rewrite/mod.ts";
import {
	type Artefact,
	artefactName,
	type ArtefactStore,
	codeName,
	decodeArtefact,
	digest,
	encodeArtefact,
	likeName,
	wayOf,
} from "./artefact.ts";
import { interruptFlag } from "../stop/flag.ts";
import { copyInitial, deriveInitial, type StartState } from "../memory/initial-state.ts";
import { webAssembly, type WasmModule } from "../v8/v8.ts";
import { WeakTable } from "./weak-table.ts";

/** A guest's core module, rewritten and compiled. Holds nothing of the bytes that it was made from. */
export interface LoadedModule extends Omit<RewrittenModule, "bytes" | "initial"> {
	readonly module: WasmModule;
	/** The digest of its code: equal for modules that differ in their initial state only. */
	readonly code: string;
	readonly initial: StartState;
}

/** What modules with equal code have in common. */
interface CommonParts {
	readonly edits: Uint32Array | undefined;
	/** Of the first of them. */
	readonly initial: StartState;
}

/** Code to derive others from. */
interface Like {
	readonly artefact: Artefact;
	readonly module: WasmModule;
}

export interface CompileCacheOptions {
	/** Where rewritten modules are kept between processes. */
	readonly store?: ArtefactStore | undefined;
	/** What the rewriter is, in letters and digits: another one when it may give another result. Stands in the names of what is kept. */
	readonly version?: string | undefined;
}

/** How often what became of modules; a module that was loaded before counts nowhere. */
export interface CompileCounts {
	/** Found in a store. */
	readonly found: number;
	readonly rewritten: number;
	/** Equal to one that was rewritten but for their data, which alone was taken out of them. */
	readonly derived: number;
	/** Found in a store, but of no use: what it needs is lost, or V8 refuses it. */
	readonly damaged: number;
}

/** Modules that nobody uses any more but are kept at hand, those loaded last: deploying again what was just taken down costs nothing. */
const RECENT = 8;

/**
 * Core modules by the hash of their bytes: equal modules are rewritten and compiled once per cache, in one component or in many. Those
 * that differ in initial state only are compiled once, and keep only in what they differ from the first of them. A module lives as long
 * as somebody uses it; the cache by itself holds the few that were loaded last.
 */
export class CompileCache {
	readonly #store: ArtefactStore | undefined;
	readonly #version: string;
	/** By the digest of the code. */
	readonly #modules = new WeakTable<WasmModule>();
	readonly #loaded = new WeakTable<LoadedModule>();
	readonly #recent: LoadedModule[] = [];
	/** What `prepare` has begun. */
	readonly #finding = new Map<string, Promise<LoadedModule | undefined>>();
	readonly #digests = new WeakMap<Uint8Array, Promise<string>>();
	readonly #common = new WeakMap<WasmModule, CommonParts>();
	/** What was rewritten and has no data left, by all that it was but its data. */
	readonly #likes = new WeakTable<Like>();
	readonly #writing = new Set<Promise<void>>();
	readonly #counts = { found: 0, rewritten: 0, derived: 0, damaged: 0 };

	constructor(options: CompileCacheOptions = {}) {
		this.#store = options.store;
		this.#version = options.version ?? "";
	}

	get counts(): CompileCounts {
		return { ...this.#counts };
	}

	/** Modules of V8 that it knows of and that are alive. */
	get size(): number {
		return this.#modules.size;
	}

	/**
	 * Begins to load a module, as far as other threads do it: hashing, reading what was kept, compiling. Once it is with V8, the caller goes
	 * on, and finds the rest done when it calls `load`.
	 */
	async prepare(bytes: Uint8Array, wanted: Wanted, packed?: ArtefactStore): Promise<void> {
		const options = forThisProcess(wanted);
		const original = await this.#digestOf(bytes);
		const key = keyOf(original, options);
		if (this.#loaded.get(key) !== undefined || this.#finding.has(key)) return;
		await new Promise<void>((resolve) => {
			const finding = this.#findAnywhere(original, bytes, options, packed, resolve).finally(resolve);
			this.#finding.set(key, finding);
		});
	}

	/** Waits until all that is to be kept has been written. */
	async flush(): Promise<void> {
		await Promise.all(this.#writing);
	}

	/**
	 * Rewrites and compiles a guest's module, or takes what was kept of it.
	 * @param offset where it starts in the outermost binary, for errors
	 * @param packed where to look before the cache's own store
	 */
	async load(bytes: Uint8Array, offset: number, wanted: Wanted, packed?: ArtefactStore): Promise<LoadedModule> {
		const options = forThisProcess(wanted);
		const original = await this.#digestOf(bytes);
		const key = keyOf(original, options);
		let known = this.#loaded.get(key);
		if (known === undefined) {
			const finding = this.#finding.get(key) ?? this.#findAnywhere(original, bytes, options, packed);
			this.#finding.delete(key);
			known = this.#loaded.add(
				key,
				finding.then((found) => found ?? this.#rewrite(original, bytes, offset, options)),
			);
		}
		try {
			const loaded = await known;
			this.#remember(loaded);
			return loaded;
		} catch (error) {
			// What is wrong with the guest's own bytes V8 says best of these, with their offsets.
			await this.compile(bytes, offset);
			throw error;
		}
	}

	#remember(loaded: LoadedModule): void {
		const recent = this.#recent;
		const at = recent.indexOf(loaded);
		if (at >= 0) recent.splice(at, 1);
		else if (recent.length === RECENT) recent.shift();
		recent.push(loaded);
	}

	async #rewrite(original: string, bytes: Uint8Array, offset: number, options: RewriteOptions): Promise<LoadedModule> {
		const parts = splitData(bytes);
		const likeness = parts && (await Promise.all(parts.map(digest))).join(" ");
		const derived = likeness && (await this.#derive(likeness, original, bytes, offset, options));
		if (typeof derived === "object") return derived;
		this.#counts.rewritten++;
		const { bytes: code, ...rest } = rewriteModule(bytes, offset, options);
		const artefact = { code: code === bytes ? original : await this.#digestOf(code), rest };
		const module = await this.#compileAs(artefact.code, () => code).catch((error: unknown) => {
			throw compileFault(error, offset);
		});
		// What was not proven right is not handed on to those who want it proven
		if (options.verify)
			this.#keep(artefactName(original, options, this.#version), artefact, code === bytes ? undefined : code);
		if (likeness !== undefined && isWithoutData(code)) {
			const initial = { data: [], globals: rest.initial.globals };
			const like = { artefact: { code: artefact.code, rest: { ...rest, initial } }, module };
			this.#likes.set(keyOf(likeness, options), like, module);
			if (options.verify && code !== bytes)
				this.#keep(await likeName(likeness, options, this.#version), like.artefact, undefined);
		}
		return this.#toLoaded(artefact, module);
	}

	/** Takes nothing but the data out of a module that is otherwise as one before: the code is that one's, and proven. */
	async #derive(
		likeness: string,
		original: string,
		bytes: Uint8Array,
		offset: number,
		options: RewriteOptions,
	): Promise<LoadedModule | undefined> {
		const like = (await this.#likes.get(keyOf(likeness, options))) ?? (await this.#findLike(likeness, options));
		const data = like && takeData(bytes, offset);
		if (like === undefined || data === undefined) return undefined;
		this.#counts.derived++;
		const { code, rest } = like.artefact;
		const artefact = { code, rest: { ...rest, initial: { data, globals: rest.initial.globals } } };
		if (options.verify) this.#keep(artefactName(original, options, this.#version), artefact, undefined);
		return this.#toLoaded(artefact, like.module);
	}

	/** What another process has kept. */
	async #findLike(likeness: string, options: RewriteOptions): Promise<Like | undefined> {
		const store = this.#store;
		const kept = await store?.read(await likeName(likeness, options, this.#version));
		const artefact = kept && decodeArtefact(kept);
		if (store === undefined || artefact === undefined) return undefined;
		try {
			const module = await this.#compileAs(artefact.code, async () => {
				const code = await store.read(codeName(artefact.code));
				if (code === undefined) throw new Error("its code is lost");
				return code;
			});
			const like = { artefact, module };
			this.#likes.set(keyOf(likeness, options), like, module);
			return like;
		} catch {
			this.#counts.damaged++;
			return undefined;
		}
	}

	/** @param onCompiling told when there is nothing left to do but to wait for V8 */
	async #findAnywhere(
		original: string,
		bytes: Uint8Array,
		options: RewriteOptions,
		packed: ArtefactStore | undefined,
		onCompiling?: () => void,
	): Promise<LoadedModule | undefined> {
		const name = artefactName(original, options, this.#version);
		for (const store of [packed, this.#store]) {
			const found = store && (await this.#find(store, name, original, bytes, onCompiling));
			if (found === undefined) continue;
			this.#counts.found++;
			return found;
		}
		return undefined;
	}

	/** @returns `undefined` when it is not there, or of no use */
	async #find(
		store: ArtefactStore,
		name: string,
		original: string,
		bytes: Uint8Array,
		onCompiling: (() => void) | undefined,
	): Promise<LoadedModule | undefined> {
		const kept = await store.read(name);
		if (kept === undefined) return undefined;
		const artefact = decodeArtefact(kept);
		try {
			if (artefact === undefined) throw new Error("it is not an artefact");
			const compiling = this.#compileAs(artefact.code, async () => {
				const code = artefact.code === original ? bytes : await store.read(codeName(artefact.code));
				if (code === undefined) throw new Error("its code is lost");
				onCompiling?.();
				return code;
			});
			return this.#toLoaded(artefact, await compiling);
		} catch {
			this.#counts.damaged++;
			return undefined;
		}
	}

	#toLoaded({ code, rest }: Artefact, module: WasmModule): LoadedModule {
		const { sites } = rest;
		const common = this.#common.get(module);
		if (common === undefined) {
			const initial = copyInitial(rest.initial);
			this.#common.set(module, { edits: sites?.edits, initial });
			return { ...rest, code, module, initial };
		}
		const { edits } = common;
		const same = edits?.length === sites?.edits?.length && edits?.every((item, i) => item === sites?.edits?.[i]);
		return {
			...rest,
			...(sites !== undefined && same === true ? { sites: { ...sites, edits } } : {}),
			code,
			module,
			initial: deriveInitial(common.initial, rest.initial),
		};
	}

	/** @param code left out where it has been kept before, or is the guest's own */
	#keep(name: string, artefact: Artefact, code: Uint8Array | undefined): void {
		const store = this.#store;
		if (store === undefined) return;
		const write = async (): Promise<void> => {
			// The code first: what names it finds it
			if (code !== undefined) await store.write(codeName(artefact.code), code);
			await store.write(name, encodeArtefact(artefact));
		};
		const writing = write().finally(() => this.#writing.delete(writing));
		this.#writing.add(writing);
	}

	/**
	 * @param bytes a core module, preamble included
	 * @param offset where it starts in the outermost binary, for errors
	 */
	async compile(bytes: Uint8Array, offset: number): Promise<WasmModule> {
		try {
			return await this.#compileAs(await this.#digestOf(bytes), () => bytes);
		} catch (error) {
			throw compileFault(error, offset);
		}
	}

	/** Compiles code, unless it has been compiled. A failed compilation is not kept: its error carries the offset of one place, and the bytes may stand in another. */
	async #compileAs(code: string, read: () => Uint8Array | Promise<Uint8Array>): Promise<WasmModule> {
		return await (this.#modules.get(code) ??
			this.#modules.add(
				code,
				Promise.try(read).then((bytes) => webAssembly().compile(bytes)),
			));
	}

	async #digestOf(bytes: Uint8Array): Promise<string> {
		let known = this.#digests.get(bytes);
		if (known === undefined) this.#digests.set(bytes, (known = digest(bytes)));
		return await known;
	}
}

/** What checks look at follows from where they run. */
type Wanted = Omit<RewriteOptions, "check">;

function forThisProcess({ metering, verify }: Wanted): RewriteOptions {
	return { metering, verify, check: metering === "trap" ? interruptFlag().check : undefined };
}

function keyOf(original: string, options: RewriteOptions): string {
	return `${original} ${wayOf(options)} ${options.verify}`;
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
