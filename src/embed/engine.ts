import { type CompileCache, limitStacks, watchdogReady, webAssembly } from "../engine/mod.ts";
import { checkMetered, inFile, messageOf, withDefaultLimits } from "../fault/mod.ts";
import type { LinkOptions } from "../link/mod.ts";
import { createCompileCache, findPageMapper, SharedSlots } from "../pool/mod.ts";
import { checkOptions } from "./check-options.ts";
import { Component } from "./component.ts";
import type { Composition } from "./compose.ts";
import type { GrantsAndLimit } from "./grants.ts";
import type { Imports } from "./imports.ts";
import { linkBytes, linkComposition, type Loaded } from "./linking.ts";
import type { AnyWorld, EngineOptions, GuestOptions, LoadOptions, World } from "./options.ts";
import { nameOf, readSource, type Source } from "./source.ts";

/** Sandboxes of a component that are kept ready for calls of its `exports`: they cost the pages that a call writes. */
const WARM = 16;

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
	 * @throws SkerryError `engine/options`, `cli/file-not-found`, `binary/*`, `component/invalid`, `link/*`, `core/invalid`, `engine/stop/watchdog`, with a byte offset where there is one
	 */
	async load<W extends World = AnyWorld>(
		source: Source,
		options: LoadOptions<W["imports"]> = {},
	): Promise<Component<W["exports"]>> {
		checkOptions("load the guest", options);
		const file = nameOf(source);
		try {
			const given = (options.imports ?? {}) as Imports;
			const loaded = await linkBytes(await readSource(source), given, this.#cache, this.#linkOptions(options));
			return await this.#create(loaded, options);
		} catch (error) {
			throw file === undefined ? error : inFile(error, file);
		}
	}

	/**
	 * Links components to one another and loads the whole: it is called, limited, pooled and reset as one component. Strings and
	 * lists of integers are copied once, from memory to memory; strings of asynchronous functions are lifted and lowered.
	 * @throws SkerryError as `load` does, and `link/graph`, which lists all that does not fit, by node, import and export
	 */
	async compose<W extends World = AnyWorld>(
		composition: Composition,
		options: LoadOptions<W["imports"]> = {},
	): Promise<Component<W["exports"]>> {
		checkOptions("load the guest", options);
		checkOptions("compose", composition);
		const given = (options.imports ?? {}) as Imports;
		const loaded = await linkComposition(composition, given, this.#cache, this.#linkOptions(options));
		return await this.#create(loaded, options);
	}

	#linkOptions(options: GuestOptions): LinkOptions {
		const { metering, features, lenientCancel, sharedBuffers } = this.#options;
		return {
			metering: options.metering ?? metering,
			features: { ...features, ...options.features },
			lenientCancel: options.lenientCancel ?? lenientCancel,
			sharedBuffers: options.sharedBuffers ?? sharedBuffers,
		};
	}

	async #create<E extends object>(loaded: Loaded, options: Omit<LoadOptions, "imports">): Promise<Component<E>> {
		const given = { ...this.#options.limits, ...options.limits };
		checkMetered(given, loaded.linked.metering);
		const limits = withDefaultLimits(given);
		// By default an embedder's streams get all that is written.
		const output = options.limits?.output ?? this.#options.limits?.output;
		const { app, dedicated = false, warm = WARM } = options;
		const grants: GrantsAndLimit = { ...options.wasi, outputLimit: output, app };
		// Whose time is limited is not called while nobody could stop it.
		if (loaded.linked.metering !== "off" && Math.min(limits.cpu, limits.wall) < Infinity) await watchdogReady();
		// Where every call gets a new instance, nothing is put back.
		const mapper = warm === 0 ? undefined : findPageMapper(this.#options.onWarning);
		const onStreamError = options.onStreamError ?? this.#options.onStreamError ?? warnOfStream;
		const onGrow = options.onGrow ?? this.#options.onGrow;
		const slots = dedicated ? undefined : this.#slots;
		return new Component({ ...loaded, limits, grants, warm, app, mapper, slots, onGrow, onStreamError });
	}
}

function warnOfStream(error: unknown): void {
	process.emitWarning(
		`a stream that was given to a guest failed, and ended for it: ${messageOf(error)}`,
		"SkerryWarning",
	);
}
