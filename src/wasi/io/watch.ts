import type { Waitable } from "../../sys/mod.ts";

/** Something that is ready or not, and tells those who watch it when that may have changed. */
export interface Watch {
	ready(): boolean;
	/** Calls `wake` at most once, when `ready()` may have become true. Returns what stops watching; it is idempotent. */
	watch(wake: () => void): () => void;
}

const watches = new WeakMap<Waitable, Watch>();

/**
 * The one watch of a waitable. However many pollables a guest makes and drops, the waitable has at most one waiter,
 * and those who stop watching leave nothing behind.
 */
export function watchOf(waitable: Waitable): Watch {
	let watch = watches.get(waitable);
	if (watch === undefined) {
		watch = createWatch(waitable);
		watches.set(waitable, watch);
	}
	return watch;
}

function createWatch(waitable: Waitable): Watch {
	const watchers = new Set<() => void>();
	let waiting = false;
	const notify = (): void => {
		waiting = false;
		const all = [...watchers];
		watchers.clear();
		for (const wake of all) wake();
	};
	return {
		ready: () => waitable.ready(),
		watch(wake) {
			const entry = (): void => wake();
			watchers.add(entry);
			if (!waiting) {
				waiting = true;
				// `wait` never rejects, by contract.
				void waitable.wait().then(notify);
			}
			return () => watchers.delete(entry);
		},
	};
}

/** Settles with the first wake-up of any of `all`; nobody watches any longer then. */
function firstWake(all: readonly Watch[]): Promise<void> {
	return new Promise((resolve) => {
		const stops: (() => void)[] = [];
		let woken = false;
		const wake = (): void => {
			if (woken) return;
			woken = true;
			for (const stop of stops) stop();
			resolve();
		};
		for (const watch of all) {
			const stop = watch.watch(wake);
			// A watch may wake at once: then the rest need not be watched.
			if (woken) return stop();
			stops.push(stop);
		}
	});
}

/** Repeats `attempt` until it has a result, waiting in between; a promise, and a call of `watches`, only when it had to wait. */
export function attemptUntil<T>(watches: () => readonly Watch[], attempt: () => T | undefined): T | Promise<T> {
	const first = attempt();
	return first === undefined ? attemptAgain(watches(), attempt) : first;
}

async function attemptAgain<T>(all: readonly Watch[], attempt: () => T | undefined): Promise<T> {
	for (;;) {
		await firstWake(all);
		const result = attempt();
		if (result !== undefined) return result;
	}
}
