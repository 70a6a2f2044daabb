import type { PooledSandbox, SandboxPool } from "../pool/mod.ts";

/** Sandboxes that are ready before the first request: a burst finds some, and memory is not spent on what may never be asked. */
const PREPARED = 4;

type Pool = Pick<SandboxPool, "acquire" | "idle">;

/**
 * Who gets a sandbox when. One that is ready is had at once. Otherwise at most one instance is made in each turn of the event loop,
 * and those who ask wait in line for that or for the next that is given back: a burst is served by the first few instances, in
 * order, rather than after all the instances that it could use were made.
 */
export class Admission {
	readonly #pool: Pool;
	readonly #waiting: PromiseWithResolvers<PooledSandbox>[] = [];
	/** An instance was made in this turn of the event loop. */
	#made = false;

	constructor(pool: Pool) {
		this.#pool = pool;
	}

	/** Rejects as the pool does. */
	acquire(): PooledSandbox | Promise<PooledSandbox> {
		if (this.#waiting.length === 0 && (this.#pool.idle > 0 || !this.#made)) return this.#take();
		const waiter = Promise.withResolvers<PooledSandbox>();
		this.#waiting.push(waiter);
		return waiter.promise;
	}

	/** A sandbox was given back. */
	released(): void {
		while (this.#waiting.length > 0 && this.#pool.idle > 0) this.#admit();
	}

	/** Makes instances ready before anybody asks, each in a turn of its own. Never rejects: what keeps one from being made, each request will be told. */
	async prepare(reason: unknown): Promise<void> {
		const prepared: PooledSandbox[] = [];
		try {
			while (prepared.length < PREPARED) {
				await new Promise((resolve) => setImmediate(resolve));
				prepared.push(await this.acquire());
			}
		} catch {
			// As said.
		}
		for (const sandbox of prepared) sandbox.end(reason);
		this.released();
	}

	#take(): PooledSandbox | Promise<PooledSandbox> {
		if (this.#pool.idle === 0) {
			this.#made = true;
			setImmediate(() => this.#onTurn());
		}
		return this.#pool.acquire();
	}

	#onTurn(): void {
		this.#made = false;
		this.released();
		if (this.#waiting.length > 0) this.#admit();
	}

	#admit(): void {
		const waiter = this.#waiting.shift();
		if (waiter === undefined) return;
		// In a promise, so that what the pool throws or rejects with is the waiter's.
		void Promise.try(() => this.#take()).then(waiter.resolve, waiter.reject);
	}
}
