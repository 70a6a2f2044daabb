/** A wake-up that many can wait for: all who wait between two firings share one promise, so waiting leaves nothing behind. */
export class Signal {
	#pending: PromiseWithResolvers<void> | undefined;

	/** Settles at the next `fire()`. */
	wait(): Promise<void> {
		this.#pending ??= Promise.withResolvers();
		return this.#pending.promise;
	}

	fire(): void {
		const pending = this.#pending;
		this.#pending = undefined;
		pending?.resolve();
	}
}
