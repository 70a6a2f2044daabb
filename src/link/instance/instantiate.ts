import { type ComponentFunction, SharedBuffer, Store } from "../../abi/mod.ts";
import {
	type CoreSnapshot,
	CoreMemories,
	Gate,
	type GateUsage,
	type Growth,
	type ModuleOrigin,
	type PageMapper,
} from "../../engine/mod.ts";
import type { Limits } from "../../fault/mod.ts";
import { CoreStates, type InstanceImage, type InstanceState } from "./core-states.ts";
import type { GuestMemory } from "../guest-memory.ts";
import type { Linked } from "../linked.ts";
import { Tasks } from "./tasks.ts";
import { type CoreExport, type InstanceExport, Wiring } from "./wiring.ts";

/**
 * One instance of a component with everything in it: a sandbox, with new core instances and memories.
 * @param limits what it may take; what is left out is bounded by the specification alone
 * @param app whose limits they are, for errors
 * @throws Trap when a start function traps; SkerryError `link/instantiation`
 */
export function instantiate(
	linked: Linked,
	context: unknown,
	limits?: Limits,
	app?: string,
	slot?: SlotOptions,
): Instance {
	return new Instance(linked, context, limits, app, slot);
}

/** How the state of an instance is made and kept. */
export interface SlotOptions {
	/** For an instance that is to be reset: its memories can be made small again. */
	readonly mapper?: PageMapper | undefined;
	/** The state that it begins in; `attach` is not needed then. */
	readonly image?: InstanceImage | undefined;
	/** How it differs from the image. */
	readonly state?: InstanceState | undefined;
	/** Asked before memories or tables grow; false refuses. */
	readonly onGrow?: ((growth: Growth) => boolean) | undefined;
}

/** Whom an instance serves: what differs between apps with the same code. */
export interface Tenant extends Pick<SlotOptions, "onGrow"> {
	/** What it begins in, beside the image that the instance is attached to. */
	readonly state: InstanceState;
	readonly origins: readonly ModuleOrigin[];
	readonly limits: Limits;
	/** Whose limits they are, for errors. */
	readonly app?: string | undefined;
}

const STARTS_WITH_HOST = "a start function calls the host";

export class Instance {
	readonly store: Store;
	readonly exports: ReadonlyMap<string, InstanceExport>;
	readonly #linked: Linked;
	readonly #gate: Gate;
	readonly #memories: CoreMemories;
	readonly #tasks: Tasks | null;
	readonly #wiring: Wiring;
	readonly #states: CoreStates;

