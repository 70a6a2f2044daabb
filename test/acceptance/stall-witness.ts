/**
 * Says when the machine itself was away: a virtual processor that the host takes back for some milliseconds stops whatever is on it,
 * and no program in the machine can be in time then. One thread per processor, pinned to it, before all others (real-time), sleeps
 * for half a millisecond over and over, and writes down when it woke much too late. Nothing that this process or another computes can
 * keep it from waking; what does is outside, or the kernel.
 */
import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";

/** Milliseconds. */
const PERIOD = 0.5;
/** Later than that is no wake-up's own time. */
const LATE = 0.3;
/** Stalls that are remembered for each processor. */
const ROOM = 65_536;

/** `[0]`: how many; then each one's beginning and end, in milliseconds of the process's clock. */
type Stalls = Float64Array;

const WITNESS = `
const { workerData, parentPort } = require("node:worker_threads");
const stalls = new Float64Array(workerData.stalls);
const clock = () => Number(process.hrtime.bigint()) / 1e6;
const cell = new Int32Array(new SharedArrayBuffer(4));
parentPort.postMessage(require("node:fs").readlinkSync("/proc/thread-self").split("/").at(-1));
parentPort.once("message", () => {
	for (;;) {
		const due = clock() + ${PERIOD};
		Atomics.wait(cell, 0, 0, ${PERIOD});
		const now = clock();
		if (now - due < ${LATE} || stalls[0] === ${ROOM}) continue;
		const at = 1 + 2 * stalls[0];
		stalls[at] = due;
		stalls[at + 1] = now;
		stalls[0]++;
	}
});`;

export class StallWitness {
	readonly #workers: readonly Worker[];
	readonly #stalls: readonly Stalls[];

	private constructor(workers: readonly Worker[], stalls: readonly Stalls[]) {
		this.#workers = workers;
		this.#stalls = stalls;
	}

	/** `undefined` where there is no right to real-time threads, or no `chrt` and `taskset`. */
	static async start(): Promise<StallWitness | undefined> {
		const workers: Worker[] = [];
		const stalls: Stalls[] = [];
		try {
			for (let processor = 0; processor < availableParallelism(); processor++) {
				const own = new Float64Array(new SharedArrayBuffer((1 + 2 * ROOM) * Float64Array.BYTES_PER_ELEMENT));
				const worker = new Worker(WITNESS, { eval: true, workerData: { stalls: own.buffer } });
				workers.push(worker);
				stalls.push(own);
				const thread = await new Promise<string>((resolve) => void worker.once("message", resolve));
				execFileSync("taskset", ["-cp", String(processor), thread], { stdio: "ignore" });
				execFileSync("chrt", ["-f", "-p", "50", thread], { stdio: "ignore" });
				worker.postMessage("begin");
			}
			return new StallWitness(workers, stalls);
		} catch {
			await Promise.all(workers.map(async (worker) => await worker.terminate()));
			return undefined;
		}
	}

	/** Milliseconds between the two, of the process's clock, in which a processor was away. The ends of stalls come to be known a period late. */
	stalled(from: number, to: number): number {
		const within: [from: number, to: number][] = [];
		for (const stalls of this.#stalls) {
			for (let i = 2 * (stalls[0] ?? 0) - 1; i > 0; i -= 2) {
				const [begin, end] = [stalls[i] ?? 0, stalls[i + 1] ?? 0];
				if (end <= from) break;
				if (begin < to) within.push([Math.max(begin, from), Math.min(end, to)]);
			}
		}
		let sum = 0;
		let known = from;
		for (const [begin, end] of within.toSorted((a, b) => a[0] - b[0])) {
			sum += Math.max(0, end - Math.max(begin, known));
			known = Math.max(known, end);
		}
		return sum;
	}

	async stop(): Promise<void> {
		await Promise.all(this.#workers.map(async (worker) => await worker.terminate()));
	}
}
