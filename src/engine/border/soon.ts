type Settled<T> = { readonly value: T } | { readonly error: unknown };

/** What those who wait for a `Soon`, or for what was made of it, have in common. */
interface Delay {
	late: boolean;
	/** To be called when it gets late. */
	listeners: (() => void)[] | undefined;
}

/**
 * A promise of what comes in this turn of the event loop, most likely, and tells of it at once: those that called `then` need not wait for
 * a microtask, and can go on as after an ordinary call. Where it takes longer after all, it says so.
 */
export class Soon<T> extends Promise<T> {
	readonly #delay: Delay;
	#settled: Settled<T> | undefined;
	#reactions: (() => void)[] | undefined;
	/** Somebody has asked for it. */
	#heard = false;
	/** Tells the process of an error. */
	#unheard: Promise<never> | undefined;

	/** What `finally` makes promises with on its way. */
	static override get [Symbol.species](): PromiseConstructor {
		return Promise;
	}

	constructor(delay: Delay = { late: false, listeners: undefined }) {
		super(ignore);
		this.#delay = delay;
	}

	/** Calls back when this turn is over for it and it has not settled: at once if that is so already. */
	onLate(listener: () => void): void {
		if (this.#delay.late) listener();
		else (this.#delay.listeners ??= []).push(listener);
	}

	/** It is still to be settled, and so is all that was made of it. */
	delay(): void {
		const { listeners } = this.#delay;
		this.#delay.late = true;
		this.#delay.listeners = undefined;
		for (const listener of listeners ?? []) listener();
	}

	/** Before it is settled: what is made of it is up to another promise now. */
	#await(result: Promise<unknown>): void {
		if (result instanceof Soon) result.onLate(() => this.delay());
		else this.delay();
	}

	resolve(value: T): void {
		this.#settle({ value });
	}

	reject(error: unknown): void {
		this.#settle({ error });
	}

	#settle(settled: Settled<T>): void {
		this.#settled = settled;
		// As of any promise: an error that nobody asks about in this turn must not get lost.
		if (!this.#heard && "error" in settled) this.#unheard = Promise.reject(settled.error);
		const reactions = this.#reactions;
		this.#reactions = undefined;
		for (const reaction of reactions ?? []) reaction();
	}

	// oxlint-disable-next-line unicorn/no-thenable -- it is a promise
	override then<A = T, B = never>(
		onValue?: ((value: T) => A | PromiseLike<A>) | null,
		onError?: ((error: any) => B | PromiseLike<B>) | null,
	): Promise<A | B> {
		const next = new Soon<A | B>(this.#delay);
		const react = (): void => {
			const settled = this.#settled as Settled<T>;
			let result: unknown;
			try {
				if ("value" in settled) result = onValue ? onValue(settled.value) : settled.value;
				else if (onError) result = onError(settled.error);
				else return next.reject(settled.error);
			} catch (error) {
				next.reject(error);
				return;
			}
			if (result instanceof Promise) {
				next.#await(result);
				result.then(
					(value: A | B) => next.resolve(value),
					(error: unknown) => next.reject(error),
				);
			} else next.resolve(result as A | B);
		};
		this.#heard = true;
		this.#unheard?.catch(ignore);
		if (this.#settled === undefined) (this.#reactions ??= []).push(react);
		else react();
		return next;
	}
}

function ignore(): void {}
