/** Whoever has V8 suspend a stack for it. */
export interface ParkedListener<T> {
	resolve(value: T): void;
	reject(error: unknown): void;
}

const NOTHING: unique symbol = Symbol("nothing yet");

/**
 * What a thread waits for that somebody else resumes: told of at once, and to one listener, for who has V8 suspend the thread's stack. To all
 * others it is what a promise can be resolved with. A thread has one, for all its waits.
 */
export class Parked<T> implements PromiseLike<T> {
	#value: T | typeof NOTHING = NOTHING;
	#error: unknown = NOTHING;
	#listener: ParkedListener<T> | null = null;

	/** As new, for the next wait. */
	renew(): this {
		this.#value = this.#error = NOTHING;
		this.#listener = null;
		return this;
	}

	resolve(value: T): void {
		const listener = this.#listener;
		if (listener === null) this.#value = value;
		else listener.resolve(value);
	}

	reject(error: unknown): void {
		const listener = this.#listener;
		if (listener === null) this.#error = error;
		else listener.reject(error);
	}

	/** Told as soon as it is known, which may be now. */
	listen(listener: ParkedListener<T>): void {
		this.#listener = listener;
		if (this.#value !== NOTHING) listener.resolve(this.#value);
		else if (this.#error !== NOTHING) listener.reject(this.#error);
	}

	// oxlint-disable-next-line unicorn/no-thenable -- so that promises take it for one
	then<A = T, B = never>(
		onValue?: ((value: T) => A | PromiseLike<A>) | null,
		onError?: ((error: any) => B | PromiseLike<B>) | null,
	): PromiseLike<A | B> {
		this.listen({ resolve: (value) => void onValue?.(value), reject: (error) => void onError?.(error) });
		return NOBODY;
	}
}

/** What is made of one is not asked for. */
const NOBODY: PromiseLike<never> = new Promise(() => {});
