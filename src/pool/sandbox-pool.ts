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
	readonly #live = new Set<PooledSandbox>();
	#created = 0;

	/** @param options what the next sandbox gets of WASI; called once for each */
	constructor(linked: Linked, options: () => WasiOptions) {
		this.#linked = linked;
		this.#options = options;
	}

	/** Sandboxes made so far. */
	get created(): number {
		return this.#created;
	}

	/** @throws Trap when a start function of the component traps */
	acquire(): PooledSandbox {
		this.#created++;
		const context = createWasiContext(this.#options());
		const sandbox = new PooledSandbox(context, () => this.#live.delete(sandbox));
		this.#live.add(sandbox);
		try {
			sandbox.start(this.#linked);
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
	#ended = false;

	constructor(context: WasiContext, release: () => void) {
		this.context = context;
		this.#release = release;
	}

	/** @throws Trap */
	start(linked: Linked): void {
		this.#instance = instantiate(linked, this.context);
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
		if (fn === undefined)
			throw new SkerryError("link/no-export", `Cannot call ${path.join("#")}: the component does not export it`);
		return await fn.call(args);
	}

	/** Ends what runs in it and gives everything back. Idempotent; whatever called into the guest gets the first reason. */
	end(reason: unknown): void {
		if (this.#ended) return;
		this.#ended = true;
		this.#release();
		// The context first: a body whose context has ended can be dropped in any order.
		try {
			this.context.end();
		} finally {
			this.#instance?.dispose(reason);
		}
	}
}
