import { setImmediate as turn } from "node:timers/promises";
import { createLinuxPageMapper } from "../src/engine/mod.ts";
import type { Linked } from "../src/link/mod.ts";
import { type PooledSandbox, SandboxPool } from "../src/pool/mod.ts";

/** Resident memory over very many sandboxes: what a leak would show. */
export interface SoakResult {
	readonly workload: string;
	readonly cycles: number;
	/** Of these cycles, so many served a request. */
	readonly requests: number;
	/** Resident bytes after each tenth of the cycles, garbage collected to the last. */
	readonly rss: readonly number[];
	/** From the second tenth on, by how much the largest is above the smallest, in percent: the first warms up. */
	readonly spreadPercent: number;
	readonly created: number;
	readonly discarded: number;
}

const OVER = new Error("the call is over");
const TENTHS = 10;
/** One in so many cycles serves a request. */
const REQUEST_INTERVAL = 20;
/** Sandboxes that are in use at a time: they take turns in the pool. */
const TOGETHER = 4;

export async function soak(
	workload: { name: string; linked: Linked; request: (sandbox: PooledSandbox) => Promise<unknown> },
	cycles: number,
	collectGarbage: () => void,
	onProgress: (line: string) => void,
): Promise<SoakResult> {
	const found = createLinuxPageMapper();
	const pool = new SandboxPool(workload.linked, {
		wasi: () => ({}),
		mapper: typeof found === "string" ? undefined : found,
	});
	const rss: number[] = [];
	let requests = 0;
	let done = 0;
	for (let tenth = 1; tenth <= TENTHS; tenth++) {
		const until = Math.floor((cycles * tenth) / TENTHS);
		while (done < until) {
			const sandboxes = await Promise.all(Array.from({ length: TOGETHER }, async () => await pool.acquire()));
			for (const sandbox of sandboxes) {
				if (done++ % REQUEST_INTERVAL === 0) {
					await workload.request(sandbox);
					requests++;
				}
				sandbox.end(OVER);
			}
		}
		await turn();
		collectGarbage();
		await turn();
		rss.push(process.memoryUsage.rss());
		onProgress(`${workload.name}: ${done} cycles, ${((rss.at(-1) ?? 0) / 1e6).toFixed(1)} MB resident`);
	}
	const { created, discarded } = pool.counts;
	pool.close(OVER);
	const steady = rss.slice(1);
	const spreadPercent = (Math.max(...steady) / Math.min(...steady) - 1) * 100;
	return { workload: workload.name, cycles: done, requests, rss, spreadPercent, created, discarded };
}
