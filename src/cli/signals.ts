import { constants } from "node:os";

/** A second signal within this time, in milliseconds, is the first one again: the terminal and the launcher both deliver it. */
const SAME_SIGNAL_MS = 500;

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface StopRequest extends Disposable {
	/** Aborted by the first signal that asks the process to end. The next one ends it at once, even while a guest holds the thread. */
	readonly signal: AbortSignal;
	/** Ends the process at once, with the status of the signal. */
	readonly giveUp: () => void;
}

/**
 * Lets a server end its work when it is told to stop. Not for commands that run a guest in this thread: while it computes
 * no handler is called, and the signal's own effect is the right one.
 */
export function createStopRequest(): StopRequest {
	const controller = new AbortController();
	let status = 0;
	let timer: NodeJS.Timeout | undefined;
	let isNext = false;
	const onSignal = (name: (typeof SIGNALS)[number]): void => {
		status = 128 + constants.signals[name];
		if (isNext) process.exit(status);
		if (controller.signal.aborted) return;
		timer = setTimeout(() => {
			isNext = true;
			// From here on a signal has its own effect, for which no guest has to give back the thread. On the first process of a container it has none.
			if (process.pid !== 1) release();
		}, SAME_SIGNAL_MS).unref();
		controller.abort(name);
	};
	const release = (): void => {
		for (const name of SIGNALS) process.off(name, onSignal);
	};
	for (const name of SIGNALS) process.on(name, onSignal);
	return {
		signal: controller.signal,
		giveUp: () => process.exit(status),
		[Symbol.dispose]: () => {
			clearTimeout(timer);
			release();
		},
	};
}
