import { type CoreDelta, countChanges, type PageMapper } from "../engine/mod.ts";
import type { Instance, InstanceImage, InstanceState, LinkedCode } from "../link/mod.ts";

/** Whom a slot served last. */
export interface SlotOwner {
	readonly kin: Kin | undefined;
	/** A slot of it was thrown away, because nobody has needed it for long. */
	dropped(): void;
}

/** Apps whose states are nearly the same, as those of one source are: a slot goes from one to another at little more than a reset. */
export interface Kin {
	/** Of one of them. */
	readonly state: InstanceState;
	apps: number;
}

/** In so many pages the states of apps that are kin may differ from that of the first. */
const KIN_PAGES = 16;

/** An instance that is put back into the state of an image after each call. */
export interface Slot {
	readonly instance: Instance;
	owner: SlotOwner;
	/** It has served a call since it was put back. */
	dirty: boolean;
	/** It changed its owner for the last call. */
	moved: boolean;
	/** Made for one call of a burst, which there are slots enough without: it is not kept. */
	readonly extra: boolean;
}

interface SlotBounds {
	/** Slots that are kept however long nobody needs them. */
	readonly warm: number;
	/** More than so many are not kept at all. */
	readonly cold: number;
}

/** Milliseconds after which slots beyond those that are warm go, if they were not needed. */
export const COLD_AFTER = 10_000;

/** Instances of one code that wait for a call of any of its apps, and the image that they have in common. */
export class SlotPool {
	readonly mapper: PageMapper | undefined;
	/** Of the first app; those of the others are what differs from it. */
	image: InstanceImage | undefined;
	/** Slots that serve a call now. */
	inUse = 0;
	/** Used least recently first. */
	readonly #idle: Slot[] = [];
	#bounds: SlotBounds = { warm: 0, cold: 0 };
	#apps = 0;
	readonly #kins = new Set<Kin>();
	/** The fewest that were idle at a time since slots were last looked through. */
	#fewest = 0;
	#timer: ReturnType<typeof setTimeout> | undefined;

	constructor(mapper: PageMapper | undefined) {
		this.mapper = mapper;
	}

	get idle(): number {
		return this.#idle.length;
	}

	/** Nobody has slots of it any more. */
	get closed(): boolean {
		return this.#apps === 0;
	}

	/** Another app has slots here: the largest bounds count. */
	join({ warm, cold }: SlotBounds): void {
		this.#apps++;
		this.#bounds = { warm: Math.max(this.#bounds.warm, warm), cold: Math.max(this.#bounds.cold, cold) };
	}

	/** For an app that has joined: whose slots are nearly as good as its own. */
	kinOf(state: InstanceState): Kin {
		let near = KIN_PAGES + 1;
		let found: Kin | undefined;
		for (const kin of this.#kins) {
			const count = countChangedPages(kin.state, state, near);
			if (count < near) [near, found] = [count, kin];
		}
		if (found === undefined) this.#kins.add((found = { state, apps: 0 }));
		found.apps++;
		return found;
	}

	/** Whether another slot is worth keeping though there are idle ones: none of them is of these apps. */
	lacks(kin: Kin): boolean {
		return this.#idle.length < this.#bounds.warm && !this.#idle.some(({ owner }) => owner.kin === kin);
	}

	/** The last one to leave ends it. */
	leave(kin?: Kin): void {
		if (kin !== undefined && --kin.apps === 0) this.#kins.delete(kin);
		if (--this.#apps > 0) return;
		clearTimeout(this.#timer);
		this.#idle.length = 0;
		for (const core of this.image?.cores ?? []) core[Symbol.dispose]();
		this.image = undefined;
	}

	/**
	 * One that is idle: of this owner, the last that it used; or else, if possible of its kin, that which has not been used for the longest
	 * time.
	 */
	take(owner: SlotOwner): Slot | undefined {
		const idle = this.#idle;
		let found = 0;
		for (let i = idle.length - 1; i >= 0; i--) {
			const other = (idle[i] as Slot).owner;
			if (other === owner) {
				found = i;
				break;
			}
			if (other.kin === owner.kin) found = i;
		}
		const slot = found === idle.length - 1 ? idle.pop() : idle.splice(found, 1)[0];
		if (idle.length < this.#fewest) this.#fewest = idle.length;
		return slot;
	}

	/** Whether there is room for one more. */
	get room(): boolean {
		return this.#idle.length < this.#bounds.cold;
	}

	/** As many serve a call as are kept at all. */
	get full(): boolean {
		return this.inUse >= this.#bounds.cold;
	}

	/** Keeps a slot for another call. Only where there is room. */
	put(slot: Slot): void {
		this.#idle.push(slot);
		if (this.#idle.length > this.#bounds.warm && this.#timer === undefined) this.#watch();
	}

	#watch(): void {
		this.#fewest = this.#idle.length;
		this.#timer = setTimeout(() => this.#drop(), COLD_AFTER);
		// Nothing is lost when the process ends before
		this.#timer.unref();
	}

	/** So many were idle all the time: nobody needed them. */
	#drop(): void {
		this.#timer = undefined;
		const unneeded = Math.max(this.#fewest - this.#bounds.warm, 0);
		for (const { owner } of this.#idle.splice(0, unneeded)) owner.dropped();
		if (this.#idle.length > this.#bounds.warm) this.#watch();
	}
}

/** Slots by code: apps that differ in their initial state only have theirs together. */
export class SharedSlots {
	readonly #pools = new WeakMap<LinkedCode, SlotPool>();

	/** @param mapper for the first app of a code; the others take what is there */
	of(code: LinkedCode, mapper: PageMapper | undefined): SlotPool {
		let pool = this.#pools.get(code);
		if (pool === undefined || pool.closed) this.#pools.set(code, (pool = new SlotPool(mapper)));
		return pool;
	}
}

/** It is not counted beyond the limit. */
function countChangedPages(a: InstanceState, b: InstanceState, limit: number): number {
	let count = 0;
	for (let i = 0; i < a.length && count < limit; i++)
		count += countChanges(a[i] as CoreDelta, b[i] as CoreDelta, limit - count);
	return count;
}
