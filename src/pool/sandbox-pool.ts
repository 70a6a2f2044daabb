import type { CoreSnapshot, Growth, PageMapper } from "../engine/mod.ts";
import { type Limits, SkerryError, withDefaultLimits } from "../fault/mod.ts";
import { type Instance, type InstanceImage, instantiate, type Linked } from "../link/mod.ts";
import { createWasiContext, type WasiContext, type WasiOptions } from "../wasi/mod.ts";

/** What is in use now. All zero when no call is under way: anything else is a leak. */
export interface PoolUsage {
	readonly sandboxes: number;
	/** Handles in the tables of those sandboxes. */
	readonly handles: number;
}

/** What became of instances so far. */
export interface PoolCounts {
	/** Calls that were given a sandbox. */
	readonly acquired: number;
	/** Instances that were made for them. */
	readonly created: number;
	/** Instances that were put back into the state of the image. */
	readonly reset: number;
	/** Bytes of memories that were written for that. */
	readonly restoredBytes: number;
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
	/** What each sandbox may take; what is left out has its default. */
	readonly limits?: Limits;
	/** Asked before the memories or tables of a sandbox grow within its limits; false refuses. */
	readonly onGrow?: (growth: Growth) => boolean;
	/** Whose sandboxes they are, for errors. */
	readonly app?: string;
}

/** As many as the requests that a busy server works on at a time. */
const DEFAULT_WARM = 64;

/**
 * The sandboxes of one component. Each serves one call; then its instance is put back into the state that it had right after
 * instantiation, exactly, and kept for another call, or thrown away when that is not possible.
 */
export class SandboxPool {
	readonly #linked: Linked;
	readonly #options: PoolOptions;
	readonly #warm: number;
	readonly #limits: Limits;
	readonly #ready: Instance[] = [];
	readonly #live = new Set<PooledSandbox>();
	/** `undefined` before the first instance; a text says why there is none. */
	#image: InstanceImage | string | undefined;
	readonly #counts = { acquired: 0, created: 0, reset: 0, restoredBytes: 0, discarded: 0 };
	/** Set by `close`. */
	#closed: { readonly reason: unknown } | undefined;

