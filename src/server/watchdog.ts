import { Worker } from "node:worker_threads";
import { FLAG_LAYOUT, interruptFlag } from "../engine/mod.ts";

/** Words of the watchdog's own memory, which both threads share. */
const GUESTS = 0;
const TERMINATED = 1;
const WORDS = 2;

/** Milliseconds between two looks at the thread: a twentieth of the limit, within these. */
const SHORTEST_TICK = 5;
const LONGEST_TICK = 50;

/**
 * Runs beside the main thread. When that has not come round for the limit while guests are alive, one of them holds it: the flag is
 * raised, and the guest ends itself at its next loop or call. When it is in neither for as long again (in a bulk operation, or in
 * host code that never returns), V8 is told to take down whatever runs. Ticks are counted, not wall time, so that a suspended process
 * or a debugger stops no one.
 */
const WORKER = `
const { workerData: { flag, own, ticks, tick, watcher } } = require("node:worker_threads");
const { Session } = require("node:inspector");
const bytes = new Uint8Array(flag), words = new Int32Array(flag), cells = new Int32Array(own);
const session = new Session();
session.connectToMainThread();
let last = -1, still = 0;
setInterval(() => {
	const beat = Atomics.load(words, ${FLAG_LAYOUT.beat});
	still = beat === last && Atomics.load(cells, ${GUESTS}) > 0 ? still + 1 : 0;
	last = beat;
	if (still < ticks) return;
	// Who was hit has to reach the host before another can be.
	if (Atomics.load(bytes, ${FLAG_LAYOUT.flag}) === 0 && Atomics.load(bytes, ${FLAG_LAYOUT.hit}) === 0) {
		Atomics.store(words, ${FLAG_LAYOUT.watcher}, watcher);
		Atomics.store(bytes, ${FLAG_LAYOUT.flag}, 1);
	}
	if (still < 2 * ticks) return;
	still = 0;
	Atomics.add(cells, ${TERMINATED}, 1);
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
	/** What the callers get of a guest that was stopped. */
	readonly reason: () => unknown;
	readonly live: () => Iterable<S>;
	/** Called for each guest whose stack was taken down, which ends no call by itself. */
	readonly onTerminated: (sandbox: S) => void;
}

/**
 * Stops guests that hold the thread: a loop that never ends would otherwise stop the whole server. It counts uninterrupted time only,
 * and whoever runs when the limit is reached is stopped.
 */
export class Watchdog<S extends Watched> implements Disposable {
	readonly #worker: Worker;
	readonly #cells: Int32Array;
	readonly #timer: NodeJS.Timeout;
	readonly #watcher: number;

	constructor(options: WatchdogOptions<S>) {
		const own = new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT);
		const cells = new Int32Array(own);
		const flag = interruptFlag();
		const tick = Math.min(LONGEST_TICK, Math.max(SHORTEST_TICK, Math.floor(options.limit / 20)));
		let terminated = 0;
		this.#cells = cells;
		this.#watcher = flag.watch(options.reason);
		this.#timer = setInterval(() => {
			flag.beat();
			const now = Atomics.load(cells, TERMINATED);
			if (now === terminated) return;
			terminated = now;
			for (const sandbox of options.live()) if (sandbox.lost) options.onTerminated(sandbox);
		}, tick).unref();
		const ticks = Math.max(2, Math.ceil(options.limit / tick));
		this.#worker = new Worker(WORKER, {
			eval: true,
			workerData: { flag: flag.memory.buffer, own, ticks, tick, watcher: this.#watcher },
		});
		this.#worker.unref();
	}

	/** How many guests there are now. Told before a guest gets the thread: one that never gives it back is counted by then. */
	count(guests: number): void {
		Atomics.store(this.#cells, GUESTS, guests);
	}

	[Symbol.dispose](): void {
		clearInterval(this.#timer);
		interruptFlag().unwatch(this.#watcher);
		void this.#worker.terminate();
	}
}
