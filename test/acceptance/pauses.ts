/**
 * When V8 stopped this thread to collect garbage. Most of that is done by other threads of V8's, for which this one waits: what it has run
 * itself says little of how long it was kept.
 */
import { PerformanceObserver } from "node:perf_hooks";

export class Pauses {
	readonly #pauses: { readonly from: number; readonly to: number }[] = [];
	readonly #observer: PerformanceObserver;

	constructor() {
		// To the process's clock
		const origin = Number(process.hrtime.bigint()) / 1e6 - performance.now();
		this.#observer = new PerformanceObserver((list) => {
			for (const { startTime, duration } of list.getEntries()) {
				this.#pauses.push({ from: startTime + origin, to: startTime + origin + duration });
			}
		});
		this.#observer.observe({ entryTypes: ["gc"] });
	}

	/** Milliseconds of pauses between the two, of the process's clock. They come to be known in a later turn. */
	between(from: number, to: number): number {
		let sum = 0;
		for (let i = this.#pauses.length - 1; i >= 0; i--) {
			const pause = this.#pauses[i];
			if (pause === undefined || pause.to <= from) break;
			sum += Math.max(0, Math.min(pause.to, to) - Math.max(pause.from, from));
		}
		return sum;
	}

	stop(): void {
		this.#observer.disconnect();
	}
}
