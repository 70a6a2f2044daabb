import { type Growth, type MemoryChoice, type PageMapper, threadNursery } from "../engine/mod.ts";
import { type Limits, withDefaultLimits } from "../fault/mod.ts";
import {
	forgetInitial,
	type Instance,
	type InstanceImage,
	instantiate,
	type Linked,
	mayShare,
	type Tenant,
} from "../link/mod.ts";
import { type BufferedLimit, createWasiContext, type WasiContext, type WasiOptions } from "../wasi/mod.ts";
import { PooledSandbox, type SandboxOwner } from "./pooled-sandbox.ts";
import { type Kin, type SharedSlots, type Slot, SlotPool } from "./slot-pool.ts";

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
	/** Instances that served another app before. */
	readonly switched: number;
	/** Bytes of memories that were written for both. */
	readonly restoredBytes: number;
	/** Instances that could not be put back, or for which there was no room, or that nobody has needed for long. */
	readonly discarded: number;
}

export interface PoolOptions {
	/** What the next sandbox gets of WASI; called once for each. */
	readonly wasi: () => WasiOptions;
	/** Instances that are kept ready however long nobody calls. 0 makes a new one for every call (strategy `fresh`). */
	readonly warm?: number;
	/** After a burst, so many are kept for some seconds, at most; not less than `warm`. */
	readonly cold?: number;
	/**
	 * Where apps whose components differ in their initial state only have their instances together, and the larger of their bounds count.
	 * Left out, the pool has instances of its own.
	 */
	readonly slots?: SharedSlots | undefined;
	/** Copy-on-write memory, where the system has it. */
	readonly mapper?: PageMapper | undefined;
	/** What each sandbox may take; what is left out has its default. */
	readonly limits?: Limits;
	/** Asked before the memories or tables of a sandbox grow within its limits; false refuses. */
	readonly onGrow?: (growth: Growth) => boolean;
	/** Whose sandboxes they are, for errors. */
	readonly app?: string;
}

const DEFAULT_WARM = 16;
/** As many as the requests that a busy server works on at a time. */
const DEFAULT_COLD = 64;

/**
 * The sandboxes of one component. Each serves one call; then its instance is put back into the state that it had right after
 * instantiation, exactly, and kept for another call, or thrown away when that is not possible.
 */
export class SandboxPool implements SandboxOwner {
	#linked: Linked;
	readonly #options: PoolOptions;
	readonly #bounds: { readonly warm: number; readonly cold: number };
	readonly #limits: Limits;
	/** Of what the host holds for each sandbox. */
	readonly #buffered: BufferedLimit;
	#slots: SlotPool;
	/** The sandboxes that are in use, linked with each other: a set would be made anew every few calls. */
	#first: PooledSandbox | undefined;
	#inUse = 0;
	/** What a slot needs to serve this app; `undefined` before the first instance; a text says why there is none. */
	#tenant: Tenant | string | undefined;
	#kin: Kin | undefined;
	readonly #counts = { acquired: 0, created: 0, reset: 0, switched: 0, discarded: 0 };
	/** A double from the start: as an integer it would outgrow its kind at 2³¹, and the code that counts be thrown away. */
	#restoredBytes = -0;
	/** Set by `close`. */
	#closed: { readonly reason: unknown } | undefined;

	constructor(linked: Linked, options: PoolOptions) {
		this.#linked = linked;
		this.#options = options;
		const { cold = DEFAULT_COLD, mapper, slots, warm = Math.min(DEFAULT_WARM, cold) } = options;
		this.#bounds = { warm, cold: Math.max(warm, cold) };
		const limits = withDefaultLimits(options.limits);
		this.#limits = limits;
		this.#buffered = { buffered: limits.buffered, app: options.app };
		this.#slots =
			slots !== undefined && warm > 0 && mayShare(linked) ? slots.of(linked.code, mapper) : new SlotPool(mapper);
		this.#slots.join(this.#bounds);
		if (warm === 0) this.#tenant = "no instance is to be kept";
	}

