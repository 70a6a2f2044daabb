import { SkerryError } from "../../fault/mod.ts";
import { compareClocks } from "./compare-clocks.ts";
import { openProcessorTime, type ProcessorTime } from "./processor-time.ts";
import type { SafepointPage } from "./safepoint.ts";
import { watch, type Watchdog, type Watched } from "./watchdog-thread.ts";

/**
 * The one thread per process that watches over all threads on which guests run. It sleeps while none does. Where there are no threads
 * to be had (outside of Node), guests are interrupted only when they call the host.
 */

const BEGUN = 1;
const FAILED = 2;

/** The few things of `node:worker_threads` that are needed. */
interface Threads {
	readonly threadId: number;
	readonly Worker: new (
		code: string,
		options: object,
	) => { unref(): void; once(event: "error", listener: (error: unknown) => void): unknown };
	readonly BroadcastChannel: new (name: string) => { postMessage(message: unknown): void; close(): void };
	getEnvironmentData(key: string): unknown;
	setEnvironmentData(key: string, value: unknown): void;
}

interface HostProcess {
	getBuiltinModule?: (name: string) => unknown;
	hrtime(): [number, number];
}

const KEY = "skerry:watchdog";

interface Watching {
	/** Wakes it; to be called when the thread's `until` is earlier than `planned`. */
	wake(): void;
	/** Settles when it has begun, some 40 ms after its start: until then nobody is interrupted. Fails with `engine/stop/watchdog`. */
	readonly begun: Promise<void>;
	/** Of the thread that is watched. */
	readonly processorTime: ProcessorTime | undefined;
}

/** Has a watchdog look after this thread. */
export function watchThread(buffer: SharedArrayBuffer, page: SafepointPage | undefined): Watching {
	const { process } = globalThis as { process?: HostProcess };
	const threads = process?.getBuiltinModule?.("node:worker_threads") as Threads | undefined;
	if (process === undefined || threads === undefined)
		return { wake() {}, begun: Promise.resolve(), processorTime: undefined };
	const processClock = (): number => {
		const [seconds, nanoseconds] = process.hrtime();
		return seconds * 1e3 + nanoseconds / 1e6;
	};
	const origin = compareClocks(processClock, () => performance.now());
	const processorTime = openProcessorTime();
	const watched: Watched = { buffer, page, origin, clockId: processorTime?.clockId ?? 0 };
	// Started by this thread, or by one that this one stems from, which therefore outlives it.
	let watchdog = threads.getEnvironmentData(KEY) as Watchdog | undefined;
	if (watchdog === undefined || new Int32Array(watchdog.bell)[1] === FAILED) {
		const bell = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
		watchdog = { bell, channel: `${KEY}:${threads.threadId}:${watched.origin}` };
		threads.setEnvironmentData(KEY, watchdog);
		start(threads, watchdog, watched);
	} else {
		const channel = new threads.BroadcastChannel(watchdog.channel);
		channel.postMessage(watched);
		channel.close();
	}
	const bell = new Int32Array(watchdog.bell);
	const wake = (): void => {
		Atomics.add(bell, 0, 1);
		Atomics.notify(bell, 0);
	};
	wake();
	return { wake, begun: begin(bell), processorTime };
}

function start(threads: Threads, watchdog: Watchdog, first: Watched): void {
	const bell = new Int32Array(watchdog.bell);
	const fail = (cause: unknown): void => {
		// Guests that run are not to go on with nobody to stop them.
		if (Atomics.load(bell, 1) === BEGUN) throw failure("it has ended", cause);
		// Who needs one next tries again.
		threads.setEnvironmentData(KEY, undefined);
		Atomics.store(bell, 1, FAILED);
		Atomics.notify(bell, 1);
	};
	try {
		const workerData = { ...watchdog, first };
		const worker = new threads.Worker(`(${watch.toString()})()`, { eval: true, workerData, execArgv: [] });
		worker.once("error", fail);
		worker.unref();
	} catch (error) {
		fail(error);
	}
}

async function begin(bell: Int32Array): Promise<void> {
	await Atomics.waitAsync(bell, 1, 0).value;
	if (Atomics.load(bell, 1) === FAILED) throw failure("the system gives no thread, or not the files that one needs");
}

function failure(state: string, cause?: unknown): SkerryError {
	return new SkerryError("engine/stop/watchdog", `Cannot stop guests in time: no watchdog's thread: ${state}`, {
		hint: "allow the process more open files (ulimit -n) and threads (ulimit -u), or turn metering off for guests that are trusted",
		cause,
	});
}
