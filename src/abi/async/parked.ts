/**
 * What a thread waits for that somebody else resumes: told of at once, and to one listener, for who has V8 suspend the thread's stack. To all
 * others it is what a promise can be resolved with.
 */
export class Parked<T> implements PromiseLike<T> {
	#settled: { readonly value: T } | { readonly error: unknown } | null = null;
	#onValue: ((value: T) => unknown) | null | undefined;
	#onError: ((error: unknown) => unknown) | null | undefined;

	resolve(value: T): void {
		if (this.#onValue === undefined) this.#settled = { value };
		else this.#onValue?.(value);
	}

	reject(error: unknown): void {
		if (this.#onError === undefined) this.#settled = { error };
		else this.#onError?.(error);
	}

	// oxlint-disable-next-line unicorn/no-thenable -- so that promises take it for one
	then<A = T, B = never>(
		onValue?: ((value: T) => A | PromiseLike<A>) | null,
		onError?: ((error: any) => B | PromiseLike<B>) | null,
	): PromiseLike<A | B> {
		this.#onValue = onValue ?? null;
		this.#onError = onError ?? null;
		const settled = this.#settled;
		if (settled !== null) {
			if ("value" in settled) onValue?.(settled.value);
			else onError?.(settled.error);
		}
		return NOBODY;
	}
}

/** What is made of one is not asked for. */
const NOBODY: PromiseLike<never> = new Promise(() => {});
