/** State of a store beyond its tables: it ends and begins anew with it. */
export interface StorePart {
	end(reason: unknown): void;
	reset(): void;
}

/** What keeps a sandbox's threads informed of what the host does: see `async/scheduler.ts`. */
export interface Pledges {
	/** The host can act by itself until the function returned is called. */
	hold(): () => void;
	/** To be done when no thread runs. */
	enqueue(work: () => void): void;
	/** `then` has its turn once `promise` has settled; `came` is told of the value at once, and touches nothing of the sandbox. */
	pledge<T>(
		promise: PromiseLike<T>,
		then: (value: T) => void,
		failed?: (error: unknown) => void,
		came?: (value: T) => void,
	): void;
}

/** Something that the host holds of a sandbox, and that ends with it. */
export interface HeldEnd {
	/** It reads what a guest writes, or writes what a guest reads. */
	readonly reads: boolean;
	end(reason: unknown): void;
}
