import { LimitExceeded, type Limits, SkerryError } from "../../fault/mod.ts";
import { collectHeap, collectionTakes, heapHasRoom } from "../v8/heap.ts";

/** What a sandbox asks for: its holdings of one kind, all together, in the unit of the limit of that name. */
export interface Growth {
	readonly what: "memory" | "tables";
	readonly from: number;
	readonly to: number;
}

export interface HoldingsOptions {
	/** Of `memory`, `tables`, `gcHeap` and `instances`; what is left out is not bounded. */
	readonly limits?: Limits;
	/** Whose limits they are, for errors. */
	readonly app?: string | undefined;
	/**
	 * Asked before memories or tables grow within the limits; false refuses: the guest is told that there is no more. Anything but a
	 * boolean, such as a promise, ends the guest, and so does what it throws.
	 */
	readonly onGrow?: ((growth: Growth) => boolean) | undefined;
}

type Held = "memory" | "tables" | "gcHeap" | "instances";

/** Bytes of V8's heap that a guest is given at a time. */
const PORTION = 64 * 1024;
/** A limit of V8's heap below this is one of all that is made, garbage or not: the host's own part is not smaller. */
const COLLECTED_FROM = 64 * 1024 * 1024;
/** Bytes of V8's heap that an element of a table takes, about. */
export const ELEMENT_BYTES = 32;

/** What one sandbox holds of the host's memory, against its limits. */
export class Holdings {
	#limits: Limits = {};
	#app: string | undefined;
	#onGrow: ((growth: Growth) => boolean) | undefined;
	#held: Record<Held, number> = { memory: 0, tables: 0, gcHeap: 0, instances: 0 };
	#initial: Record<Held, number> = this.#held;

	constructor(options: HoldingsOptions = {}) {
		this.adopt(options);
	}

	/** From here on the sandbox is another app's. What it has from its start has to be within the limits. */
	adopt({ limits = {}, app, onGrow }: HoldingsOptions): void {
		this.#limits = limits;
		this.#app = app;
		this.#onGrow = onGrow;
	}

	get held(): Readonly<Record<Held, number>> {
		return this.#held;
	}

	/**
	 * What an instance has from its start. Not asked of `onGrow`: there is no one to tell.
	 * @throws LimitExceeded
	 */
	take(what: Held, amount: number): void {
		const to = this.#held[what] + amount;
		const limit = this.#limits[what] ?? Infinity;
		if (to > limit) throw new LimitExceeded(what, limit, this.#app);
		this.#held[what] = to;
	}

	/**
	 * Whether the guest may have so much more. Then it is held.
	 * @param affords whether it has so many milliseconds left; it is ended where it has not
	 * @throws what `onGrow` does; SkerryError `call/bad-value` where that gives no boolean
	 */
	grow(what: "memory" | "tables", amount: number, affords: (time: number) => boolean): boolean {
		const limit = this.#limits[what] ?? Infinity;
		if (this.#held[what] + amount > limit) return false;
		if (amount > 0 && !this.#isGranted(what, amount)) return false;
		// The embedder may have called the guest meanwhile.
		const to = this.#held[what] + amount;
		if (to > limit) return false;
		// To have room for more, V8 makes a table anew, twice as large.
		if (what === "tables" && amount > 0 && heapHasRoom(2 * to * ELEMENT_BYTES, affords) !== true) return false;
		this.#held[what] = to;
		return true;
	}

	#isGranted(what: "memory" | "tables", amount: number): boolean {
		if (this.#onGrow === undefined) return true;
		const from = this.#held[what];
		const granted: unknown = this.#onGrow({ what, from, to: from + amount });
		if (typeof granted === "boolean") return granted;
		// What that comes to is nobody's: it would end the process
		if (granted instanceof Promise) granted.catch(() => {});
		const given = granted instanceof Promise ? "a promise" : `a value of type ${typeof granted}`;
		throw new SkerryError("call/bad-value", `Cannot grow the ${what} of a guest: onGrow gave ${given}`, {
			hint: "it returns true or false, at once",
		});
	}

	/**
	 * The guest needs so many bytes more in V8's heap, where nobody says when it has thrown some away. What all are using after a collection
	 * is more than this guest does: where that is little, it counts from there.
	 * @param affords whether it has so many milliseconds left; it is ended where it has not
	 * @param takeUnused takes back what other modules of the sandbox were given and have not used: how many bytes
	 * @returns how many it is given; or why it is to be ended; `undefined` where it was
	 */
	allocate(
		bytes: number,
		affords: (time: number) => boolean,
		takeUnused: () => number = () => 0,
	): number | SkerryError | undefined {
		const limit = this.#limits.gcHeap ?? Infinity;
		const collects = limit >= COLLECTED_FROM && bytes <= limit / 2;
		// Where there are collections, the process's heap would have a part in how often the others ask.
		if (!collects && this.#held.gcHeap + bytes > limit) {
			this.#held.gcHeap = Math.max(0, this.#held.gcHeap - takeUnused());
		}
		if (this.#held.gcHeap + bytes > limit) {
			if (collects && !affords(collectionTakes())) return undefined;
			const used = collects ? collectHeap() : Infinity;
			if (used > limit / 2) return new LimitExceeded("gcHeap", limit, this.#app);
			this.#held.gcHeap = used;
		}
		// What others use has no part in how much it is: how often the guest asks is a part of its fuel.
		const given = collects ? bytes + PORTION : Math.min(bytes + PORTION, limit - this.#held.gcHeap);
		const room = heapHasRoom(given, affords);
		if (room === undefined) return undefined;
		if (!room) {
			return new SkerryError("guest/killed", "killed: no more room for the objects of guests in V8's heap", {
				hint: "give Node more with --max-old-space-size, or guests less with the limit gcHeap",
			});
		}
		this.#held.gcHeap += given;
		return given;
	}

	/** What was granted could not be had. */
	giveBack(what: "memory" | "tables", amount: number): void {
		this.#held[what] -= amount;
	}

	/** All instances are there: what is held now is held again after `reset`. */
	settle(): void {
		this.#initial = { ...this.#held };
	}

	reset(): void {
		const { memory, tables, gcHeap } = this.#initial;
		this.#held.memory = memory;
		this.#held.tables = tables;
		this.#held.gcHeap = gcHeap;
	}
}
