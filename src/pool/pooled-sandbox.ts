import type { CoreSnapshot, GateUsage } from "../engine/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import type { Instance } from "../link/mod.ts";
import type { WasiContext } from "../wasi/mod.ts";
import type { Slot } from "./slot-pool.ts";

/** Whose sandbox it is. */
export interface SandboxOwner {
	/**
	 * It has ended, once.
	 * @param slot what served it; `undefined` where it never got one
	 * @param quiet nothing of the guest's is left on any stack
	 */
	released(sandbox: PooledSandbox, slot: Slot | undefined, quiet: boolean): void;
}

const NOTHING_USED: GateUsage = { cpu: 0, fuel: 0, hostCalls: 0, pauses: 0 };

/** One call's sandbox: an instance of the component and its WASI context. */
export class PooledSandbox {
	readonly context: WasiContext;
	/** For the owner: its neighbours among those that are in use. */
	before: PooledSandbox | undefined;
	after: PooledSandbox | undefined;
	#slot: Slot | undefined;
	readonly #owner: SandboxOwner;
	/** A call begins: what it is given is the host's, whose code may run when it is looked at. */
	#starting = false;
	/** Set by `end`. */
	#ended: { readonly reason: unknown } | undefined;

	constructor(context: WasiContext, owner: SandboxOwner) {
		this.context = context;
		this.#owner = owner;
	}

	/** What serves it. */
	use(slot: Slot): void {
		this.#slot = slot;
	}

	get #instance(): Instance | undefined {
		return this.#slot?.instance;
	}

	get handles(): number {
		return this.#instance?.store.handles ?? 0;
	}

	/** What its call has used so far; nothing once it has ended. */
	get usage(): GateUsage {
		return this.#instance?.usage ?? NOTHING_USED;
	}

	/** Told of what streams of the host's fail with; without one such a stream ends the sandbox. */
	set report(report: (error: unknown) => void) {
		if (this.#instance !== undefined) this.#instance.store.report = report;
	}

	/** Told of what destructors of the host's fail with after it has ended. */
	set warn(warn: (error: unknown) => void) {
		if (this.#instance !== undefined) this.#instance.store.warn = warn;
	}

	/** Settles once its tasks have ended, or wait for ever. */
	get settled(): Promise<void> {
		return this.#instance?.settled ?? Promise.resolve();
	}

	/** What its core instances hold now; nothing once it has ended. */
	snapshot(): CoreSnapshot[] {
		return this.#instance?.snapshot() ?? [];
	}

	/**
	 * Calls an export by its names in the binary. Rejects with what ended the call, or with the reason that `end` was given.
	 * @param signal cancels the guest's task
	 */
	async call(path: readonly string[], args: readonly unknown[], signal?: AbortSignal): Promise<unknown> {
		const result = await this.start(path, args, signal);
		// Whoever ended it in the same turn came first.
		if (this.#ended !== undefined) throw this.#ended.reason;
		return result;
	}

	/** As `call`, but returns at once when the guest did so without a wait. A trap is a rejection all the same where the guest could have waited: only V8 sees it. */
	start(path: readonly string[], args: readonly unknown[], signal?: AbortSignal): unknown {
		const fn = this.#instance?.function(path);
		if (fn === undefined)
			throw new SkerryError("link/no-export", `Cannot call ${path.join("#")}: the component does not export it`);
		let result: unknown;
		const outer = this.#starting;
		this.#starting = true;
		try {
			result = fn.call(args, signal);
		} catch (error) {
			throw this.#reason(error);
		} finally {
			this.#starting = outer;
		}
		if (result instanceof Promise) return this.#settled(result);
		// What it is may be in what has been given back.
		if (this.#ended !== undefined) throw this.#ended.reason;
		return result;
	}

	#settled(returned: Promise<unknown>): Promise<unknown> {
		return returned.then(
			(result) => {
				if (this.#ended !== undefined) throw this.#ended.reason;
				return result;
			},
			(error: unknown) => {
				throw this.#reason(error);
			},
		);
	}

	#reason(error: unknown): unknown {
		return this.#ended === undefined ? error : this.#ended.reason;
	}

	/** Ends what runs in it and gives everything back. Idempotent; whatever called into the guest gets the first reason. */
	end(reason: unknown): void {
		if (this.#ended !== undefined) return;
		this.#ended = { reason };
		const slot = this.#slot;
		const instance = slot?.instance;
		const quiet = !this.#starting && (instance?.quiet ?? true);
		// From here on the instance is another call's.
		this.#slot = undefined;
		// The context first: a body whose context has ended can be dropped in any order.
		try {
			this.context.end();
		} finally {
			try {
				instance?.dispose(reason);
			} finally {
				this.#owner.released(this, slot, quiet);
			}
		}
	}
}
