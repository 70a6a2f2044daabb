import { Worker } from "node:worker_threads";

/** Cells of the memory that both threads share. */
const BEAT = 0;
const GUESTS = 1;
const STOPPED = 2;
const CELLS = 3;

const TICK_MS = 50;

/**
 * Runs beside the main thread. When that has not come round for the limit while guests are alive, one of them holds it: V8 is told
 * to take down what it runs. Ticks are counted, not wall time, so that a suspended process or a debugger stops no one.
 */
const WORKER = `
const { workerData: { memory, ticks, tick } } = require("node:worker_threads");
const { Session } = require("node:inspector");
const cells = new Int32Array(memory);
const session = new Session();
session.connectToMainThread();
let last = -1, still = 0;
setInterval(() => {
	const beat = Atomics.load(cells, ${BEAT});
	still = beat === last && Atomics.load(cells, ${GUESTS}) > 0 ? still + 1 : 0;
	last = beat;
	if (still < ticks) return;
	still = 0;
	Atomics.add(cells, ${STOPPED}, 1);
	session.post("Runtime.terminateExecution");
}, tick);
`;

export interface Watched {
	/** The guest is in a call, yet neither runs nor waits. Asked between turns of the event loop. */
	readonly lost: boolean;
}

export interface WatchdogOptions<S extends Watched> {
	/** How long a guest may hold the thread without giving it back, in milliseconds. */
	readonly limit: number;
	readonly live: () => Iterable<S>;
	/** Called for each guest whose stack was taken down. */
	readonly onStopped: (sandbox: S) => void;
}

/**
 * Stops guests that hold the thread: a loop that never ends would otherwise stop the whole server. Coarse (the limit is in tens of
 * milliseconds and counts only uninterrupted time); metering by rewriting the guest's code will take its place.
 */
export class Watchdog<S extends Watched> implements Disposable {
	readonly #worker: Worker;
	readonly #cells: Int32Array;
	readonly #timer: NodeJS.Timeout;

	constructor(options: WatchdogOptions<S>) {
		const memory = new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT);
		const cells = new Int32Array(memory);
		let stopped = 0;
		this.#cells = cells;
		this.#timer = setInterval(() => {
			Atomics.add(cells, BEAT, 1);
			const now = Atomics.load(cells, STOPPED);
			if (now === stopped) return;
			stopped = now;
			for (const sandbox of options.live()) if (sandbox.lost) options.onStopped(sandbox);
		}, TICK_MS).unref();
		const ticks = Math.max(2, Math.ceil(options.limit / TICK_MS));
		this.#worker = new Worker(WORKER, { eval: true, workerData: { memory, ticks, tick: TICK_MS } });
		this.#worker.unref();
	}

	/** How many guests there are now. Told before a guest gets the thread: one that never gives it back is counted by then. */
	count(guests: number): void {
		Atomics.store(this.#cells, GUESTS, guests);
	}

	[Symbol.dispose](): void {
		clearInterval(this.#timer);
		void this.#worker.terminate();
	}
}
