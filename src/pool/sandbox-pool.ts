import type { PageMapper } from "../engine/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { type Instance, type InstanceImage, instantiate, type Linked } from "../link/mod.ts";
import { createWasiContext, type WasiContext, type WasiOptions } from "../wasi/mod.ts";

/** What is in use now. All but `warm` are zero when no call is under way: anything else is a leak. */
export interface PoolUsage {
	readonly sandboxes: number;
	/** Handles in the tables of those sandboxes. */
	readonly handles: number;
}

/** What became of sandboxes so far. */
export interface PoolCounts {
	/** Calls that were given a sandbox. */
	readonly acquired: number;
	/** Instances that were made for them. */
	readonly created: number;
	/** Instances that were put back into the state of the image. */
	readonly reset: number;
	/** Instances that could not be, or for which there was no room. */
	readonly discarded: number;
}

export interface PoolOptions {
	/** What the next sandbox gets of WASI; called once for each. */
	readonly wasi: () => WasiOptions;
	/** Instances that are kept ready, at most. 0 makes a new one for every call (strategy `fresh`). */
	readonly warm?: number;
	/** Copy-on-write memory, where the system has it. */
	readonly mapper?: PageMapper | undefined;
}

/** As many as requests that a busy server works on at a time. */
const DEFAULT_WARM = 64;

/**
 * The sandboxes of one component. Each is made for one call; afterwards its instance is put back into the state that it had right
 * after instantiation, exactly, and kept for another call, or thrown away when that is not possible.
 */
export class SandboxPool {
	readonly #linked: Linked;
	readonly #options: PoolOptions;
	readonly #warm: number;
	readonly #ready: Instance[] = [];
	readonly #live = new Set<PooledSandbox>();
	/** `undefined` before the first instance; a text says why there is none. */
	#image: InstanceImage | string | undefined;
	readonly #counts = { acquired: 0, created: 0, reset: 0, discarded: 0 };
	#closed = false;

	constructor(linked: Linked, options: PoolOptions) {
		this.#linked = linked;
		this.#options = options;
		this.#warm = options.warm ?? DEFAULT_WARM;
		if (this.#warm === 0) this.#image = "no instance is to be kept";
	}

	get counts(): PoolCounts {
		return { ...this.#counts };
	}

	/** Why every call gets a new instance; `undefined` where instances are reset, or none was made yet. */
	get freshBecause(): string | undefined {
		return typeof this.#image === "string" ? this.#image : undefined;
	}

	/** @throws Trap when a start function of the component traps */
	acquire(): PooledSandbox {
		this.#counts.acquired++;
		const context = createWasiContext(this.#options.wasi());
		const sandbox = new PooledSandbox(context, (instance, quiet) => this.#release(sandbox, instance, quiet));
		this.#live.add(sandbox);
		try {
			sandbox.start((store) => this.#take(store));
		} catch (error) {
			sandbox.end(error);
			throw error;
		}
		return sandbox;
	}

	#take(context: WasiContext): Instance {
		const ready = this.#ready.pop();
		if (ready !== undefined) {
			ready.store.context = context;
			return ready;
		}
		this.#counts.created++;
		const instance = instantiate(this.#linked, context);
		this.#image ??= instance.takeImage(this.#options.mapper);
		if (typeof this.#image === "object") instance.attach(this.#image);
		return instance;
	}

	#release(sandbox: PooledSandbox, instance: Instance | undefined, quiet: boolean): void {
		this.#live.delete(sandbox);
		if (instance === undefined) return;
		if (quiet) this.#recycle(instance);
		// A guest that was killed in a call is still unwinding; what waits for it in microtasks comes first.
		else setImmediate(() => this.#recycle(instance));
	}

	#recycle(instance: Instance): void {
		const wanted = typeof this.#image === "object" && !this.#closed && this.#ready.length < this.#warm;
		if (wanted && instance.quiet && instance.reset(undefined)) {
			this.#counts.reset++;
			this.#ready.push(instance);
		} else this.#counts.discarded++;
	}

	usage(): PoolUsage {
		let handles = 0;
		for (const sandbox of this.#live) handles += sandbox.handles;
		return { sandboxes: this.#live.size, handles };
	}

	/** The sandboxes in use, for whoever watches over them. */
	get live(): Iterable<PooledSandbox> {
		return this.#live;
	}

	/** Ends every sandbox: their callers get `reason`. */
	close(reason: unknown): void {
		this.#closed = true;
		for (const sandbox of this.#live) sandbox.end(reason);
		this.#ready.length = 0;
		if (typeof this.#image === "object") for (const core of this.#image.cores) core[Symbol.dispose]();
		this.#image = "the pool is closed";
	}
}

/** One call's sandbox: an instance of the component and its WASI context. */
export class PooledSandbox {
	readonly context: WasiContext;
	#instance: Instance | undefined;
	readonly #release: (instance: Instance | undefined, quiet: boolean) => void;
	#ended = false;

	constructor(context: WasiContext, release: (instance: Instance | undefined, quiet: boolean) => void) {
		this.context = context;
		this.#release = release;
	}

	/** @throws Trap */
	start(take: (context: WasiContext) => Instance): void {
		this.#instance = take(this.context);
	}

	get handles(): number {
		return this.#instance?.store.handles ?? 0;
	}

	/** The guest is in a call, yet neither runs nor waits for the host: its stack was taken down from outside. */
	get lost(): boolean {
		return this.#instance?.lost ?? !this.#ended;
	}

	/** Calls an export by its names in the binary. */
	async call(path: readonly string[], args: readonly unknown[]): Promise<unknown> {
		const fn = this.#instance?.function(path);
		if (fn === undefined) {
			throw new SkerryError("link/no-export", `Cannot call ${path.join("#")}: the component does not export it`);
		}
		return await fn.call(args);
	}

	/** Ends what runs in it and gives everything back. Idempotent; whatever called into the guest gets the first reason. */
	end(reason: unknown): void {
		if (this.#ended) return;
		this.#ended = true;
		const instance = this.#instance;
		// From here on the instance is another call's.
		this.#instance = undefined;
		const quiet = instance?.quiet ?? true;
		// The context first: a body whose context has ended can be dropped in any order.
		try {
			this.context.end();
		} finally {
			try {
				instance?.dispose(reason);
			} finally {
				this.#release(instance, quiet);
			}
		}
	}
}
