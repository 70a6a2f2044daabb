import type { ComponentFunction } from "../store.ts";
import type { AsyncInstance } from "./instance.ts";
import type { Callee, Started } from "./lift.ts";
import type { Scheduler } from "./scheduler.ts";
import { CANCELLED, type Outcome } from "./task.ts";

/** A promise of a host function that can be told that nobody waits for it any more. */
export interface CancellablePromise extends Promise<unknown> {
	cancel?(): void;
}

/** A host function as `canon lower` calls it. */
export class HostCallee implements Callee {
	readonly carried = false;
	readonly #callee: ComponentFunction;
	readonly #scheduler: Scheduler;

	constructor(callee: ComponentFunction, scheduler: Scheduler) {
		this.#callee = callee;
		this.#scheduler = scheduler;
	}

	/** What comes after the end of the sandbox comes to nobody: its instances may be another use's by then. */
	async #whileInUse(promise: Promise<unknown>): Promise<unknown> {
		const { store } = this.#scheduler;
		const { epoch } = store;
		const over = (): boolean => store.disposed || store.epoch !== epoch;
		try {
			const value = await promise;
			return over() ? await never() : value;
		} catch (error) {
			if (over()) return await never();
			throw error;
		}
	}

	start(
		_caller: AsyncInstance | null,
		onStart: () => readonly unknown[],
		onResolve: (outcome: Outcome) => void,
	): Started {
		const scheduler = this.#scheduler;
		const value = scheduler.inHost(() => this.#callee.call(onStart()));
		const resolve = (settled: unknown): void => onResolve({ value: settled });
		if (!(value instanceof Promise)) {
			resolve(value);
			return { cancel() {}, stopped: undefined };
		}
		// The caller of a function that is not async waits in it, as it would compute.
		if (!this.#callee.type.async) return { cancel() {}, stopped: this.#whileInUse(value).then(resolve) };
		const promise: CancellablePromise = value;
		let cancelled = false;
		scheduler.pledge(promise, (settled) => {
			if (!cancelled) resolve(settled);
		});
		return {
			cancel() {
				cancelled = true;
				promise.cancel?.();
				onResolve(CANCELLED);
			},
			stopped: undefined,
		};
	}
}

function never(): Promise<never> {
	return new Promise(() => {});
}
