import { AsyncLocalStorage } from "node:async_hooks";

/** A host function that a guest has called and waits for. */
interface Frame {
	/** The sandbox's. */
	readonly context: unknown;
	readonly name: string;
	readonly outer: Frame | undefined;
	active: boolean;
}

const frames = new AsyncLocalStorage<Frame>();

/** Runs a function of the host that a guest waits for as it would compute: no call into its sandbox begins before it has settled. */
export function runInside(context: unknown, name: string, run: () => unknown): unknown {
	const frame: Frame = { context, name, outer: frames.getStore(), active: true };
	const leave = (): void => {
		frame.active = false;
	};
	let result: unknown;
	try {
		result = frames.run(frame, run);
	} catch (error) {
		leave();
		throw error;
	}
	if (result instanceof Promise) result.then(leave, leave);
	else leave();
	return result;
}

/** The name of the host function that this code runs in, and that a guest of the sandbox waits for. */
export function findInside(context: unknown): string | undefined {
	for (let frame = frames.getStore(); frame !== undefined; frame = frame.outer) {
		if (frame.active && frame.context === context) return frame.name;
	}
	return undefined;
}
