import { LimitExceeded, type Limits } from "../fault/mod.ts";

/** What a sandbox asks for: its holdings of one kind, all together, in the unit of the limit of that name. */
export interface Growth {
	readonly what: "memory" | "tables";
	readonly from: number;
	readonly to: number;
}

export interface HoldingsOptions {
	/** Of `memory`, `tables` and `instances`; what is left out is not bounded. */
	readonly limits?: Limits;
	/** Whose limits they are, for errors. */
	readonly app?: string | undefined;
	/** Asked before memories or tables grow within the limits; false refuses: the guest is told that there is no more. */
	readonly onGrow?: ((growth: Growth) => boolean) | undefined;
}

type Held = "memory" | "tables" | "instances";

/** What one sandbox holds of the host's memory, against its limits. */
export class Holdings {
	#limits: Limits = {};
	#app: string | undefined;
	#onGrow: ((growth: Growth) => boolean) | undefined;
	#held: Record<Held, number> = { memory: 0, tables: 0, instances: 0 };
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

	/** Whether the guest may have so much more. Then it is held. */
	grow(what: "memory" | "tables", amount: number): boolean {
		const from = this.#held[what];
		const to = from + amount;
		if (to > (this.#limits[what] ?? Infinity)) return false;
		if (amount > 0 && this.#onGrow?.({ what, from, to }) === false) return false;
		this.#held[what] = to;
		return true;
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
		const { memory, tables } = this.#initial;
		this.#held.memory = memory;
		this.#held.tables = tables;
	}
}