	constructor(linked: Linked, context: unknown, limits: Limits = {}, app?: string, slot: SlotOptions = {}) {
		const { plan, owned, metering } = linked;
		this.#linked = linked;
		const { image, mapper, onGrow, state } = slot;
		const writes = owned.some((parts) => parts.exports.writesData);
		this.#memories = new CoreMemories({
			limits,
			app,
			onGrow,
			mapper: writes ? undefined : mapper,
			imaged: image?.isWhole === true,
			capacity: image?.peak ?? 0,
		});
		this.#gate = new Gate({ limits, metering, ...(app === undefined ? {} : { app }) });
		this.store = new Store(context, limits);
		this.store.app = app;
		if (linked.sharedBuffers) this.store.shared = new SharedBuffer();
		this.store.onEnd = () => this.#gate.tellAll();
		this.#tasks = plan.async ? new Tasks(this.#gate, this.store, linked.lenientCancel) : null;
		this.#wiring = new Wiring(linked, {
			store: this.store,
			gate: this.#gate,
			memories: this.#memories,
			tasks: this.#tasks,
			blocking: mayBlock(linked),
			pausing: mayPause(linked),
		});
		this.#states = new CoreStates(linked, this.#wiring.cores, this.#memories);
		try {
			this.#wiring.run();
		} catch (error) {
			// What start functions got of the host before one of them failed is given back.
			try {
				this.dispose(error);
			} catch {
				// The start function failed first.
			}
			throw error;
		}
		this.exports = this.#wiring.export(plan.exports);
		this.#memories.holdings.settle();
		if (image !== undefined) this.attach(image, state);
	}

	/** A call begins: the limits `cpu`, `wall`, `fuel` and `hostCalls` count from here. Not needed for the first, nor after `reset`. */
	begin(): void {
		this.#gate.begin();
	}

	/**
	 * From now on each call is begun without being told to. @returns false where that cannot be: a call may last longer than its function.
	 * Where there are tasks, it is so of those calls that go by untold.
	 */
	beginEachCall(): boolean {
		if (this.#tasks !== null) this.#gate.beginEachCall(false);
		if (mayBlock(this.#linked) || this.#tasks !== null) return false;
		this.#gate.beginEachCall(true);
		return true;
	}

	/** What it holds of what limits of the same names bound. */
	get held(): CoreMemories["holdings"]["held"] {
		return this.#memories.holdings.held;
	}

	/** What the call has used so far. */
	get usage(): GateUsage {
		return this.#gate.usage;
	}

	/**
	 * The state of every core instance as it is now, which must be right after instantiation. Why there can be none, as text: a module
	 * whose state cannot be put back exactly, or one whose start function got something from the host that may differ next time.
	 */
	takeImage(mapper: PageMapper | undefined): InstanceImage | string {
		return this.#gate.calledWhileStarting ? STARTS_WITH_HOST : this.#states.take(mapper);
	}

	/**
	 * The state as it is now, which must be right after instantiation, beside the image of another instance of the same code. Why it
	 * cannot be told, as text.
	 */
	compare(image: InstanceImage): InstanceState | string {
		return this.#gate.calledWhileStarting ? STARTS_WITH_HOST : this.#states.compare(image);
	}

	/** What each core instance holds now; nothing of those whose module has no known state. */
	snapshot(): CoreSnapshot[] {
		return this.#states.snapshot();
	}

	/** Binds this instance to an image of its code, for `reset`, and puts it into that or another state. */
	attach(image: InstanceImage, state?: InstanceState): void {
		this.#states.attach(image, state);
	}

	/** From now on it serves another app; the bytes that were written for that. Only where `reset` was called last, or `attach`. */
	move(tenant: Tenant): number {
		const bytes = this.#states.change(tenant.state);
		this.#adopt(tenant);
		this.#gate.begin();
		return bytes;
	}

	#adopt({ limits, app, onGrow, origins }: Tenant): void {
		const whose = app === undefined ? {} : { app };
		this.#memories.holdings.adopt({ limits, app, onGrow });
		this.#gate.adopt({ limits, ...whose });
		this.store.adopt(limits, app);
		for (const { module, origin } of this.#wiring.origins) {
			const next = origins[module];
			if (next === undefined) continue;
			origin.offset = next.offset;
			origin.sites = next.sites;
		}
	}

	/** Whether its guests have made objects in V8's heap since this was last asked. */
	takeMade(): boolean {
		return this.#memories.takeMade();
	}

	/** No guest is on any stack, and nothing is to come of one that was: `reset` may be called. */
	get quiet(): boolean {
		return this.#gate.quiet && (this.#tasks === null || this.#tasks.idle);
	}

	/** Of an asynchronous component: `settled` has nothing to wait for. */
	get isSettled(): boolean {
		return this.#tasks?.isQuiet === true;
	}

	/** Settles once its tasks have ended, or wait for ever: calls of async functions may have returned before. */
	get settled(): Promise<void> {
		return this.#tasks?.quiet ?? Promise.resolve();
	}

	/**
	 * Makes a disposed instance equal to a new one, for another use. Only when `quiet`.
	 * @param tenant whom it is to serve from now on; left out: the same as before
	 * @returns the bytes that were put back; `undefined` when the state cannot be restored exactly (a table has grown, say): the
	 * instance is to be thrown away
	 */
	reset(context: unknown, tenant?: Tenant): number | undefined {
		const bytes = this.#states.restore(tenant?.state);
		if (bytes === undefined) return undefined;
		if (tenant !== undefined) this.#adopt(tenant);
		this.#memories.holdings.reset();
		this.#gate.reset();
		this.store.reset(context);
		return bytes;
	}

	/** The exported function at `path`, names as in the binary; `undefined` where there is none. */
	function(path: readonly string[]): ComponentFunction | CoreExport | undefined {
		let level: ReadonlyMap<string, InstanceExport> | undefined = this.exports;
		let found: InstanceExport | undefined;
		for (const name of path) {
			found = level?.get(name);
			level = found !== undefined && "exports" in found ? found.exports : undefined;
		}
		return found !== undefined && "call" in found ? found : undefined;
	}

	/** Ends whatever runs or waits in the sandbox: its callers get `reason`. Gives back what its handles hold of the host. */
	dispose(reason: unknown): void {
		this.#gate.fail(reason);
		this.store.dispose(reason);
	}

	/** The memory that a core module exports under this name. */
	memory(name: string): GuestMemory {
		return this.#wiring.memory(name);
	}
}

/** Whether the host's calls into the guest can be suspended: only where there is a host function to wait for, or code that may run for long. */
function mayBlock(linked: Linked): boolean {
	const { plan, coreFunctions = [] } = linked;
	return plan.host.length > 0 || coreFunctions.length > 0 || mayPause(linked);
}

/** Whether a guest can be suspended wherever it is, so that others get the thread. */
function mayPause({ metering, owned }: Linked): boolean {
	const yields = metering === "yield" || metering === "fuel";
	return yields && owned.some(({ imports }) => imports?.flag !== undefined);
}
