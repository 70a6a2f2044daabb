import { SkerryError } from "../fault/mod.ts";
import { type Instance, instantiate, type Linked } from "../link/mod.ts";
import { createWasiContext, type WasiContext, type WasiOptions } from "../wasi/mod.ts";

/** What is in use now. All zero when no call is under way: anything else is a leak. */
export interface PoolUsage {
	readonly sandboxes: number;
	/** Handles in the tables of those sandboxes. */
	readonly handles: number;
}

/** The sandboxes of one component. Strategy `fresh`: each is made for one call and dropped after it. */
export class SandboxPool {
	readonly #linked: Linked;
	readonly #options: () => WasiOptions;
	readonly #maxHandles: number;
	readonly #onCount: (live: number) => void;
	readonly #live = new Set<PooledSandbox>();
	#created = 0;

	/**
	 * @param options what the next sandbox gets of WASI; called once for each
	 * @param maxHandles how many handles each component instance may have
	 * @param onCount told how many sandboxes are in use, whenever that changes and before guest code runs
	 */
	constructor(linked: Linked, options: () => WasiOptions, maxHandles: number, onCount: (live: number) => void) {
		this.#linked = linked;
		this.#options = options;
		this.#maxHandles = maxHandles;
		this.#onCount = onCount;
	}

	/** Sandboxes made so far. */
	get created(): number {
		return this.#created;
	}

	/** Rejects with a Trap when a start function of the component traps. */
	async acquire(): Promise<PooledSandbox> {
		this.#created++;
		const context = createWasiContext(this.#options());
		const sandbox = new PooledSandbox(context, () => {
			this.#live.delete(sandbox);
			this.#onCount(this.#live.size);
		});
		this.#live.add(sandbox);
		this.#onCount(this.#live.size);
		try {
			await sandbox.start(this.#linked, this.#maxHandles);
		} catch (error) {
			sandbox.end(error);
			throw error;
		}
		return sandbox;
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
		for (const sandbox of this.#live) sandbox.end(reason);
	}
}

/** One call's sandbox: an instance of the component and its WASI context. */
export class PooledSandbox {
	readonly context: WasiContext;
	#instance: Instance | undefined;
	readonly #release: () => void;
	/** Guest code of `start` is on the stack, or was when it was taken down. */
	#starting = false;
	#ended = false;
	/** Rejects what is under way. */
	readonly #running = new Set<(reason: unknown) => void>();

	constructor(context: WasiContext, release: () => void) {
		this.context = context;
		this.#release = release;
	}

	/** Instantiates the component. Rejects with a Trap, or with the reason that `interrupt` was given. */
	start(linked: Linked, maxHandles: number): Promise<void> {
		return this.#run(() => {
			this.#starting = true;
			try {
				if (!this.#ended) this.#instance = instantiate(linked, this.context, maxHandles);
			} finally {
				this.#starting = false;
			}
		});
	}

	get handles(): number {
		return this.#instance?.store.handles ?? 0;
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
		this.#running.add(reject);
		// A turn of its own, because V8 also throws away the microtasks that are due when it takes down a stack: they may be a
		// neighbour's. In it a promise's reaction, not the timer's callback nor `queueMicrotask`: around those, Node keeps a stack of
		// contexts, and ends the process when it finds one left over.
		setImmediate(() => {
			void Promise.resolve().then(work).then(resolve, reject);
		});
		try {
			return await promise;
		} finally {
			this.#running.delete(reject);
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
		this.#release();
		this.interrupt(reason);
		// The context first: a body whose context has ended can be dropped in any order.
		try {
			this.context.end();
		} finally {
			this.#instance?.dispose(reason);
		}
	}
}
