/** How long something took on this thread, and what of that the thread ran, waited for a processor, or waited for others of the process. */
import { openSync, readSync } from "node:fs";
import { openProcessorTime } from "../../src/engine/stop/processor-time.ts";

/** A stretch of the process's clock, in milliseconds, that was to be over at `due`. */
export interface Stretch {
	readonly from: number;
	readonly due: number;
	readonly to: number;
	/** How much of it this thread ran; NaN where that is not known. */
	readonly ran: number;
	/** How much of it this thread could have run while its processor was another's; likewise. */
	readonly queued: number;
	/** How much all threads of the process ran together. */
	readonly allRan: number;
}

/** What a stretch began with. */
export interface Beginning {
	readonly from: number;
	readonly ran: number;
	readonly queued: number;
	readonly allRan: number;
}

/** The process's, in milliseconds. */
export const clock = (): number => Number(process.hrtime.bigint()) / 1e6;

const processorTime = openProcessorTime();

/** Milliseconds. Node's own is a tick (4 ms) behind. */
export function threadTime(): number {
	return processorTime?.now() ?? Number.NaN;
}

let schedstat: number | undefined;
const text = Buffer.alloc(64);

function queuedTime(): number {
	if (processorTime === undefined) return Number.NaN;
	schedstat ??= openSync("/proc/thread-self/schedstat", "r");
	return Number(text.toString("latin1", 0, readSync(schedstat, text, 0, text.length, 0)).split(" ")[1]) / 1e6;
}

function processTime(): number {
	const { user, system } = process.cpuUsage();
	return (user + system) / 1000;
}

export function begin(): Beginning {
	const [queued, allRan] = [queuedTime(), processTime()];
	return { queued, allRan, from: clock(), ran: threadTime() };
}

/** @param due milliseconds from its beginning */
export function endStretch({ from, ran, queued, allRan }: Beginning, due: number): Stretch {
	const to = clock();
	return {
		from,
		due: from + due,
		to,
		ran: threadTime() - ran,
		queued: queuedTime() - queued,
		allRan: processTime() - allRan,
	};
}

/**
 * Milliseconds beyond what it was due after that this thread ran, or waited for others of the process that ran: V8's, which collect garbage.
 * What was neither, nor spent in the queue for a processor, it waited.
 */
export function ownTime({ from, due, to, ran, queued, allRan }: Stretch): number {
	if (Number.isNaN(ran) || Number.isNaN(queued)) return to - due;
	const waited = Math.max(to - from - ran - queued, 0);
	return ran + Math.min(waited, Math.max(allRan - ran, 0)) - (due - from);
}