	get counts(): PoolCounts {
		return { ...this.#counts, restoredBytes: this.#restoredBytes + 0 };
	}

	/** Instances that are ready, or will be in microseconds. */
	get idle(): number {
		return typeof this.#tenant === "object" ? this.#slots.idle : 0;
	}

	/** Why every call gets a new instance; `undefined` where instances are reset, and before the first call. */
	get freshBecause(): string | undefined {
		return typeof this.#tenant === "string" ? this.#tenant : undefined;
	}

	/** At once when an instance is ready. Rejects with a Trap when a start function of the component traps, and with what `close` was given once that was called. */
	acquire(): PooledSandbox | Promise<PooledSandbox> {
		if (this.#closed !== undefined) return rejected(this.#closed.reason);
		this.#counts.acquired++;
		const context = createWasiContext(this.#options.wasi(), this.#buffered);
		const sandbox = new PooledSandbox(context, this);
		const first = this.#first;
		sandbox.after = first;
		if (first !== undefined) first.before = sandbox;
		this.#first = sandbox;
		this.#inUse++;
		try {
			const slot = this.#take() ?? this.#create(context);
			slot.instance.store.context = context;
			this.#slots.inUse++;
			sandbox.use(slot);
		} catch (error) {
			sandbox.end(error);
			return rejected(error);
		}
		return sandbox;
	}

	/** A slot in the state in which this app begins. */
	#take(): Slot | undefined {
		const tenant = this.#tenant;
		if (typeof tenant !== "object") return undefined;
		for (let slot = this.#slots.take(this); slot !== undefined; slot = this.#slots.take(this)) {
			const own = slot.owner === this;
			const written = slot.dirty
				? slot.instance.reset(undefined, own ? undefined : tenant)
				: own
					? 0
					: slot.instance.move(tenant);
			if (written === undefined) {
				this.#counts.discarded++;
				continue;
			}
			if (slot.dirty) this.#counts.reset++;
			if (!own) this.#counts.switched++;
			this.#restoredBytes += written;
			slot.dirty = false;
			slot.moved = !own;
			slot.owner = this;
			return slot;
		}
		return undefined;
	}

	#create(context: WasiContext): Slot {
		this.#counts.created++;
		const tenant = this.#tenant;
		// Memory that can be made small again costs V8 a collection of garbage for every few of them: not for one call.
		const extra = this.#slots.full;
		const kept = typeof tenant !== "string" && !extra;
		const instance = instantiate(this.#linked, context, this.#limits, this.#options.app, {
			mapper: kept ? this.#slots.mapper : undefined,
			...(typeof tenant === "object" ? { image: this.#slots.image, state: tenant.state } : {}),
			onGrow: this.#options.onGrow,
		});
		// To be made has the limits of a call of its own: the one that it is made for, or kept for, has them whole.
		instance.begin();
		if (tenant === undefined) {
			this.#settle(instance);
			threadNursery().settle(this.#mostTime);
			// It was made to look at: what others have left is ready in no time.
			const other = this.#kin !== undefined && this.#slots.lacks(this.#kin) ? undefined : this.#take();
			if (other !== undefined) {
				this.#counts.discarded++;
				// An app that is new is likely to be called now: its slot is put back when this is over, not with the first request.
				other.moved = false;
				return other;
			}
		}
		return { instance, owner: this, dirty: false, moved: false, extra };
	}

	/** The first instance, and nothing has run in it: what it holds is what each call of this app is to find. */
	#settle(instance: Instance): void {
		const { origins } = this.#linked;
		const { app, onGrow } = this.#options;
		const found = this.#slots.image === undefined ? undefined : instance.compare(this.#slots.image);
		let state = found;
		if (typeof found === "string") {
			// Too different from the others
			this.#slots.leave();
			this.#slots = new SlotPool(this.#slots.mapper);
			this.#slots.join(this.#bounds);
		}
		if (typeof state !== "object") {
			const image = instance.takeImage(this.#slots.mapper);
			if (typeof image === "string") {
				this.#tenant = image;
				return;
			}
			this.#slots.image = image;
			state = image.cores.map(({ own }) => own);
		}
		this.#kin = this.#slots.kinOf(state);
		this.#tenant = { state, origins, limits: this.#limits, app, onGrow };
		const image = this.#slots.image as InstanceImage;
		instance.attach(image, state);
		this.#linked = forgetInitial(this.#linked, image);
	}

	released(sandbox: PooledSandbox, slot: Slot | undefined, quiet: boolean): void {
		const { before, after } = sandbox;
		if (before === undefined) this.#first = after;
		else before.after = after;
		if (after !== undefined) after.before = before;
		sandbox.before = undefined;
		sandbox.after = undefined;
		this.#inUse--;
		if (slot === undefined) return;
		this.#slots.inUse--;
		if (quiet) this.#recycle(slot);
		// A guest that was ended in a call is still unwinding; what waits for it in microtasks comes first.
		else setImmediate(() => this.#recycle(slot));
	}

	#recycle(slot: Slot): void {
		const made = slot.instance.takeMade();
		const isKept = this.#putBack(slot);
		// Others may be suspended: what they hold is moved in nobody's time, and for nothing.
		if (!made && isKept) return;
		threadNursery().leave(this.#mostTime);
	}

	/** Milliseconds that a call has in all. */
	get #mostTime(): number {
		const { cpu, wall } = this.#limits;
		return Math.min(cpu ?? Infinity, wall ?? Infinity);
	}

	/** Whether it is kept. */
	#putBack(slot: Slot): boolean {
		const { instance } = slot;
		const wanted = typeof this.#tenant === "object" && this.#closed === undefined && this.#slots.room;
		if (!wanted || slot.extra || !instance.quiet) {
			this.#counts.discarded++;
			return false;
		}
		// Where apps take turns in it, the next one is likely another's: then it is put into that one's state at once.
		if (slot.moved) slot.dirty = true;
		else {
			const restored = instance.reset(undefined);
			if (restored === undefined) {
				this.#counts.discarded++;
				return false;
			}
			this.#counts.reset++;
			this.#restoredBytes += restored;
		}
		this.#slots.put(slot);
		return true;
	}

	/** An instance in the state in which this app begins, which is the caller's own: nothing puts it back. */
	instantiate(context: WasiContext, limits: Limits): Instance {
		const tenant = this.#tenant;
		const from = typeof tenant === "object" ? { image: this.#slots.image, state: tenant.state } : {};
		const { app, onGrow } = this.#options;
		return instantiate(this.#linked, context, limits, app, { ...from, onGrow });
	}

	/** For the slots. */
	get kin(): Kin | undefined {
		return this.#kin;
	}

	/** For the slots. */
	dropped(): void {
		this.#counts.discarded++;
	}

	usage(): PoolUsage {
		let handles = 0;
		for (let sandbox = this.#first; sandbox !== undefined; sandbox = sandbox.after) handles += sandbox.handles;
		return { sandboxes: this.#inUse, handles };
	}

	/** How the memories of instances are put back, and why so; empty before there is an image of them. */
	memories(): readonly MemoryChoice[] {
		if (typeof this.#tenant !== "object") return [];
		return this.#slots.image?.cores.flatMap(({ memories }) => memories.map(({ choice }) => choice)) ?? [];
	}

	/** Ends every sandbox: their callers get `reason`. */
	close(reason: unknown): void {
		if (this.#closed === undefined) this.#slots.leave(this.#kin);
		this.#closed = { reason };
		for (let sandbox = this.#first; sandbox !== undefined; sandbox = this.#first) sandbox.end(reason);
		this.#tenant = "the pool is closed";
	}
}

async function rejected(reason: unknown): Promise<never> {
	throw reason;
}
