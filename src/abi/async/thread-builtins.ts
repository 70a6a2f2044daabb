import type { CoreFunction } from "../store.ts";
import { trap } from "../traps.ts";
import { after } from "./after.ts";
import { checkMayLeave } from "./copy-builtins.ts";
import type { AsyncInstance } from "./instance.ts";
import { Thread } from "./thread.ts";

/** Functions that threads begin in, as the engine finds them in a table. */
export interface ThreadStarts {
	/** The function at `index`, to be called with one i32 on a stack of its own; traps where there is none of that type. */
	get(index: number): (argument: number) => void | Promise<void>;
}

/** `canon thread.yield` */
export function canonYield(instance: AsyncInstance, cancellable: boolean): () => number | Promise<number> {
	return () => {
		checkMayLeave(instance);
		const { current } = instance.turns;
		// A start function has nobody to give its turn to.
		return current === null
			? 0
			: after(
					current.wait(() => true, cancellable),
					Number,
				);
	};
}

/** `canon thread.index` */
export function canonThreadIndex(instance: AsyncInstance): () => number {
	return () => {
		checkMayLeave(instance);
		const { thread } = instance.turns;
		// Which lists it.
		void instance.threads;
		return thread.index;
	};
}

/** `canon thread.new-indirect` */
export function canonThreadNew(instance: AsyncInstance, starts: ThreadStarts): CoreFunction {
	return (index, argument) => {
		checkMayLeave(instance);
		const start = starts.get((index as number) >>> 0);
		const { task } = instance.turns.thread;
		const thread = new Thread(task, instance.turns, async (self) => {
			try {
				const ended = start(argument as number);
				if (ended instanceof Promise) await ended;
				task.unregister(self);
				self.finish();
			} catch (error) {
				self.fail(error);
			}
		});
		task.register(thread);
		return thread.index;
	};
}

function suspendedThread(instance: AsyncInstance, index: number): Thread {
	const thread = instance.threads.get(index);
	if (!thread.suspended) trap("cannot resume thread which is not suspended");
	return thread;
}

/** `canon thread.resume-later` */
export function canonResumeLater(instance: AsyncInstance): CoreFunction {
	return (index) => {
		checkMayLeave(instance);
		suspendedThread(instance, index as number).resumeLater();
		return undefined;
	};
}

/** `canon thread.suspend` */
export function canonSuspend(instance: AsyncInstance, cancellable: boolean): () => number | Promise<number> {
	return () => {
		checkMayLeave(instance);
		instance.checkMayBlock();
		return after(instance.turns.thread.wait(null, cancellable), Number);
	};
}

/** Whether the thread that runs waits for its turn or until it is resumed; and which thread comes before others. */
export interface Switch {
	readonly yields: boolean;
	/** Only where the other is ready; the thread stops in any case. */
	readonly promotes: boolean;
	readonly cancellable: boolean;
}

/** `canon thread.suspend-then-resume`, `yield-then-resume`, `suspend-then-promote`, `yield-then-promote`. */
export function canonSwitch(
	instance: AsyncInstance,
	{ yields, promotes, cancellable }: Switch,
): (index: number) => number | Promise<number> {
	return (index) => {
		checkMayLeave(instance);
		const { thread } = instance.turns;
		let next: Thread | null;
		if (promotes) {
			const other = instance.threads.get(index);
			next = other.waiting && other.ready?.() === true ? other : null;
		} else next = suspendedThread(instance, index);
		if (next === null && !yields) instance.checkMayBlock();
		return after(thread.wait(yields ? () => true : null, cancellable, next), Number);
	};
}
