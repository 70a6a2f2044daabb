/**
 * How long a thread has been on a processor, as Linux counts it: what others were given in the meantime is nothing that the thread has
 * taken. Through `node:ffi`, because the files of `/proc` are up to a tick (4 ms) behind for a thread that runs.
 */
import { type Ffi, type FfiProcess, withFfi } from "../libc.ts";

export interface ProcessorTime {
	/** `clockid_t` of this thread's processor time, for whoever else in the process wants to read it. */
	readonly clockId: number;
	/** Milliseconds that this thread has been on a processor; some 0.5 µs to read. */
	now(): number;
}

interface HostProcess extends FfiProcess {
	readonly platform: string;
}

interface Functions {
	clock_gettime(clock: number, time: bigint): number;
	gettid(): number;
}

const CLOCK_THREAD_CPUTIME_ID = 3;
/** `MAKE_THREAD_CPUCLOCK(thread, CPUCLOCK_SCHED)` of the kernel's `posix-timers.h` */
const clockOf = (thread: number): number => (~thread << 3) | 6;
/** Milliseconds that the two clocks, read one after the other, may show apart. */
const APART = 100;

/** For the thread that asks; `undefined` where that is not to be had. */
export function openProcessorTime(): ProcessorTime | undefined {
	const { process } = globalThis as { process?: HostProcess };
	if (process?.platform !== "linux") return undefined;
	try {
		return withFfi(process, (ffi) => (ffi === undefined ? undefined : tryClocks(ffi)));
	} catch {
		return undefined;
	}
}

function tryClocks(ffi: Ffi): ProcessorTime | undefined {
	const functions = ffi.dlopen(null, {
		clock_gettime: { arguments: ["i32", "pointer"], return: "i32" },
		gettid: { arguments: [], return: "i32" },
	}).functions as Functions;
	// `struct timespec` of 64-bit systems: seconds, nanoseconds
	const time = new BigInt64Array(2);
	const at = ffi.getRawPointer(time);
	const read = (clock: number): number =>
		functions.clock_gettime(clock, at) === 0 ? Number(time[0]) * 1e3 + Number(time[1]) / 1e6 : Number.NaN;
	const clockId = clockOf(functions.gettid());
	const [own, named] = [read(CLOCK_THREAD_CPUTIME_ID), read(clockId)];
	return named >= own && named - own < APART ? { clockId, now: () => read(CLOCK_THREAD_CPUTIME_ID) } : undefined;
}