	constructor(linked: Linked, options: PoolOptions) {
		this.#linked = linked;
		this.#options = options;
		this.#warm = options.warm ?? DEFAULT_WARM;
		this.#limits = withDefaultLimits(options.limits);
		if (this.#warm === 0) this.#image = "no instance is to be kept";
	}

	get counts(): PoolCounts {
		return { ...this.#counts };
	}

	/** Instances that are ready. */
	get idle(): number {
		return this.#ready.length;
	}

	/** Why every call gets a new instance; `undefined` where instances are reset, and before the first call. */
	get freshBecause(): string | undefined {
		return typeof this.#image === "string" ? this.#image : undefined;
	}

	/** At once when an instance is ready. Rejects with a Trap when a start function of the component traps, and with what `close` was given once that was called. */
	acquire(): PooledSandbox | Promise<PooledSandbox> {
		if (this.#closed !== undefined) return rejected(this.#closed.reason);
		this.#counts.acquired++;
		const context = createWasiContext(this.#options.wasi());
		const sandbox = new PooledSandbox(context, (instance, quiet) => this.#release(sandbox, instance, quiet));
		this.#live.add(sandbox);
		const ready = this.#ready.pop();
		if (ready !== undefined) {
			ready.store.context = context;
			sandbox.use(ready);
			return sandbox;
		}
		try {
			sandbox.use(this.#create(context));
		} catch (error) {
			sandbox.end(error);
			return rejected(error);
		}
		return sandbox;
	}

	#create(context: WasiContext): Instance {
		this.#counts.created++;
		const { app, mapper, onGrow } = this.#options;
		const image = this.#image;
		const kept = typeof image !== "string";
		const instance = instantiate(this.#linked, context, this.#limits, app, {
			mapper: kept ? mapper : undefined,
			image: kept ? image : undefined,
			onGrow,
		});
		// To be made has the limits of a call of its own: the one that it is made for, or kept for, has them whole.
		instance.begin();
		if (image === undefined) {
			this.#image = instance.takeImage(mapper);
			if (typeof this.#image === "object") instance.attach(this.#image);
		}
		return instance;
	}

	#release(sandbox: PooledSandbox, instance: Instance | undefined, quiet: boolean): void {
		this.#live.delete(sandbox);
		if (instance === undefined) return;
		if (quiet) this.#recycle(instance);
		// A guest that was ended in a call is still unwinding; what waits for it in microtasks comes first.
		else setImmediate(() => this.#recycle(instance));
	}

	#recycle(instance: Instance): void {
		const wanted = typeof this.#image === "object" && this.#closed === undefined && this.#ready.length < this.#warm;
		const restored = wanted && instance.quiet ? instance.reset(undefined) : undefined;
		if (restored === undefined) {
			this.#counts.discarded++;
			return;
		}
		this.#counts.reset++;
		this.#counts.restoredBytes += restored;
		this.#ready.push(instance);
	}

	usage(): PoolUsage {
		let handles = 0;
		for (const sandbox of this.#live) handles += sandbox.handles;
		return { sandboxes: this.#live.size, handles };
	}

	/** Ends every sandbox: their callers get `reason`. */
	close(reason: unknown): void {
		this.#closed = { reason };
		for (const sandbox of this.#live) sandbox.end(reason);
		this.#ready.length = 0;
		if (typeof this.#image === "object") for (const core of this.#image.cores) core[Symbol.dispose]();
		this.#image = "the pool is closed";
	}
}

async function rejected(reason: unknown): Promise<never> {
	throw reason;
}

/** One call's sandbox: an instance of the component and its WASI context. */
export class PooledSandbox {
	readonly context: WasiContext;
	#instance: Instance | undefined;
	readonly #release: (instance: Instance | undefined, quiet: boolean) => void;
	/** Set by `end`. */
	#ended: { readonly reason: unknown } | undefined;

	constructor(context: WasiContext, release: (instance: Instance | undefined, quiet: boolean) => void) {
		this.context = context;
		this.#release = release;
	}

	/** The instance that serves it. */
	use(instance: Instance): void {
		this.#instance = instance;
	}

	get handles(): number {
		return this.#instance?.store.handles ?? 0;
	}

	/** What its core instances hold now; nothing once it has ended. */
	snapshot(): CoreSnapshot[] {
		return this.#instance?.snapshot() ?? [];
	}

	/** Calls an export by its names in the binary. Rejects with what ended the call, or with the reason that `end` was given. */
	async call(path: readonly string[], args: readonly unknown[]): Promise<unknown> {
		const result = await this.start(path, args);
		// Whoever ended it in the same turn came first.
		if (this.#ended !== undefined) throw this.#ended.reason;
		return result;
	}

	/** As `call`, but returns or throws at once when the guest did so without a wait. */
	start(path: readonly string[], args: readonly unknown[]): unknown {
		const fn = this.#instance?.function(path);
		if (fn === undefined)
			throw new SkerryError("link/no-export", `Cannot call ${path.join("#")}: the component does not export it`);
		let result: unknown;
		try {
			result = fn.call(args);
		} catch (error) {
			throw this.#reason(error);
		}
		if (result instanceof Promise) return this.#settled(result);
		// What it is may be in what has been given back.
		if (this.#ended !== undefined) throw this.#ended.reason;
		return result;
	}

	async #settled(returned: Promise<unknown>): Promise<unknown> {
		let result: unknown;
		try {
			result = await returned;
		} catch (error) {
			throw this.#reason(error);
		}
		if (this.#ended !== undefined) throw this.#ended.reason;
		return result;
	}

	#reason(error: unknown): unknown {
		return this.#ended === undefined ? error : this.#ended.reason;
	}

	/** Ends what runs in it and gives everything back. Idempotent; whatever called into the guest gets the first reason. */
	end(reason: unknown): void {
		if (this.#ended !== undefined) return;
		this.#ended = { reason };
		const instance = this.#instance;
		const quiet = instance?.quiet ?? true;
		// From here on the instance is another call's.
		this.#instance = undefined;
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
