/** When V8 stopped this thread to collect garbage, and of what kind that was. */
import { PerformanceObserver, type PerformanceNodeEntry } from "node:perf_hooks";

/** `NODE_PERFORMANCE_GC_*` */
const KINDS: Readonly<Record<number, string>> = {
	1: "new objects",
	4: "all objects",
	8: "marking",
	16: "weak callbacks",
};

export class Collections {
	readonly #all: { readonly from: number; readonly to: number; readonly kind: string }[] = [];
	readonly #observer: PerformanceObserver;

	constructor() {
		// To the process's clock
		const origin = Number(process.hrtime.bigint()) / 1e6 - performance.now();
		this.#observer = new PerformanceObserver((list) => {
			for (const { startTime, duration, detail } of list.getEntries() as unknown as PerformanceNodeEntry[]) {
				const { kind = 0 } = detail as { readonly kind?: number };
				this.#all.push({
					from: startTime + origin,
					to: startTime + origin + duration,
					kind: KINDS[kind] ?? `kind ${kind}`,
				});
			}
		});
		this.#observer.observe({ entryTypes: ["gc"] });
	}

	/** Those between the two, of the process's clock, with their milliseconds. They come to be known in a later turn. */
	between(from: number, to: number): string[] {
		const found: string[] = [];
		for (let i = this.#all.length - 1; i >= 0; i--) {
			const one = this.#all[i];
			if (one === undefined || one.to <= from) break;
			if (one.from < to) found.unshift(`${one.kind} ${(one.to - one.from).toFixed(1)}`);
		}
		return found;
	}

	stop(): void {
		this.#observer.disconnect();
	}
}
