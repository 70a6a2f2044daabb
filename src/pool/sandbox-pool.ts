import type { CoreSnapshot, PageMapper } from "../engine/mod.ts";
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
	/** Told how many sandboxes are in use, whenever that changes and before guest code runs. */
	readonly onCount?: (live: number) => void;
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
		this.#options.onCount?.(this.#live.size);
		const ready = this.#ready.pop();
		if (ready !== undefined) {
			ready.store.context = context;
			sandbox.use(ready);
			return sandbox;
		}
		return this.#start(sandbox);
	}

	async #start(sandbox: PooledSandbox): Promise<PooledSandbox> {
		try {
			await sandbox.start(() => this.#create(sandbox.context));
		} catch (error) {
			sandbox.end(error);
			throw error;
		}
		return sandbox;
	}

	#create(context: WasiContext): Instance {
		this.#counts.created++;
		const instance = instantiate(this.#linked, context, this.#limits);
		this.#image ??= instance.takeImage(this.#options.mapper);
		if (typeof this.#image === "object") instance.attach(this.#image);
		return instance;
	}

	#release(sandbox: PooledSandbox, instance: Instance | undefined, quiet: boolean): void {
		this.#live.delete(sandbox);
		this.#options.onCount?.(this.#live.size);
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

	/** The sandboxes in use, for whoever watches over them. */
	get live(): Iterable<PooledSandbox> {
		return this.#live;
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
	/** Guest code of `start` is on the stack, or was when it was taken down. */
	#starting = false;
	#ended = false;
	/** Rejects what is under way. */
	readonly #running = new Set<(reason: unknown) => void>();

	constructor(context: WasiContext, release: (instance: Instance | undefined, quiet: boolean) => void) {
		this.context = context;
		this.#release = release;
	}

	/** An instance that is ready. */
	use(instance: Instance): void {
		this.#instance = instance;
	}

	/** Makes an instance. Rejects with a Trap, or with the reason that `interrupt` was given. */
	start(create: () => Instance): Promise<void> {
		return this.#run(() => {
			this.#starting = true;
			try {
				if (!this.#ended) this.#instance = create();
			} finally {
				this.#starting = false;
			}
		});
	}

	get handles(): number {
		return this.#instance?.store.handles ?? 0;
	}

	/** What its core instances hold now; nothing once it has ended. */
	snapshot(): CoreSnapshot[] {
		return this.#instance?.snapshot() ?? [];
	}

	/** The guest is in a call, yet neither runs nor waits for the host: its stack was taken down from outside. */
	get lost(): boolean {
		return this.#starting || (this.#instance?.lost ?? false);
	}

	/** Calls an export by its names in the binary. Rejects with what ended the call, or with the reason that `interrupt` or `end` was given. */
	async call(path: readonly string[], args: readonly unknown[]): Promise<unknown> {
		const fn = this.#instance?.function(path);
		if (fn === undefined)
			throw new SkerryError("link/no-export", `Cannot call ${path.join("#")}: the component does not export it`);
		return await this.#run(() => fn.call(args));
	}

	/** Does what runs guest code so that it can be taken down: its caller still hears of it, and Node's own bookkeeping is not cut short. */
	async #run<T>(work: () => T | PromiseLike<T>): Promise<T> {
		const { promise, resolve, reject } = Promise.withResolvers<T>();
		let stopped = false;
		const stop = (reason: unknown): void => {
			stopped = true;
			reject(reason);
		};
		this.#running.add(stop);
		// A turn of its own, because V8 also throws away the microtasks that are due when it takes down a stack: they may be a
		// neighbour's. In it a promise's reaction, not the timer's callback nor `queueMicrotask`: around those, Node keeps a stack of
		// contexts, and ends the process when it finds one left over.
		setImmediate(() => {
			// Ended before it began, it must not begin: the instance may be another call's by now.
			const begin = (): T | PromiseLike<T> | undefined => (stopped ? undefined : work());
			void Promise.resolve()
				.then(begin)
				.then((value) => resolve(value as T), reject);
		});
		try {
			return await promise;
		} finally {
			this.#running.delete(stop);
		}
	}

	/** Ends what runs in it: whatever called into the guest gets the reason, and has the sandbox to end. */
	interrupt(reason: unknown): void {
		this.#instance?.interrupt(reason);
		for (const reject of this.#running) reject(reason);
	}

	/** Ends what runs in it and gives everything back. Idempotent; whatever called into the guest gets the first reason. */
	end(reason: unknown): void {
		if (this.#ended) return;
		this.#ended = true;
		const instance = this.#instance;
		const quiet = instance?.quiet ?? true;
		this.interrupt(reason);
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
