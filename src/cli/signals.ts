import { constants } from "node:os";

/** A second signal within this time is the first one again: the terminal and the launcher both deliver it. */
const SAME_SIGNAL_MS = 500;

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface StopRequest extends Disposable {
	/** Aborted by the first signal that asks the process to end. The next one ends it at once. */
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
	let first = 0;
	let status = 0;
	const onSignal = (name: (typeof SIGNALS)[number]): void => {
		const now = performance.now();
		status = 128 + constants.signals[name];
		if (!controller.signal.aborted) {
			first = now;
			controller.abort(name);
		} else if (now - first > SAME_SIGNAL_MS) {
			process.exit(status);
		}
	};
	for (const name of SIGNALS) process.on(name, onSignal);
	return {
		signal: controller.signal,
		giveUp: () => process.exit(status),
		[Symbol.dispose]: () => {
			for (const name of SIGNALS) process.off(name, onSignal);
		},
	};
}
